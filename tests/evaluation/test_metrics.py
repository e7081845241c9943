"""Metrics that are no mean of credits: exact over all subsets, free of the seed, with intervals that hold."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from fakes import arm, judged

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.signature import sign
from judgescale.harness.stats.classification import auc, f1
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Rules
from judgescale.tasks import pandalm, realmistake

RULES = Rules(name="test", tie="zero", failure=0.0, unusable="abstain", order="as_is")


def detections(pools, gold):
    """Lone responses, each with its pool of verdicts; None is unusable."""
    return [
        judged(i, None if v is None else (float(v),), j, (label,), "s")
        for i, (pool, label) in enumerate(zip(pools, gold, strict=True))
        for j, v in enumerate(pool)
    ]


def detect(pools, gold, k, task=None, strategy=Voting):
    return arm(detections(pools, gold), strategy(k), (k,), task or realmistake.task(), RULES)


def draw_pools(rng, items=60, size=6, graded=False):
    """Verdicts, or graded scores, that tell errors from others a little."""
    gold = rng.random(items) < 0.5
    likely = 1 / (1 + np.exp(-(rng.normal(size=items) + 1.2 * gold - 0.6)))
    scores = [rng.normal(p, 0.3, size=size) if graded else rng.random(size) < p for p in likely]
    return [[float(v) for v in pool] for pool in scores], gold


def average_worlds(pools, k, decide, metric):
    """Average a metric over every way to take k of each pool."""
    votes = [[decide(subset) for subset in itertools.combinations(pool, k)] for pool in pools]
    return float(np.mean([metric(np.array(world)) for world in itertools.product(*votes)]))


def take_mean(subset):
    usable = [v for v in subset if v is not None]
    return sum(usable) / len(usable) if usable else 0.5


POOLS = [(1, 0, 1), (0, 0, 1), (1, 1, None), (0, 1, 0), (None, None, 1)]
GOLD = np.array([1, 1, 1, 0, 0], bool)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_f1_and_auc_are_their_means_over_every_world(k):
    by_hand = {
        "f1": average_worlds(POOLS, k, take_mean, lambda votes: f1(GOLD, votes > 0.5)),
        "roc_auc": average_worlds(POOLS, k, take_mean, lambda votes: auc(GOLD, votes)),
    }
    plan = detect(POOLS, GOLD, k)
    result, _ = evaluate(plan)
    for name, value in by_hand.items():
        assert result.sections[name].value == pytest.approx(value, abs=1e-12)
        assert result.sections[name].mc_error == 0
    other, _ = evaluate(dataclasses.replace(plan, seed=7, draws=50))
    assert other.sections["f1"] == result.sections["f1"] and other.sections["roc_auc"] == result.sections["roc_auc"]


def test_macro_f1_is_its_mean_over_every_world():
    pools, gold = [(1, 0, 0), (1, 1, 0.5), (0, 0.5, 0.5), (0.5, 1, 0)], np.array([1, 0, 0.5, 1])
    rows = [
        judged(i, (v, 1 - v), j, (label, 1 - label))
        for i, (pool, label) in enumerate(zip(pools, gold, strict=True))
        for j, v in enumerate(pool)
    ]

    def macro_f1(votes):
        return np.mean([f1(np.sign(gold - 0.5) == c, np.sign(votes) == c) for c in (-1, 0, 1)])

    result, _ = evaluate(arm(rows, Voting(2), (2,), pandalm.task(), RULES))
    by_hand = average_worlds(pools, 2, lambda subset: sum(subset) - 1, macro_f1)
    assert result.sections["macro_f1"].value == pytest.approx(by_hand, abs=1e-12)


def test_what_is_drawn_differs_between_seeds_as_its_error_says():
    plan = detect(*draw_pools(np.random.default_rng(1), size=30, graded=True), 5)
    found = [evaluate(dataclasses.replace(plan, seed=seed, draws=40))[0].sections["roc_auc"] for seed in range(12)]
    spread, said = np.std([e.value for e in found], ddof=1), np.mean([e.mc_error for e in found])
    assert said > 0 and 0.5 < spread / said < 1.7


def test_a_plain_function_is_averaged_over_drawn_worlds():
    pools, gold = draw_pools(np.random.default_rng(2))
    exact = realmistake.task()
    plain = dataclasses.replace(exact, metrics={"f1": lambda gold, said: f1(gold[:, 0] >= 1, said[:, 0] > 0.5)})
    a, b = (evaluate(detect(pools, gold, 3, task))[0].sections["f1"] for task in (exact, plain))
    assert b.mc_error > 0 and abs(a.value - b.value) < 4 * b.mc_error
    assert np.allclose(a.ci, b.ci, atol=0.05)


def test_the_interval_of_auc_covers_and_is_no_wider_than_it_must_be():
    """The truth is the AUC of very many items, judged the same way."""
    rng = np.random.default_rng(3)

    def estimate(items):
        return evaluate(detect(*draw_pools(rng, items), 3))[0].sections["roc_auc"]

    truth = estimate(4000).value
    found = [estimate(60) for _ in range(60)]
    assert 0.88 <= np.mean([e.ci[0] <= truth <= e.ci[1] for e in found]) < 1
    spread = np.std([e.value for e in found])
    assert np.mean([e.ci[1] - e.ci[0] for e in found]) == pytest.approx(2 * 1.96 * spread, rel=0.25)


@pytest.mark.parametrize(("guesses", "verdict"), [(True, "not told apart from a guess"), (False, "above a guess")])
def test_auc_is_held_against_a_guess(guesses, verdict):
    pools, gold = draw_pools(np.random.default_rng(0), 100)
    if guesses:
        gold = np.random.default_rng(1).random(100) < 0.5
    result, _ = evaluate(detect(pools, gold, 5))
    assert any(note.startswith("roc_auc 0.") and verdict in note for note in result.notes)


def test_one_class_alone_has_no_auc():
    found = evaluate(detect(POOLS[:2], [1, 1], 3))[0].sections["roc_auc"]
    assert math.isnan(found.value) and found.ci is None


@pytest.mark.parametrize(("meta", "drawn"), [("logistic", False), ("random", True)])
def test_the_seed_moves_metrics_of_meta_voting_by_what_is_drawn(meta, drawn):
    """Of equal scores any may vote: F1 counts all choices, ROC-AUC draws some."""
    plan = detect(*draw_pools(np.random.default_rng(4), 40), 4, strategy=lambda k: MetaVoting(k, meta=meta))
    found = [evaluate(dataclasses.replace(plan, seed=seed))[0].sections for seed in range(8)]
    assert len({sections["f1"] for sections in found}) == 1 and found[0]["f1"].mc_error == 0
    areas = [sections["roc_auc"] for sections in found]
    spread, said = np.std([e.value for e in areas], ddof=1), np.mean([e.mc_error for e in areas])
    assert 0.4 < spread / said < 2 if drawn else spread == said == 0


def test_draws_are_in_the_signature_where_a_metric_may_need_them():
    plan = detect(POOLS, GOLD, 3)
    assert "|draws:" in sign(plan)
    counts = {name: metric for name, metric in plan.task.metrics.items() if name == "f1"}
    assert "|draws:" not in sign(dataclasses.replace(plan, task=dataclasses.replace(plan.task, metrics=counts)))
