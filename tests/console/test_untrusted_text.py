"""What models, sets and files say can neither steer a terminal nor be a formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from conftest import ROOT, run

from judgescale.harness.errors import explain_error
from judgescale.harness.plain_text import defuse_formula, escape_controls, flatten_text
from judgescale.harness.recorded import write_set
from judgescale.harness.store import Question, Store, encode_canonical
from judgescale.harness.store.__main__ import main as run_store
from judgescale.harness.types import JudgescaleError, Judgment, Output, Record, Request

EVIL = "a\x1b]0;title\x07\x9b31m\u202egnp\u2066[red]b[/red]\ud800"
SHOWN = r"a\x1b]0;title\x07\x9b31m\u202egnp\u2066[red]b[/red]\ud800"
STEERS = set(EVIL) - set(SHOWN)


def test_control_characters_are_shown_and_steer_nothing() -> None:
    assert flatten_text(EVIL) == escape_controls(EVIL) == SHOWN
    assert flatten_text(" two\n lines\t") == "two lines" and escape_controls("  two\n") == r"  two\n"
    for kept in ("Ünïcode 東京", "नमस्ते \u200dक", "👩\u200d🔬", "tab"):
        assert flatten_text(kept) == kept


@pytest.mark.parametrize("error", [JudgescaleError(EVIL), OSError(EVIL), ValueError(EVIL)])
def test_an_error_line_is_harmless(error: Exception) -> None:
    assert SHOWN in explain_error(error)
    assert len(explain_error(type(error)("x" * 10**6))) < 1_200


def hostile_record(judge: str, sample: int = 0) -> Record:
    verdict = Judgment(judge=judge, shown=(0, 1), scores=(1.0, 0.0), sample=sample)
    names = (f"{judge}1", f"{judge}2")
    return Record(prompt=f"p{judge}", cluster="c", subset=judge, responses=names, gold=(1.0, 0.0), judgment=verdict)


def test_a_set_is_shown_and_run_as_plain_text(tmp_path) -> None:
    evil = EVIL.removesuffix("\ud800")  # which no Parquet file can hold
    path, out = tmp_path / "evil.parquet", tmp_path / "out"
    write_set(path, [hostile_record(evil)], {"note": evil, "varies": evil, "sources": [{"repo": evil}], "name": evil})
    shown = run("show", str(path), module="judgescale.harness.recorded")
    assert shown.returncode == 0 and shown.stdout.count(SHOWN.removesuffix(r"\ud800")) >= 5
    done = run(f"engine.path={path}", "task=custom", f"hydra.run.dir={out}")
    assert done.returncode == 0, done.stderr
    refused = run(f"engine.path={path}", "task=custom", "strategy.k=9", f"hydra.run.dir={out}")
    assert refused.returncode == 1 and r"\x1b" in refused.stderr
    tables = "".join((out / name).read_text() for name in ("table.md", "table.tex", "table.csv", "curve.csv"))
    for text in (shown.stdout, done.stdout, done.stderr, refused.stderr, tables):
        assert not STEERS & set(text)


def test_a_store_is_shown_as_plain_text(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    settings = {"model": EVIL, "engine": {"name": EVIL, "provider": EVIL}, "sampling": {EVIL: EVIL}}
    text = json.dumps(settings)  # lone halves of a character as escapes, as SQLite takes them
    with Store(tmp_path / "s.sqlite") as store:
        asked = Question.from_request(
            encode_canonical(json.loads(text)).replace("\ud800", "\\ud800"), Request((("user", "q"),))
        )
        store.add_answer(asked, 0, Output(text="A"))
    run_store(["show", str(tmp_path / "s.sqlite")])
    shown = capsys.readouterr().out
    assert not STEERS & set(shown) and r"\x1b]0;title" in shown and "[red]b" in shown


@pytest.mark.parametrize("formula", ["=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1"])
def test_a_formula_is_text_in_a_spreadsheet(formula: str, tmp_path) -> None:
    assert defuse_formula(formula) == f"'{formula.strip()}"
    from judgescale.harness.report import files, tables

    (result,) = results(tmp_path)
    evil = replace(result, judge=formula, task=formula, strategy=formula)
    files._write_curve([evil], tmp_path / "curve.csv")
    for text in ((tmp_path / "curve.csv").read_text(), tables.render_csv([evil])):
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert f"'{formula.strip()}" in cells
        assert not [c for c in cells if c[:1] in "=@\t\r" and c or c[:1] in "+-" and len(c) > 1 and not is_number(c)]


def test_numbers_stay_numbers() -> None:
    for number in ("-0.5", "+1.0", "-3", "1e-3", "-"):
        assert defuse_formula(number) == number
    assert defuse_formula(-0.5) == "-0.5" and defuse_formula("plain") == "plain"


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def results(tmp_path):
    import judgescale as js

    path = tmp_path / "set.parquet"
    write_set(path, [hostile_record("j")], {})
    return js.evaluate(str(path))


def test_the_whole_program_writes_controls_in_one_place() -> None:
    """Every other file that tells control characters by their category would be a second rule."""
    using = [p for p in (ROOT / "harness").rglob("*.py") if "unicodedata.category" in p.read_text()]
    assert {p.relative_to(ROOT).as_posix() for p in using} <= {"harness/plain_text.py", "harness/judges/untrusted.py"}
