"""The commands of the store.

    judgescale store show   STORE
    judgescale store export STORE FILE.parquet
    judgescale store import FILE.parquet STORE

In a checkout, `python -m harness.store` is the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgescale.harness.errors import explain_error
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.redaction import redact
from judgescale.harness.screen import make_table, open_screen, print_table
from judgescale.harness.store import Store, name_as_now
from judgescale.harness.store.exchange import export_answers, import_answers
from judgescale.harness.types import JudgescaleError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        if given.command == "export":
            print(f"{export_answers(given.store, given.file):,} answers to {given.file}")
        elif given.command == "import":
            new, every = import_answers(given.file, given.store)
            print(f"{new:,} new of {every:,} answers to {given.store}")
        else:
            show_models(given.store)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the commands and their arguments."""
    parser = argparse.ArgumentParser(prog="judgescale store", description="Every answer ever bought.")
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="which models were asked how much")
    show.add_argument("store", type=Path)
    out = commands.add_parser("export", help="all answers, with texts, to one Parquet file")
    out.add_argument("store", type=Path)
    out.add_argument("file", type=Path)
    into = commands.add_parser("import", help="add the answers of an exported file to a store")
    into.add_argument("file", type=Path)
    into.add_argument("store", type=Path)
    return parser


def show_models(path: Path) -> None:
    """Print a table of every model and its settings with how much it was asked.

    Raises JudgescaleError where there is no such file.
    """
    from rich.text import Text

    if not path.exists():
        raise JudgescaleError(f"{path}: no such store")
    table = make_table(["model", "engine", "settings"], ["questions", "answers", "prompt\ntokens", "compl.\ntokens"])
    with Store(path, readonly=True) as store:
        for settings, *counts in store.summarise_models():
            model, engine, sampling = read_settings(settings, path)
            if not all(c is None or isinstance(c, int | float) for c in counts):
                raise JudgescaleError(f"store {path} is damaged: a count of tokens is no number")
            where = " at ".join(str(engine[name]) for name in ("name", "provider") if engine.get(name))
            rest = "\n".join(flatten_text(f"{k}={v}") for k, v in sorted(sampling.items()) if v is not None)
            cells = (flatten_text(model), flatten_text(where), rest)
            table.add_row(*map(Text, cells), *(f"{c:,}" if c is not None else "-" for c in counts))
    print_table(open_screen(), table, longest=24)  # a setting with its number, such as thinking_budget=32768


def read_settings(settings: Any, path: Path) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """Read a model's name, its engine and its sampling from a row. Raises JudgescaleError where that is damaged."""
    try:
        known = redact(name_as_now(json.loads(settings)))
        parts = str(known["model"]), known.get("engine") or {}, known.get("sampling") or {}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        parts = "", None, None
    if not isinstance(parts[1], Mapping) or not isinstance(parts[2], Mapping):
        raise JudgescaleError(
            f"store {path} is damaged: the settings of a model are not what was written;"
            f" `sqlite3 {path.name} .recover` may save what is left"
        )
    return parts


if __name__ == "__main__":
    main()
