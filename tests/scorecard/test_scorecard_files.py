"""Scorecards as they are read: on a terminal, in Markdown, LaTeX and CSV, left by runs and filled by the command."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, refuse, run, say
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from latex import compile_latex, find_latex, measure_latex
from made_up import GRM, measure, row
from rich.console import Console

from judgescale.harness import runner
from judgescale.harness.plan.overrides import compose_config
from judgescale.harness.published.lists import Row
from judgescale.harness.scorecard.__main__ import main
from judgescale.harness.scorecard.card import Scorecard, fill_table
from judgescale.harness.scorecard.layout import arrange, lay_out
from judgescale.harness.scorecard.render import render_csv, render_latex, render_markdown
from judgescale.harness.scorecard.show import show_scorecard
from judgescale.harness.types import JudgescaleError

HOSTILE = "[bold]a_b & 100% $x$ #1 {c} \\d|e ~^<f>[/bold]\x1b[31m\x07"
TABLE_2 = {"source": ["arXiv 2504.02495v3 Table 2"]}


@pytest.fixture(autouse=True)
def no_hydra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process compose configs of their own."""
    monkeypatch.delitem(Singleton._instances, GlobalHydra, raising=False)


def small_card() -> Scorecard:
    """One line of each verdict, and a cell that was printed twice."""
    ours = [
        measure(86.0),
        measure(85.2, again=(0.84, 0.865), strategy="voting", k=8),
        measure(80.0, again=(0.79, 0.81), strategy="voting", k=32),
        measure(61.0, benchmark="RMB"),
        measure(88.0, benchmark="RMB", strategy="voting", k=8, why_not="a sample of the items (run.limit=50)"),
    ]
    printed: list[tuple[Row, str]] = [
        (row(), "86.0"),
        (row(value=62.0, benchmark="RMB"), "62.0"),
        (row(value=86.0, strategy="voting", k=8), "86.0"),
        (row(value=87.7, strategy="voting", k=8, source="another"), "87.7"),
        (row(value=88.0, strategy="voting", k=8, benchmark="RMB"), "88.0"),
        (row(value=88.5, strategy="voting", k=32), "88.5"),
        (row(value=70.3, strategy="voting", k=32, benchmark="RMB", status="confirmed, disputed"), "70.3"),
    ]
    return fill_table(arrange(printed, "A paper, Table 2", "benchmark"), ours)


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def show(card: Scorecard, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    show_scorecard(card, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


WIDE = """\
| judge | how | RewardBench | RMB |
| --- | --- | --- | --- |
| DeepSeek-GRM-27B |  | 86.0= (86.0) | 61.0~ (62.0) |
| DeepSeek-GRM-27B | voting@8 | 85.2≈±1.3 (86.0+) | 88.0× (88.0) |
| DeepSeek-GRM-27B | voting@32 | 80.0≠ (88.5) | – (70.3!) |
"""


def test_markdown_begins_with_the_table_of_the_paper() -> None:
    text = render_markdown(small_card())
    assert text.startswith("### A paper, Table 2, Overall, accuracy\n\n" + WIDE)
    for mark in "–=≈≠~×+!":
        assert f"\n- {mark} " in text
    rows = [line for line in text.splitlines() if line.startswith("| DeepSeek")][3:]
    assert len(rows) == 7
    assert "| 85.2 | 86.0 | -0.8 | \\[84.0, 86.5\\] | agrees: within what judging the same items again gives" in text
    assert "| 88.0 | 88.0 |  |  | not comparable: a sample of the items (run.limit=50) |" in text


def test_marks_that_no_cell_has_are_not_explained() -> None:
    text = render_markdown(fill_table(arrange([(row(), "86.0")], "t", "benchmark"), []))
    assert re.findall(r"^- (.*)", text, re.MULTILINE) == ["measured (printed), percent", "– not run"]


def test_csv_is_the_long_form() -> None:
    rows = read_csv(render_csv(small_card()))
    assert len(rows) == 7
    agrees = rows[2]
    wanted = {"measured": "85.2", "printed": "86.0", "difference": "-0.8", "again_low": "84", "again_high": "86.5",
              "verdict": "agrees", "in_cell": "yes", "run": "run", "k": "8"}  # fmt: skip
    assert wanted.items() <= agrees.items() and rows[3]["in_cell"] == "no"
    assert [r["verdict"] for r in rows] == [
        "agrees", "cannot tell", "agrees", "differs", "not comparable", "differs", "",
    ]  # fmt: skip
    assert rows[-1]["measured"] == rows[-1]["difference"] == ""


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_shows_all_of_it_in_any_width(width: int) -> None:
    for card in (small_card(), fill_table(lay_out(TABLE_2), [])):
        text = show(card, width)
        assert max(map(len, text.splitlines())) <= width
        for entry in card.entries:
            assert not entry.shown or f"({entry.printed[1]}" in text
    assert "85 printed cells, 85 not run" in text


def test_the_terminal_says_why() -> None:
    text = " ".join(show(small_card(), 120).split())
    assert "not comparable: a sample of the items (run.limit=50) (DeepSeek-GRM-27B, voting@8: RMB)" in text
    assert "differs: outside what judging the same items again gives, [79.0, 81.0] (DeepSeek-GRM-27B, voting@32" in text
    assert "6 printed cells, 2 agrees, 1 differs, 1 cannot tell, 1 not comparable, 1 not run" in text


def test_of_a_long_table_the_terminal_shows_the_lines_that_were_run() -> None:
    table = lay_out({"benchmark": ["RewardBench"], "section": ["Overall"], "metric": ["accuracy"]})
    text = show(fill_table(table, [measure(86.0, temperature=0.0)]), 120)
    assert len(table.lines) > 100 and f"{GRM}, greedy" in text and "Claude" not in text
    assert f"{len(table.lines) - 2} more lines, in none of which anything was run" in text


@pytest.fixture(params=["small", "table 2", "hostile", "long"])
def card(request: pytest.FixtureRequest) -> Scorecard:
    if request.param == "small":
        return small_card()
    if request.param == "table 2":
        return fill_table(lay_out(TABLE_2), [measure(86.0, temperature=0.0)])
    if request.param == "long":
        return fill_table(lay_out({"benchmark": ["RewardBench2"], "metric": ["accuracy"]}), [])
    printed = [(row(HOSTILE, note=HOSTILE), "86.0"), (row("=cmd()", benchmark=HOSTILE), "7")]
    ours = [measure(86.1, HOSTILE, HOSTILE, unknown=HOSTILE), measure(9.0, "=cmd()", benchmark=HOSTILE)]
    return fill_table(arrange(printed, HOSTILE, "benchmark"), ours)


def test_latex_is_legible(card: Scorecard, tmp_path: Path) -> None:
    text = render_latex(card)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") >= 2
    for table in re.findall(r"\\begin{table}.*?\\end{table}", text, re.DOTALL):
        widths = measure_latex(table)
        assert widths and max(widths) <= 345, widths  # points: \linewidth of the class article
    if find_latex():
        said = compile_latex(text, tmp_path)
        assert "Overfull" not in said and "Float too large" not in said


def test_hostile_names_stay_text() -> None:
    printed = [(row(HOSTILE), "86.0"), (row("=cmd()", source="=cmd()"), "87.0")]
    ours = [measure(86.0, HOSTILE, "=cmd()"), measure(87.0, "=cmd()", HOSTILE)]
    card = fill_table(arrange(printed, HOSTILE, "benchmark"), ours)
    texts = [render_markdown(card), render_latex(card), render_csv(card), show(card, 100)]
    assert not any("\x1b[31m" in text or "\x07" in text for text in texts)
    markdown, latex, table, screen = texts
    assert r"\[bold\]a_b & 100% $x$ #1 {c} \\d\|e ~^\<f\>" in markdown
    assert r"a\_b \& 100\% \$x\$ \#1 \{c\} \textbackslash{}d\textbar{}e" in re.sub(r"\\allowbreak{}", "", latex)
    assert read_csv(table)[1]["judge"] == "'=cmd()"
    assert "[bold]" in screen.replace("\n", "")


# ---------------------------------------------------------------------------------------------- runs and the command


EXPERIMENT = """\
# @package _global_
defaults:
  - override /task: rewardbench2
  - override /strategy: single
engine:
  path: results/recorded/rewardbench2_scalar.parquet
scorecard:
  title: A table of our own
  printed: {benchmark: RewardBench2, judge: [Skywork-Reward-V2-Qwen3]}
  columns: section
  judges: [skywork_reward_v2_8b]
"""
QWEN = "Skywork-Reward-V2-Qwen3-8B"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config folder of one's own with one experiment, and runs of it: alone, and as a sweep."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "conf/experiment").mkdir(parents=True)
    (folder / "conf/experiment/mine.yaml").write_text(EXPERIMENT)
    given, sweep = (
        ("--config-dir", f"{folder}/conf", "experiment=mine"),
        [f"hydra.sweep.dir={folder}/sweep", "seed=0,1"],
    )
    for name, more in {"run": [f"hydra.run.dir={folder}/run"], "sweep": sweep}.items():
        done = run(*["-m"] * (name == "sweep"), *given, *more)
        assert done.returncode == 0, done.stderr
        (folder / f"said-{name}.txt").write_text(done.stdout)
    return folder


def test_a_run_leaves_its_scorecard_and_shows_it(own: Path) -> None:
    said = (own / "said-run.txt").read_text()
    assert "A table of our own, RewardBench2, accuracy" in said and "scorecard.{md,tex,csv}" in said
    assert {p.suffix for p in (own / "run").glob("scorecard.*")} == {".md", ".tex", ".csv"}
    assert not list((own / "run").glob(".draft*"))
    rows = read_csv((own / "run/scorecard.csv").read_text())
    assert {(r["judge"], r["section"]) for r in rows if r["verdict"] == "agrees"} >= {(QWEN, "Ties"), (QWEN, "Math")}
    assert all(r["verdict"] in ("agrees", "cannot tell", "") for r in rows)
    assert {r["judge"] for r in rows if r["verdict"]} == {QWEN}


def test_a_sweep_has_one_over_all_its_jobs(own: Path) -> None:
    assert len(list((own / "sweep").glob("*/scorecard.md"))) == 2
    assert (own / "said-sweep.txt").read_text().count("A table of our own") == 1
    rows = read_csv((own / "sweep/scorecard.csv").read_text())
    (ties,) = (r for r in rows if r["judge"] == QWEN and r["section"] == "Ties")
    assert ties["run"] == "sweep:2" and ties["other_runs"] == "also 72.94 in sweep:4"


def test_the_command_fills_the_table_of_an_experiment(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = ("mine", "--config-dir", f"{own}/conf")
    empty = say(main, capsys, *mine)
    assert "A table of our own" in empty and "–" in empty and "agrees" not in empty
    filled = say(main, capsys, *mine, f"{own}/run", "--out", f"{own}/out")
    assert "72.94= (72.94)" in filled
    ours, theirs = ((own / place / "scorecard.csv").read_text() for place in ("out", "run"))
    assert ours.replace(f"{own}/run", "run") == theirs
    one = say(main, capsys, *mine, f"{own}/run:1")  # the other judge
    assert "72.94=" not in one


def test_the_command_takes_words_and_recorded_sets(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--benchmark", "PandaLM", "--judge", "PandaLM-7B")
    text = say(main, capsys, *words, str(ROOT / "results/recorded/pandalm.parquet"))
    assert "66.77= (66.77" in text and "57.43= (57.43" in text and "4 printed cells, 4 agrees" in text
    table = say(main, capsys, *words)
    assert "– (66.77" in table and "4 not run" in table


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "say which printed table"),
        (["nosuch"], "experiment=nosuch: no such choice"),
        (["tour"], "experiment=tour: has no scorecard"),
        (["--benchmark", "RewardBenc", "--k", "33"], "k 33: nobody printed such a number"),
        (["--benchmark", "PandaLM", "nowhere"], "nowhere: no such folder"),
        ([str(ROOT)], "a file or folder where an experiment's name"),
    ],
)
def test_what_the_caller_can_mend_is_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line in refuse(main, capsys, *arguments)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("scorecard=5", "scorecard=5: must be null or hold title, printed, columns, judges"),
        ("+scorecard.rows=5", "scorecard.rows: no such option"),
        ("scorecard={title: x}", "scorecard.printed=None: say which numbers"),
        ("scorecard={printed: {benchmrk: x}}", "scorecard.printed.benchmrk: no such option"),
        ("scorecard={printed: {benchmark: [[x]]}}", "scorecard.printed.benchmark=[['x']]: must be a word"),
        ("scorecard={printed: {benchmark: x y z}}", "scorecard.printed: benchmark x y z: nobody printed"),
        ("scorecard={printed: {benchmark: RMB}, columns: judge}", "scorecard.columns=judge: choose benchmark"),
        ("scorecard={printed: {benchmark: RMB}, judges: [nosuch]}", "scorecard.judges: judge=nosuch"),
        ("scorecard={printed: {benchmark: RMB}, judges: rrm_7b}", "scorecard.judges=rrm_7b: must be a list"),
    ],
)
def test_a_block_that_says_nothing_usable_is_refused_before_any_work(
    given: str, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def plan(cfg: Any) -> list[Any]:
        raise AssertionError("planned")

    monkeypatch.setattr(runner, "plan_arms", plan)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose_config([given])
        with pytest.raises(JudgescaleError) as error:
            runner.run([cfg], tmp_path / "run")
    assert str(error.value).startswith(line) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_run_of_no_printed_benchmark_is_one_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = own / "old/summary.json"
    summary.parent.mkdir()
    text = (own / "run/summary.json").read_text()
    summary.write_text(text.replace('"comparable"', '"was"'))
    assert "an earlier version wrote it" in refuse(main, capsys, "--benchmark", "PandaLM", str(summary.parent))
    summary.write_text(re.sub(r'"again_unknown": "[^"]*",', "", text))
    assert "not one that a run writes" in refuse(main, capsys, "--benchmark", "PandaLM", str(summary.parent))
