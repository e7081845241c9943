"""How finished runs are named and their numbers written, in every command that reads them."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from judgescale.harness.finished.reading import Judged
from judgescale.harness.plain_text import defuse_formula
from judgescale.harness.report.tables import escape_markdown, join_with_pipes
from judgescale.harness.report.text import UNKNOWN
from judgescale.harness.rounding import write_rounded
from judgescale.harness.types import JudgescaleError

HOW_CHOSEN = """\
RUN is the folder of a finished run: all arms of its first task. RUN:ARM takes one of them, by its number in
summary.json or its name, or by a part of it that no other has; @K takes another k than the headline's. A recorded set
(FILE.parquet) may stand in place of a run: it is evaluated as its first task says."""


def name_arm(arm: Judged) -> str:
    """Name an arm by its name within the run, its k, and its judge or strategy where the name leaves these out."""
    missing = [word for word in (arm.judge, arm.strategy) if word not in arm.name]
    return ", ".join([arm.name, *missing, name_k(arm)])


def name_k(arm: Judged) -> str:
    """Name an arm's k: k=8, or k≤8 where it may stop before."""
    return f"k{'≤' if arm.stops else '='}{arm.k}"


def format_p(p: float | None) -> str:
    """Format a p-value with three decimals; a dash where there is none."""
    if p is None or not isfinite(p):
        return UNKNOWN
    return "<.001" if p < 0.001 else write_rounded(p, 3)


def write_markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [join_with_pipes(header, escape_markdown), join_with_pipes(["---"] * len(header), str)]
    return "\n".join([*lines, *(join_with_pipes(row, escape_markdown) for row in rows)])


def write_markdown_list(lines: Sequence[str]) -> str:
    """Write a list in Markdown."""
    return "\n".join(f"- {escape_markdown(line)}" for line in lines)


def write_files(folder: Path, contents: Mapping[str, str | Sequence[Sequence[Any]]]) -> None:
    """Write files into a folder, each whole or not at all: texts, and lists of rows as CSV.

    Raises JudgescaleError where the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise JudgescaleError(f"--out {folder}: a file; give a folder")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".draft-") as scratch:
        for name, content in contents.items():
            with (draft := Path(scratch) / name).open("w", encoding="utf-8", newline="") as file:
                if isinstance(content, str):
                    file.write(content)
                else:
                    rows = csv.writer(file, lineterminator="\n")
                    rows.writerows([["" if cell is None else _write_cell(cell) for cell in row] for row in content])
            draft.replace(folder / name)


def _write_cell(cell: Any) -> Any:
    return defuse_formula(cell) if isinstance(cell, str) else cell
