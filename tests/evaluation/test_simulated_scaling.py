"""experiment=grm_scaling on judges whose curve is known: it finds the curve, and none where there is none."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from conftest import run
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom
from simulated_judges import SimulatedJudge, draw_trusted_votes, expect_credit, make_records, write_simulated_set

GRM = SimulatedJudge(accuracy=0.7, correlation=0.4, margins=(1, 2, 3), ties=0.1, signal=0.8)
KS = (1, 8, 32)


def covers(ci, value):
    """Whether an interval of three standard errors holds a value: one of 95 % misses it for every twentieth seed."""
    low, high = ci
    return abs(value - (low + high) / 2) <= 1.5 * (high - low) / 2


def go(folder, *more):
    """One run of the experiment on recorded sets: its arms, its headline's curves, and what it printed."""
    done = run("experiment=grm_scaling", "judge=recorded", "run.ks=[1,2,4,8,16,32]", f"hydra.run.dir={folder}", *more)
    assert done.returncode == 0, done.stderr
    arms = json.loads((folder / "summary.json").read_text())["arms"]
    with (folder / "curve.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["section"] == "overall"]
    return arms, rows, done


def read_curve(rows, strategy, task="rewardbench"):
    """Accuracy and interval by k."""
    curve = {}
    for row in rows:
        if (row["strategy"], row["task"]) == (strategy, task):
            curve[int(row["k"])] = float(row["accuracy"]), (float(row["ci_low"]), float(row["ci_high"]))
    return curve


def list_differences(arms):
    """What was said of one arm beside another."""
    return [note for arm in arms for note in arm["notes"] if " points, 95 % interval" in note]


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    """The experiment on RewardBench in its official sizes, 32 samples a pair."""
    folder = tmp_path_factory.mktemp("simulated")
    path = write_simulated_set(folder / "set.parquet", GRM)
    return go(folder / "out", "task=rewardbench", f"engine.path={path}")


def test_the_judge_is_what_it_says_it_is():
    records = list(make_records(GRM, {"x": 2000}, 20, seed=1))
    lead = np.array([dict(zip(r.judgment.shown, r.judgment.scores)) for r in records], dtype=object)
    right = [1.0 if r.gold[0] else -1.0 for r in records]
    lead = np.array([(s[0] - s[1]) * sign for s, sign in zip(lead, right, strict=True)]).reshape(2000, 20)
    assert {score for r in records for score in r.judgment.scores} == set(map(float, range(1, 11)))
    assert (lead == 0).mean() == pytest.approx(GRM.ties, abs=0.01)
    assert (lead > 0).sum() / (lead != 0).sum() == pytest.approx(GRM.accuracy, abs=0.02)
    full = np.array(
        [
            dict(zip(r.judgment.shown, r.judgment.scores))
            for r in make_records(SimulatedJudge(0.7, 0.4), {"x": 4000}, 2, 1)
        ]
    )
    wins = np.array([s[0] > s[1] for s in full]).reshape(4000, 2)
    wins[::2] = ~wins[::2]  # whose second response is right
    assert np.corrcoef(wins.T)[0, 1] == pytest.approx(0.4, abs=0.04)


@given(st.floats(0.2, 0.9), st.floats(0.05, 0.9), st.integers(1, 32), st.sampled_from((0.0, 0.5, 1.0)))
@settings(max_examples=50, deadline=None)
def test_the_theory_of_votes_is_the_beta_binomial_with_the_tie_rule(accuracy, correlation, k, tie):
    judge = SimulatedJudge(accuracy, correlation)
    wins = betabinom(k, *judge.beta)
    known = wins.sf(k // 2) + (tie * wins.pmf(k // 2) if k % 2 == 0 else 0.0)
    assert expect_credit(judge, k, tie) == pytest.approx(known, abs=1e-6)


def test_its_curve_is_the_one_that_theory_says(scaled):
    """A tie earns 1/2, as RewardBench's owners have it."""
    arms, rows, _ = scaled
    votes = read_curve(rows, "voting")
    assert set(KS) < set(votes) and all(arm["items"] == 2985 for arm in arms)
    theory = {k: expect_credit(GRM, k, 0.5) for k in votes}
    assert theory[1] + 0.02 < theory[8] < theory[32]
    for k, (_, (low, high)) in votes.items():
        assert covers((low, high), theory[k]) and high - low < 0.04
    assert not covers(votes[1][1], expect_credit(GRM, 1, 0.0))  # had a tie earned nothing


def test_its_meta_rm_is_worth_what_its_signal_says(scaled):
    _, rows, _ = scaled
    votes, meta = read_curve(rows, "voting"), read_curve(rows, "meta_voting")
    for k in (8, 32):
        value, interval = meta[k]
        assert covers(interval, draw_trusted_votes(GRM, k, k // 2, 0.5))
        assert value > votes[k][0] + 0.02


def test_its_table_has_the_papers_shape(scaled):
    """Rows for voting @1, @8, @32 and the meta RM @8, @32; the greedy one takes a live judge, and that is said."""
    arms, rows, done = scaled
    assert [(arm["strategy"], arm["k"]) for arm in arms] == [("voting", 32), ("meta_voting", 32)]
    assert set(KS) <= set(read_curve(rows, "voting")) and {8, 32} <= set(read_curve(rows, "meta_voting"))
    assert set(arms[0]["sections"]) == {"Chat", "Chat Hard", "Safety", "Reasoning"}
    (told,) = [line for line in done.stderr.splitlines() if "left out" in line]
    arm = "[strategy=single, strategy.k=1, judge.sampling.temperature=0]"
    assert told == f"left out, since recorded judgments are drawn already: {arm}"


@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_a_guessers_curve_is_flat_and_it_is_never_above(tmp_path, correlation):
    """Whether each sample is a guess of its own, or an item's samples guess alike."""
    guesser = SimulatedJudge(0.5, correlation, margins=(1, 2), ties=0.1)
    path = write_simulated_set(tmp_path / "set.parquet", guesser, subsets=dict.fromkeys(("hep-go", "donotanswer"), 150))
    more = ("task=rewardbench", f"engine.path={path}", "meta=none")
    arms, rows, _ = go(tmp_path / "out", *more)
    for strategy in ("voting", "meta_voting"):
        curve = read_curve(rows, strategy)
        assert list(curve) == [1, 2, 4, 8, 16, 32]
        assert all(covers(interval, 0.5) and covers(interval, curve[1][0]) for _, interval in curve.values())
    differences = list_differences(arms)
    assert len(differences) >= 2 and not any("above" in told for told in differences)
    assert expect_credit(guesser, 32, 0.5) == pytest.approx(0.5)


def test_a_judge_that_scales_is_above_where_a_guesser_is_not(scaled):
    arms, *_ = scaled
    assert sum(told.endswith(": above") for told in list_differences(arms)) >= 2


def test_all_four_benchmarks_and_their_mean_from_recorded_sets(tmp_path):
    """Each benchmark has a judge of its own accuracy; the mean of the four is that of the theories."""
    shapes = {
        "rewardbench": {"alpacaeval-easy": 60, "mt-bench-hard": 60, "donotanswer": 60, "hep-go": 60},
        "ppe_preference": {"": 240},
        "ppe_correctness": {f"{name}/m": 60 for name in ("MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval")},
        "rmb": {"Helpfulness/x": 120, "Harmlessness/x": 120},
    }
    ties = {"rewardbench": 0.5, "ppe_preference": 0.0, "ppe_correctness": 0.0, "rmb": 0.0}  # what a tie earns
    judges = {name: SimulatedJudge(0.6 + 0.05 * i, 0.3, signal=0.5) for i, name in enumerate(shapes)}
    sets = [
        f"task.sets.{name}="
        + str(write_simulated_set(tmp_path / f"{name}.parquet", judges[name], name, subsets, seed=i))
        for i, (name, subsets) in enumerate(shapes.items())
    ]
    arms, rows, _ = go(tmp_path / "out", *sets)
    means = [(arm["strategy"], arm["k"]) for arm in arms if arm["task"] == "grm_four_suite"]
    assert means == [("voting", 32), ("meta_voting", 32)]
    curve = read_curve(rows, "voting", "grm_four_suite")
    for k in KS:
        assert covers(curve[k][1], np.mean([expect_credit(judges[name], k, ties[name]) for name in shapes]))
