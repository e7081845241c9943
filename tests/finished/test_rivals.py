"""What a report says of many arms: frontier, budgets, gains, falls, what is not ranked together, what is shown once."""

from __future__ import annotations

import csv
import dataclasses
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refuse, say
from runs import evaluate
from scipy.stats import binom

from judgescale.harness.finished.gathering import gather
from judgescale.harness.finished.report import main
from judgescale.harness.finished.rivals import (
    BEATEN,
    FRONTIER,
    NOT_TOLD,
    choose_for_budget,
    find_falls,
    find_frontier,
    make_groups,
    measure_gains,
)

SIMULATED = runpy.run_path(str(ROOT / "benchmarks/choosing.py"))
make_curve, guess = SIMULATED["make_curve"], SIMULATED["guess"]
KS = SIMULATED["KS"]


def draw_curve(rng: np.random.Generator, name: str, *right: float, items: int = 400):
    """An arm that is right so often at every k."""
    return make_curve(name, np.column_stack([rng.random(items) < p for p in right]).astype(float), KS[: len(right)])


def test_guessers_are_seldom_called_better_and_never_best():
    """Sixteen guessing judges; benchmarks/choosing.py has more sets."""
    rng, sets = np.random.default_rng(7), 40
    claims = [SIMULATED["count_claims"](SIMULATED["make_guessers"](rng, 60, 16)) for _ in range(sets)]
    assert (np.array(claims).sum(axis=0) <= binom.isf(0.001, sets, 0.05)).all()


def test_a_good_judge_beats_guessers_at_its_cost_and_is_the_best():
    rng = np.random.default_rng(1)
    guessers = [make_curve(f"guesser {i}", guess(rng, 300)) for i in range(8)]
    (group,) = make_groups([*guessers, make_curve("good", guess(rng, 300, 0.8))])
    frontier = find_frontier(group, "judgments")
    states = {(group.names[s.curve], s.point.k): s for s in frontier}
    assert all(states["good", k].state == FRONTIER for k in (1, 4, 8))
    assert all(states[f"guesser {i}", k].state == BEATEN for i in range(8) for k in (4, 8))
    assert states["guesser 0", 8].by is not None and group.names[states["guesser 0", 8].by[0]] == "good"
    assert states["good", 1].sure and states["good", 8].sure
    choice = choose_for_budget(group, "judgments", 4)
    assert choice.is_told and group.names[choice.candidates[0].curve] == "good"
    assert choice.candidates[0].point.k == 4 and choice.candidates[0].chance > 0.99


def test_what_is_lower_by_chance_alone_is_not_beaten():
    rng = np.random.default_rng(2)
    credit = guess(rng, 200, 0.7)
    other = credit.copy()
    other[:3, :] = 1 - other[:3, :]
    (group,) = make_groups([make_curve("a", credit), make_curve("b", other)])
    assert {s.state for s in find_frontier(group, "judgments") if s.by} == {NOT_TOLD}
    choice = choose_for_budget(group, "judgments", 8)
    assert not choice.is_told and choice.candidates[1].may_be_best


def test_what_only_the_tie_rule_makes_better_is_not_told_better():
    rng = np.random.default_rng(3)
    lot = rng.integers(0, 2, (300, 1)).astype(float)
    by_rule = np.where(rng.random((300, 1)) < 0.4, 1.0, lot)
    plain = make_curve("plain", lot, (1,))
    lucky = make_curve("lucky", by_rule, (1,), by_lot=np.where(np.arange(300)[:, None] < 150, lot, 1 - lot))
    (group,) = make_groups([plain, lucky])
    states = {group.names[s.curve]: s.state for s in find_frontier(group, "judgments")}
    assert states == {"lucky": FRONTIER, "plain": NOT_TOLD}


def test_a_curve_that_falls_is_flagged_with_its_largest_fall():
    rng = np.random.default_rng(4)
    falling, rising = draw_curve(rng, "falls", 0.6, 0.9, 0.8, 0.65), draw_curve(rng, "rises", 0.6, 0.7, 0.8, 0.9)
    (group,) = make_groups([falling, rising])
    (fall,) = find_falls(group)
    assert group.names[fall.curve] == "falls" and (fall.top.k, fall.end.k) == (2, 8) and fall.p <= 0.05


def test_the_gain_of_a_doubling_is_the_slope_over_log2():
    items = 400
    steps = [np.arange(items) < items * right for right in (0.5, 0.6, 0.7, 0.8)]
    (group,) = make_groups([make_curve("straight", np.column_stack(steps).astype(float))])
    (gain,) = measure_gains(group, "judgments")
    assert np.isclose(gain.slope, 0.1) and gain.interval[0] < 0.1 < gain.interval[1]
    assert measure_gains(group, "tokens") == []  # nobody counted them


def test_an_unknown_cost_is_told_and_a_budget_too_small_buys_nothing():
    rng = np.random.default_rng(5)
    dear = draw_curve(rng, "dear", 0.9)
    points = tuple(dataclasses.replace(p, judgments_per_item=100.0) for p in dear.points)
    (group,) = make_groups([draw_curve(rng, "cheap", 0.6, 0.7), dataclasses.replace(dear, points=points)])
    choice = choose_for_budget(group, "judgments", 1)
    assert [group.names[c.curve] for c in choice.candidates] == ["cheap"] and choice.too_dear == (1,)
    assert not choice.is_told  # the only one is not the best of any
    assert choose_for_budget(group, "judgments", 0.5).candidates == ()
    assert find_frontier(group, "dollars") == []


@pytest.fixture(scope="module")
def runs(composed, tmp_path_factory) -> Path:
    """Runs of several days: one benchmark by two rules, a smaller k, a sample of the items, another benchmark."""
    folder = tmp_path_factory.mktemp("runs")
    pairs = ("task=vicuna80_pairs", "run.draws=20")
    evaluate(composed, folder / "monday" / "voting", *pairs)
    evaluate(composed, folder / "monday" / "smaller", *pairs, "strategy.k=3")
    evaluate(composed, folder / "tuesday" / "again", *pairs)
    evaluate(composed, folder / "tuesday" / "elo", *pairs, "strategy=elo", "run.ks=[1,4]")
    evaluate(composed, folder / "tuesday" / "rule", *pairs, "protocol.tie=zero")
    evaluate(composed, folder / "sample", *pairs, "run.limit=60")
    evaluate(composed, folder / "other", "task=vicuna80_best_of_5", "strategy=knockout", "run.draws=20", "run.ks=[1,4]")
    return folder


def test_runs_of_any_days_are_gathered_each_arm_once(runs):
    gathered = gather([runs])
    assert len(gathered.curves) == 5  # the second voting is the same, and k=3 a point of its curve
    assert any("shown once" in note and "again" in note for note in gathered.notes)
    groups = make_groups(gathered.curves)
    voting = next(c for g in groups for c in g.curves if c.folder.name == "voting")
    assert voting.result.k == 10 and [p.k for p in voting.points] == list(range(1, 11))
    ranked = {c.folder.name: i for i, g in enumerate(groups) for c in g.curves}
    assert ranked["voting"] == ranked["elo"] and len({ranked[n] for n in ("voting", "rule", "sample", "other")}) == 4


def test_what_is_not_ranked_together_says_why(runs, capsys):
    printed = " ".join(say(main, capsys, str(runs), "--budget", "4").split())
    assert "not ranked with the arms above: protocol.tie: half | zero" in printed
    assert "of which 60 are the same" in printed
    assert "for 4 judgments an item" in printed and "a doubling" in printed


def test_the_report_is_written_with_every_point(runs, tmp_path, capsys):
    say(main, capsys, str(runs / "monday"), str(runs / "tuesday" / "elo"), "--out", str(tmp_path / "report"))
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written == {"report.html", "report.md", "report.csv", "report.png", "report.pdf"}
    rows = list(csv.DictReader((tmp_path / "report" / "report.csv").read_text().splitlines()))
    assert {(row["strategy"], row["k"]) for row in rows} == {("voting", str(k)) for k in range(1, 11)} | {
        ("elo", "1"), ("elo", "4"), ("elo", "10")
    }  # fmt: skip
    voting = json.loads((runs / "monday" / "voting" / "summary.json").read_text())
    assert float(next(row for row in rows if row["k"] == "10")["accuracy"]) == voting["headline"]["value"]
    assert {row["state"] for row in rows} <= {FRONTIER, BEATEN, NOT_TOLD}
    assert (tmp_path / "report" / "report.md").read_text().startswith("![accuracy against cost](report.png)")


def test_one_clear_line_for_what_is_no_run(tmp_path, capsys):
    assert "no such folder" in refuse(main, capsys, str(tmp_path / "none"))
    assert "no finished run in it" in refuse(main, capsys, str(tmp_path))
    (tmp_path / "old").mkdir()
    arm = {"judge": "j", "strategy": "s", "task": "t", "signature": "x", "k": 1, "items": 1, "seed": 0}
    (tmp_path / "old" / "summary.json").write_text(json.dumps({"arms": [arm]}))
    assert "an earlier version wrote this run" in refuse(main, capsys, str(tmp_path))
    assert "must be above 0" in refuse(main, capsys, str(tmp_path), "--budget", "0")


def test_means_without_items_are_compared_by_their_intervals_and_with_no_others():
    """As those of suites: what single items earned is in their members' arms only."""
    rng = np.random.default_rng(8)

    def make_mean(name: str, *values: float):
        curve = draw_curve(rng, name, *values)
        points = tuple(
            dataclasses.replace(p, estimate=dataclasses.replace(p.estimate, value=v, ci=(v - 0.03, v + 0.03)))
            for p, v in zip(curve.points, values, strict=True)
        )
        result = dataclasses.replace(curve.result, curve=list(points), headline=points[-1].estimate)
        return dataclasses.replace(curve, result=result, points=points, judged=(None,) * len(points))

    means, items = make_groups([make_mean("low", 0.6, 0.62), make_mean("high", 0.8, 0.81), draw_curve(rng, "c", 0.7)])
    assert items.about == ("of one of them only means are known",)
    states = {(means.names[s.curve], s.point.k): s.state for s in find_frontier(means, "judgments")}
    assert states == {("high", 1): FRONTIER, ("high", 2): FRONTIER, ("low", 1): BEATEN, ("low", 2): BEATEN}
    assert choose_for_budget(means, "judgments", 2).is_told
    assert [gain.interval for gain in measure_gains(means, "judgments")] == [None, None]


def test_nothing_is_left_out_without_a_word(runs, tmp_path, capsys):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "summary.json").write_text("{")
    printed = say(main, capsys, str(runs / "monday" / "voting"), str(tmp_path))
    assert "left out:" in printed and "not the summary.json of a run" in printed
