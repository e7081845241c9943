"""Tables on narrow terminals: every number whole, every name there."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from judgescale.harness.rounding import write_points, write_rounded
from judgescale.harness.screen import make_table, print_table

NAME = "Skywork/Skywork-Reward-V2-Llama-3.1-8B"
COUNTS = ("67,040", "1,234,567", "98,765,432", "12,345,678")


def show(width: int, name: str = NAME) -> str:
    table = make_table(["model", "settings"], ["ques-\ntions", "answers", "prompt\ntokens", "compl.\ntokens"])
    table.add_row(Text(name), Text("max_tokens=8192\nthinking_budget=4096"), *COUNTS)
    table.add_row(Text("[b]another"), Text(""), "1", "2", "-", "-")
    file = io.StringIO()
    print_table(Console(file=file, width=width), table, longest=24)
    return file.getvalue()


@pytest.mark.parametrize("width", [20, 35, 50, 65, 80, 120])
def test_no_number_is_ever_cut(width: int) -> None:
    text = show(width)
    assert all(len(line) <= width for line in text.splitlines())
    assert all(re.search(rf"(?<![\d,]){count}(?![\d,])", text) for count in COUNTS), text
    assert "max_tokens=8192" in text and "thinking_budget=4096" in text and "[b]another" in text
    assert "…" not in text
    if width >= 50:
        folded = "".join(line[:40].split("  ")[0].strip() for line in text.splitlines())
        assert NAME in text or NAME in folded


def test_what_does_not_fit_is_a_list_with_the_names_of_the_columns() -> None:
    assert "  questions 67,040; answers 1,234,567" in show(50) and "prompt tokens 98,765,432" in show(50)
    assert "─" in show(120) and "─" not in show(50)


def test_nothing_is_minus_nothing() -> None:
    for value in (-0.0, -0.04, 0.04, -1e-12):
        assert write_rounded(value) == write_rounded(value, sign=True) == "0.0"
    assert (write_rounded(-0.05), write_points(-0.0004), write_points(0.0005)) == ("-0.1", "0.0", "+0.1")
    assert (write_rounded(10), write_rounded(-10.04), write_rounded(0.0004, 3)) == ("10.0", "-10.0", "0.000")


@pytest.mark.parametrize(
    "command",
    [
        ["recorded", "show", "vicuna80"],
        ["recorded", "show"],
        ["engine=random", "judge=random", "task=sanity", "hydra.run.dir=out"],
    ],
)
def test_a_reader_who_leaves_early_ends_nothing(command: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as after `| head`
    done = subprocess.run(
        [sys.executable, "-m", "judgescale", *command], stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60
    )
    os.close(writing)
    assert done.returncode == 0
    assert all(line.startswith(b"judged in ") for line in done.stderr.splitlines())  # of the live run
    assert command[0] == "recorded" or (tmp_path / "out" / "summary.json").exists()
