"""Kish's effective number of votes, and the correlation of errors that it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.stats.effective_votes import correlate_within, count_effective_votes


def test_equal_votes_are_one_and_independent_ones_all():
    assert count_effective_votes(8, 1) == 1 and count_effective_votes(8, 0) == 8
    assert count_effective_votes(9, 0.4375) == pytest.approx(2)
    assert count_effective_votes(2, -1) == math.inf


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 6), st.floats(0, 0.9), st.integers(0, 99))
def test_it_is_how_much_less_a_mean_varies(votes, shared, seed):
    """The variance of one vote over that of the mean of all, where all vary alike."""
    rng = np.random.default_rng(seed)
    items = 20_000
    common, own = rng.normal(size=(items, 1)), rng.normal(size=(items, votes))
    errors = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    group, kind = np.repeat(np.arange(items), votes), np.zeros(items * votes, int)
    found = correlate_within(errors.ravel(), group, kind)
    assert found == pytest.approx(shared, abs=0.05)
    assert count_effective_votes(votes, found) == pytest.approx(errors.var() / errors.mean(axis=1).var(), rel=0.01)


def test_with_one_row_of_each_kind_it_is_the_mean_correlation_whatever_their_levels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)) * [1, 5, 0.1] + rng.normal(size=(50, 1)) + [0, 9, -3]
    pairs = np.corrcoef(x.T)[np.triu_indices(3, 1)]
    group, kind = np.repeat(np.arange(50), 3), np.tile(np.arange(3), 50)
    assert correlate_within(x.ravel(), group, kind) == pytest.approx(pairs.mean())


def test_what_never_varies_or_stands_alone_tells_nothing():
    one = np.array([1.0, 0.0, 1.0, 0.0])
    assert correlate_within(one, np.arange(4), np.zeros(4, int)) is None  # no two of a group
    assert correlate_within(np.ones(4), np.array([0, 0, 1, 1]), np.zeros(4, int)) is None
    assert correlate_within(one, np.zeros(4, int), np.zeros(4, int)) is None  # one group only
    always_right = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    assert correlate_within(always_right, np.array([0, 0, 1, 1, 2, 2]), np.tile([0, 1], 3)) is None
