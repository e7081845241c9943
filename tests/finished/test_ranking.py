"""The leaderboard: ranks that hold at once, all pairs, and printed numbers that have no rank."""

from __future__ import annotations

import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from runs import Compose, evaluate
from scipy.stats import binom

from judgescale.harness import command
from judgescale.harness.finished.ceilings import mark_above, read_ceiling
from judgescale.harness.finished.comparing import compare_arms
from judgescale.harness.finished.leaderboard import describe_marks, list_rows, main
from judgescale.harness.finished.ranking import find_rank_intervals, rank_arms
from judgescale.harness.finished.reading import read_choices
from judgescale.harness.types import JudgescaleError

SIMULATED = runpy.run_path(str(ROOT / "benchmarks/compare.py"))


@pytest.fixture(scope="module")
def llmbar(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluate(composed, tmp_path_factory.mktemp("runs") / "llmbar", "experiment=llmbar")


@pytest.fixture(scope="module")
def scalar(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluate(composed, tmp_path_factory.mktemp("runs") / "scalar", "experiment=rewardbench2_scalar")


def test_ranks_of_ten_judges(llmbar: Path) -> None:
    arms = read_choices([str(llmbar)])
    found = rank_arms(arms)
    values = [place.value for place in found.places]
    assert len(values) == 10 and values == sorted(values, reverse=True)
    assert all(place.best <= number <= place.worst for number, place in enumerate(found.places, 1))
    assert {(place.best, place.worst) for place in found.places if "GPT-4" in place.arm.judge} == {(1, 5)}
    assert min(place.best for place in found.places if "ChatGPT" in place.arm.judge) == 6
    np.testing.assert_allclose(found.gap, np.subtract.outer(values, values), atol=1e-12)
    # as `compare` says of two of them, but for the number of pairs that is granted
    first, last = found.places[0].arm, found.places[-1].arm
    (one,) = compare_arms([last, first])
    assert one.headline.difference.by_rule.gap == pytest.approx(found.gap[0, -1])
    assert one.headline.difference.p <= found.p[0, -1] <= 45 * one.headline.difference.p


def test_a_rank_is_lost_only_to_those_that_are_told_apart() -> None:
    gap = np.array([[0.0, 0.1, 0.3], [-0.1, 0.0, 0.2], [-0.3, -0.2, 0.0]])
    p = np.array([[np.nan, 0.2, 0.01], [0.2, np.nan, 0.06], [0.01, 0.06, np.nan]])
    best, worst = find_rank_intervals(gap, p)
    assert best.tolist() == [1, 1, 2] and worst.tolist() == [2, 3, 3]


def test_printed_numbers_stand_among_them_without_a_rank(scalar: Path) -> None:
    found = rank_arms(read_choices([str(scalar)]))
    rows = list_rows(found, 0.8)
    printed = [row for row in rows if row[1].startswith("printed: ")]
    assert len(printed) > 5 and all(row[0] == row[2] == row[4] == "" for row in printed)
    values = [float(row[3]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert [row[1].endswith(" ^") for row in rows if row[0]] == [True, False]  # 84.0 and 78.3


def test_the_command_line(scalar: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.run_command(["leaderboard", str(scalar), "--ceiling", "0.8", "--out", str(tmp_path / "out")])
    out = capsys.readouterr().out
    assert "2 arms" in out and "^ above the ceiling of 80.0" in out and "+5.7*" in out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["leaderboard.csv", "leaderboard.json", "leaderboard.md"]
    told = json.loads((tmp_path / "out/leaderboard.json").read_text())
    with (tmp_path / "out/leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["above_ceiling"] for row in rows if row["rank"]] == ["True", "False"]
    assert len(told["rows"]) == len(rows) and told["pairs"][0]["told_apart"]


def test_what_cannot_be_ranked(llmbar: Path, scalar: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(JudgescaleError, match=r"task: llmbar@1 \| rewardbench2@1"):
        rank_arms(read_choices([f"{llmbar}:1", str(scalar)]))
    for wrong, told in (([f"{llmbar}:1"], "two arms or more"), ([str(llmbar), "--ceiling=7"], "--ceiling 7")):
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        assert told in str(stopped.value) and capsys.readouterr().out == ""


def test_judges_above_the_annotators_are_marked(
    composed: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of Vicuna80's five judges three agree with two annotators more often than a third one does."""
    folder = evaluate(composed, tmp_path / "run", "task=vicuna80_pairs", "judge.pool=false")
    found = rank_arms(read_choices([str(folder)]))
    marked = {place.arm.judge for place, row in zip(found.places, list_rows(found, None)) if row[1].endswith(" ^")}
    assert marked == {"gpt4", "gpt35", "claude"}
    (note,) = describe_marks(found, None)
    assert "(71.9, on the same votes)" in note and "by itself no sign of fitted noise" in note
    main([str(folder), "--out", str(tmp_path / "out")])
    assert "^ agrees with the majority of an item's other annotators" in capsys.readouterr().out
    rows = json.loads((tmp_path / "out/leaderboard.json").read_text())["rows"]
    assert [row["above_ceiling"] for row in rows] == [True, True, True, False, False]
    assert rows[0]["ceiling"] == pytest.approx(0.7186, abs=1e-4) and rows[0]["most_expected"] > 0.87
    # the one that is given has the last word, and another k than the headline's has none
    given = [row[1].endswith(" ^") for row in list_rows(found, 0.775)]
    assert (
        given == [True, False, False, False, False] and "above the ceiling of 77.5" in describe_marks(found, 0.775)[0]
    )
    at_one = rank_arms(read_choices([f"{folder}:{number}@1" for number in (1, 2)]))
    assert all(place.arm.ceiling is None for place in at_one.places)


def test_above_a_perfect_judge_is_another_mark() -> None:
    entry = {
        "judge": {"value": 0.98},
        "one_against_others": {"value": 0.9, "judge": {"value": 0.97}},
        "model": {"perfect_judge": {"highest": 0.95}},
    }
    assert mark_above(0.5, read_ceiling(entry)) == "^^"
    assert mark_above(0.5, read_ceiling(entry | {"model": None})) == "^"
    assert (
        mark_above(
            0.99, read_ceiling(entry | {"one_against_others": {"value": 0.9, "judge": {"value": 0.9}}, "model": None})
        )
        == ""
    )
    for damaged in (None, [], {"one_against_others": {"value": "high"}}, {"one_against_others": 1}):
        assert read_ceiling(damaged) is None


def scenario(name: str) -> object:
    return next(one for one in SIMULATED["list_scenarios"]() if one.name == name)


def is_near(share: float, trials: int, low: float, high: float) -> bool:
    """Whether a share of so many trials may be that of a chance between low and high."""
    return binom.ppf(1e-4, trials, low) / trials <= share <= binom.ppf(1 - 1e-4, trials, high) / trials


@pytest.mark.parametrize("name", ["1,000 items, right or wrong, 30% differ", "1,000 items, votes of fractions"])
def test_size_and_power_are_what_is_said(name: str) -> None:
    trials = 200
    assert is_near(SIMULATED["measure_size"](scenario(name), trials), trials, 0.04, 0.06)
    assert is_near(SIMULATED["measure_power"](scenario(name), trials)[0], trials, 0.75, 0.85)


def test_who_guesses_does_not_win_by_the_tie_rule() -> None:
    made = SIMULATED["Scenario"](
        "", SIMULATED["make_units"](np.arange(300)), "items", SIMULATED["draw_guessers"](300, 0.36)
    )
    rng = np.random.default_rng(0)
    found = [SIMULATED["compare"](made, rng, 0.0) for _ in range(200)]
    assert np.mean([one.by_rule.p <= 0.05 for one in found]) > 0.95
    assert is_near(np.mean([one.p <= 0.05 for one in found]), 200, 0.0, 0.05)


def test_one_false_row_of_a_table_is_rare_after_holm() -> None:
    before, after = SIMULATED["measure_family"](6, 150, 120)
    assert before > 0.12 and is_near(after, 120, 0.0, 0.05)


def test_rank_intervals_hold_at_once() -> None:
    held, wide = SIMULATED["measure_ranks"](np.repeat([0.6, 0.8], 3), 300, 40)
    assert is_near(held, 40, 0.95, 1.0) and wide < 4
