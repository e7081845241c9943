"""The command `judgescale recorded`."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_files import BASE, import_set, judgebench_row
from shapes import put

from judgescale.harness.recorded import read_set
from judgescale.harness.recorded.__main__ import main


def test_the_last_line_says_how_to_run_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_set(tmp_path, "judgebench", put(tmp_path / "jb.jsonl", [judgebench_row("1", ["A>B", None])]))
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "1 items, 2 judgments (1 without scores), 1 judge (org/judge)" in out
    assert f"python run.py engine=recorded engine.path={tmp_path / 'out.parquet'} task=judgebench" in out


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_set(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", [BASE | {"winner": "y"}, BASE | {"winner": None}]))
    capsys.readouterr()
    assert main(["show", str(tmp_path / "out.parquet")]) == 0
    out = capsys.readouterr().out
    assert "up to 2 samples each: repeated sampling" in out and "1 ok, 1 unparsed" in out
    assert main(["show", str(tmp_path / "none.parquet")]) == 2
    assert capsys.readouterr().err.startswith(f"show: {tmp_path / 'none.parquet'} does not exist; shipped sets: ")


def test_prompt_and_temperature_are_kept_where_they_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = put(tmp_path / "mine.jsonl", [BASE | {"winner": "y"}, BASE | {"winner": "x", "judge": "another"}])
    asked = ["import", "jsonl", str(rows), "--out", str(tmp_path / "out.parquet"), "--prompt", "Arena-Hard"]
    assert main([*asked, "--temperature", "0"]) == 0
    meta = read_set(tmp_path / "out.parquet").meta
    assert set(meta["prompts"].values()) == {"Arena-Hard"} and len(meta["prompts"]) == 2 and meta["temperature"] == 0
    assert main(["show", str(tmp_path / "out.parquet")]) == 0 and "at temperature 0" in capsys.readouterr().out
    for wrong in ("nan", "-1", "inf"):
        assert main([*asked, f"--temperature={wrong}"]) == 2
        assert "metadata field temperature" in capsys.readouterr().err
