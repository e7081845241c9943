"""F1 and ROC-AUC against scikit-learn's, their expectations against all worlds, and what moves them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from judgescale.harness.stats.classification import (
    CountMetric,
    RankMetric,
    auc,
    count_successes,
    f1,
    f1_of_counts,
    find_metric_interval,
    precision_of_counts,
    recall_of_counts,
)
from judgescale.harness.stats.intervals import Units

METRICS = [
    CountMetric(lambda gold, said: [(gold[:, 0] == c, said[:, 0] == c) for c in (0, 1)], measure)
    for measure in (f1_of_counts, precision_of_counts, recall_of_counts)
] + [RankMetric(lambda gold: gold[:, 0] >= 1, lambda said: said[:, 0])]
RANDOM = st.lists(  # label, and how likely the decisions 0, 1 and 2 are
    st.tuples(st.booleans(), st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any)), min_size=2, max_size=6
)


def flatten(rows):
    """Gold, and flat decisions: item, weight, what is said."""
    gold = np.array([[float(label)] for label, _ in rows])
    weight = np.concatenate([np.array(w) / sum(w) for _, w in rows])
    return gold, np.repeat(np.arange(len(rows)), 3), weight, np.tile([[0.0], [1.0], [2.0]], (len(rows), 1))


@settings(deadline=None)
@given(RANDOM)
def test_expectations_are_means_over_all_worlds(rows):
    gold, item, weight, said = flatten(rows)
    for metric in METRICS:
        if isinstance(metric, RankMetric) and len(set(gold[:, 0])) < 2:
            continue
        by_hand = sum(
            np.prod([weight[3 * i + d] for i, d in enumerate(world)]) * metric(gold, np.array(world, float)[:, None])
            for world in itertools.product(range(3), repeat=len(rows))
        )
        found = metric.expect(gold, item, weight, said)
        assert found.value == pytest.approx(by_hand, abs=1e-12)
        assert found.influence.sum() == pytest.approx(0, abs=1e-6)


def test_influences_and_slopes_are_what_small_changes_do():
    rng = np.random.default_rng(0)
    gold, likely = (rng.random((400, 1)) < 0.4).astype(float), rng.random(400)
    item, weight, said = (
        np.repeat(np.arange(400), 2),
        np.column_stack([likely, 1 - likely]).ravel(),
        rng.random((800, 1)),
    )
    said = np.round(said * 2)
    for metric in METRICS:
        found = metric.expect(gold, item, weight, said)
        twice = np.concatenate([item, [400, 400]])  # the first item once more
        again = metric.expect(
            np.vstack([gold, gold[:1]]), twice, np.concatenate([weight, weight[:2]]), np.vstack([said, said[:2]])
        )
        assert again.value - found.value == pytest.approx(found.influence[0], rel=0.05, abs=2e-5)
        moved = weight.copy()
        moved[:2] += 0.01, -0.01
        change = metric.expect(gold, item, moved, said).value - found.value
        assert change == pytest.approx(0.01 * (found.slope[0] - found.slope[1]), rel=0.05, abs=1e-6)


@given(st.lists(st.floats(0, 1), max_size=9))
def test_successes_of_unequal_events(likely):
    numbers, shares = count_successes(np.array(likely))
    by_hand = np.zeros(len(likely) + 1)
    for world in itertools.product((0, 1), repeat=len(likely)):
        by_hand[sum(world)] += np.prod([p if happens else 1 - p for p, happens in zip(likely, world)])
    assert np.zeros(len(by_hand)) + np.bincount(numbers, shares, len(by_hand)) == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("items", [10, 40])
def test_a_perfect_metric_is_no_certainty(items):
    units = Units(np.full(items, ""), np.arange(items).astype(str), np.ones(items))
    low, high = find_metric_interval(units, 1.0, np.zeros(items))
    assert high == 1 and 0.6 < low < 0.93
    assert find_metric_interval(Units(units.section, np.full(items, "one"), units.weight), 0.7, np.zeros(items)) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_f1_and_auc_are_scikit_learns(rows):
    label, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    assert f1(label, score > 1) == pytest.approx(f1_score(label, score > 1, zero_division=0.0))
    if 0 < label.sum() < len(label):
        assert auc(label, score) == pytest.approx(roc_auc_score(label, score))
    else:
        assert math.isnan(auc(label, score))


def estimate_interval(metric, gold, said):
    found = metric.expect(gold, np.arange(len(gold)), np.ones(len(gold)), said)
    units = Units(np.full(len(gold), ""), np.arange(len(gold)).astype(str), np.ones(len(gold)))
    return find_metric_interval(units, found.value, found.influence, found.trials)


@pytest.mark.parametrize(("items", "positive"), [(50, 0.5), (50, 0.2), (200, 0.1)])
def test_the_interval_of_an_auc_near_one_holds_the_truth(items, positive):
    """Placements alone held it in 86 to 90 %."""
    rng, lead, inside = np.random.default_rng(0), 2.2, []
    truth = 0.9401  # of normal scores that lead by 2.2 standard deviations
    for _ in range(300):
        gold = (rng.random((items, 1)) < positive).astype(float)
        low, high = estimate_interval(METRICS[-1], gold, rng.normal(size=(items, 1)) + lead * gold)
        inside.append(low <= truth <= high)
    assert np.mean(inside) >= 0.93


def test_a_perfect_f1_of_few_is_surer_of_nothing_than_these_few():
    """4 of 20 items are labelled: the other 16, which nobody called wrong, say nothing."""
    gold = np.repeat([[1.0], [0.0]], [4, 16], axis=0)
    detection = CountMetric(lambda gold, said: [(gold[:, 0] >= 1, said[:, 0] >= 1)], f1_of_counts)
    low, high = estimate_interval(detection, gold, gold.copy())
    assert high == 1 and low < 0.72
    more = np.repeat([[1.0], [0.0]], [40, 16], axis=0)
    assert 0.9 < estimate_interval(detection, more, more.copy())[0] < 1
