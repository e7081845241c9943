"""judgescale published: find, show, curve, audit."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from judgescale.harness.command import run_command
from judgescale.harness.published.__main__ import main
from judgescale.harness.published.curves import list_curves
from judgescale.harness.published.find import find_printed, name_judges
from judgescale.harness.published.lists import FOLDER, Row, read_printed
from judgescale.harness.published.show import choose_metric, list_columns, tabulate_benchmark
from judgescale.harness.types import JudgescaleError

GRM = "DeepSeek-GRM-27B"


def find(**asked: str | list[str]) -> list[tuple[Row, str]]:
    return find_printed(read_printed(), {name: [w] if isinstance(w, str) else w for name, w in asked.items()})


def test_a_name_means_itself_or_else_what_contains_it() -> None:
    assert {row.model for row, _ in find(judge="deepseek grm_27b")} == {GRM}
    assert {row.model for row, _ in find(judge="grm-27b")} >= {GRM, "DeepSeek-GRM-27B-RFT"}
    assert {row.benchmark for row, _ in find(benchmark="rewardbench 1")} == {"RewardBench"}
    assert {row.model for row, _ in find(judge=["RRM-7B", "rrm-32b"])} == {"RRM-7B", "RRM-32B"}


def test_numbers_are_found_by_how_they_were_made() -> None:
    asked = {"judge": GRM, "benchmark": "RewardBench", "section": "overall"}
    assert {text for _, text in find(**asked, strategy="voting", k="32")} == {"88.5"}
    assert {text for _, text in find(**asked, strategy="greedy")} == {"86.0"}
    assert {text for _, text in find(**asked, k=["8", "32"], strategy="meta voting", source="tables 3/6")} == {"89.8"}
    assert {row.status for row, _ in find(judge=GRM, status="figure")} == {"figure-readoff-secondary"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"judge": "DeepSeek-GRM-28B"}, "did you mean DeepSeek-GRM-2"),
        ({"benchmark": "rewerdbench"}, "did you mean RewardBench"),
        ({"judge": GRM, "benchmark": "RewardBench", "k": "3"}, "there are 1, 4, 8, 32"),
        ({"judge": GRM, "benchmark": "JudgeBench"}, f"with judge {GRM};"),
    ],
)
def test_a_word_that_nothing_fits_names_what_there_is(asked: dict[str, str], told: str) -> None:
    with pytest.raises(JudgescaleError) as error:
        find(**asked)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_table_has_of_each_cell_the_best_trusted_number() -> None:
    found = find(benchmark="RewardBench 2")
    columns = list_columns(found)
    assert columns == ["Overall", "Factuality", "PreciseIF", "Math", "Safety", "Focus", "Ties"]
    listed = tabulate_benchmark(found, columns)
    lines = {line.judge: line for line in listed}
    assert lines["Skywork-Reward-V2-Llama-3.1-8B"].cells[:2] == ("84.13", "84.63")  # two names, two sources, one line
    assert "Skywork/Skywork-Reward-V2-Llama-3.1-8B" not in lines
    values = [line.value for line in listed]
    assert values == sorted(values, reverse=True)


def test_marks_tell_what_is_disputed_or_recalled() -> None:
    found = find(benchmark="RewardBench", source=["Table 8", "recalled"])
    lines = {line.judge: line for line in tabulate_benchmark(found, list_columns(found))}
    assert lines["DeepSeek-BTRM-27B"].cells[0] == "81.7!"
    assert lines["RRM-7B"].cells[1].endswith("?") and lines["JudgeLM-33B"].cells[0] == "72.3!?"


def test_a_name_two_organisations_have_is_two_judges() -> None:
    row = find(judge=GRM, k="32")[0][0]
    alone = [(row._replace(model=name), "1") for name in ("a/x", "x")]
    assert set(name_judges(alone).values()) == {"x"}
    assert set(name_judges([*alone, (row._replace(model="b/x"), "1")]).values()) == {"a/x", "x", "b/x"}


def test_a_curve_is_one_strategy_over_k() -> None:
    found = find(judge=GRM, benchmark="RewardBench", section="overall", metric="accuracy", status="confirmed")
    curves = {curve.name: [(row.k, row.value) for row in curve.rows] for curve in list_curves(found)}
    assert curves["voting"] == [(1, 0.852), (8, 0.877), (32, 0.885)]
    assert curves["meta voting, half of k vote"] == [(8, 0.898), (32, 0.904)]
    assert curves["greedy"] == [(1, 0.86)] and curves["meta voting, 1 of 32 vote"] == [(32, 0.885)]
    assert choose_metric(found) == "accuracy"


def test_curves_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["curve", GRM, "rewardbench", "--out", str(tmp_path / "new")])
    png, pdf = tmp_path / "new" / f"{GRM}-RewardBench.png", tmp_path / "new" / f"{GRM}-RewardBench.pdf"
    assert png.stat().st_size > 10_000 and pdf.stat().st_size > 5_000
    assert capsys.readouterr().out.splitlines() == [f"wrote {png}", f"wrote {pdf}"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["curve", "DeepSeek-PairRM-27B", "RewardBench"], "no strategy was printed at two k; there is voting at k=1"),
        (["curve", "skywork", "RewardBench"], "skywork: which one? there are Skywork"),
        (["show", "rewardbenc"], "which one? there are Plan-RewardBench, RewardBench, RewardBench2"),
        (["show", "RewardBench", "--top", "-1"], "--top -1: choose a number of lines"),
        (["find"], "say which numbers: --judge, --benchmark, …; benchmarks are"),
        (["find", "--judge", GRM, "--csv", "/nowhere/x.csv"], "/nowhere/x.csv"),
    ],
)
def test_what_the_caller_can_mend_is_one_line(arguments: list[str], told: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert told in str(stopped.value) and str(stopped.value).startswith("error: ")
    assert len(str(stopped.value).splitlines()) == 1


def test_the_commands_print(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(
        ["published", "find", "--judge", GRM, "--benchmark", "RewardBench", "--k", "32", "--section", "overall"]
    )
    out = capsys.readouterr().out
    assert "voting@32" in out and "arXiv 2504.02495v3 Table 8" in out and "confirmed" in out
    run_command(["published", "show", "PandaLM", "--top", "2"])
    out = capsys.readouterr().out
    assert "more lines: --top 0" in out and "other metrics: --metric macro_f1" in out
    run_command(["published", "audit"])
    out = capsys.readouterr().out
    assert "exchanged with the headline of" in out and "with prior sets: --all" in out
    run_command(["published", "audit", "--all"])
    assert "with the prior sets" in capsys.readouterr().out


def test_files_hold_what_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["find", "--benchmark", "RMB", "--csv", str(tmp_path / "rmb.csv")])
    with (FOLDER / "paperA_deepseek_grm.csv").open(encoding="utf-8") as file:
        theirs = [row | {"items": ""} for row in csv.DictReader(file) if row["benchmark"] == "RMB"]
    with (tmp_path / "rmb.csv").open(encoding="utf-8") as file:
        ours = [row for row in csv.DictReader(file) if row["source"].startswith("arXiv 2504")]
    assert sorted(map(str, theirs)) == sorted(map(str, ours))
    main(["show", "RMB", "--csv", str(tmp_path / "table.csv")])
    main(["audit", "--csv", str(tmp_path / "audit.csv")])
    assert (tmp_path / "audit.csv").read_bytes() == (FOLDER / "audit" / "findings.csv").read_bytes()
    assert len(capsys.readouterr().out.splitlines()) == 3
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert header[:3] == ["judge", "how", "Overall"]
