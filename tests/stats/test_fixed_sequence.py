"""Thresholds by fixed-sequence testing: what they promise holds as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from judgescale.harness.stats.fixed_sequence import find_threshold, find_thresholds, is_sure


def test_the_lowest_level_that_passes_and_no_level_after_one_that_fails():
    confidence = np.repeat([1.0, 0.75, 0.5, 0.25], 100)
    right = np.concatenate([np.arange(100) >= wrong for wrong in (2, 8, 60, 0)])
    assert find_threshold(confidence, right, 0.9, 0.1) == 0.75
    assert find_threshold(confidence, right, 0.97, 0.1) == math.inf  # 2 of 100 wrong are not sure to be below 3 %
    assert find_threshold(confidence, np.ones(400, bool), 0.9, 0.1) == 0.25


def test_it_is_the_exact_binomial_test():
    """Twenty-two right in a row show 90 % at a level of 10 %, twenty-one do not."""
    for count, found in ((21, math.inf), (22, 1.0)):
        assert find_threshold(np.ones(count), np.ones(count, bool), 0.9, 0.1) == found
        assert (stats.binomtest(count, count, 0.9, alternative="greater").pvalue <= 0.1) == (found == 1.0)


@pytest.mark.parametrize("delta", [0.1, 0.3])
def test_items_above_it_are_worse_than_the_target_at_most_so_often(delta):
    """Confidence k/8 with a chance to be right that lies at the target for one level: the hardest case."""
    rng = np.random.default_rng(0)
    levels, share = np.arange(1, 9) / 8, np.array([1, 1, 1, 1, 2, 3, 4, 6]) / 19
    chance = np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.88])  # of all at 1.0 .88 is right: below the target of .9
    true = {level: (share * chance)[levels >= level].sum() / share[levels >= level].sum() for level in levels}
    for target in (0.9, 0.85):
        missed, runs = 0, 600
        for _ in range(runs):
            place = rng.choice(8, 200, p=share)
            found = find_threshold(levels[place], rng.random(200) < chance[place], target, delta)
            missed += found != math.inf and true[found] < target
        assert missed / runs <= delta + 3 * math.sqrt(delta * (1 - delta) / runs)


def test_a_judge_is_calibrated_on_what_those_before_it_leave():
    rng = np.random.default_rng(1)
    first = rng.choice([0.5, 1.0], 1000)
    second = np.ones(1000)
    right = np.stack([first == 1, first == 0.5, np.ones(1000, bool)], axis=1)  # the second is right on the rest alone
    found = find_thresholds(np.stack([first, second, second], axis=1), right, 0.9, 0.1)
    assert found == (1.0, 1.0)
    asleep = np.stack([np.full(1000, np.nan), second, second], axis=1)
    assert find_thresholds(asleep, right, 0.9, 0.1)[0] == math.inf
    assert is_sure(np.array([1 / 3 * 3, 0.9]), 1.0).tolist() == [True, False]
