"""Adjusted p-values: Holm's by its definition as a closed test, and what both promise."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from judgescale.harness.stats.multiple import adjust_benjamini_hochberg, adjust_holm

P = st.lists(st.floats(0, 1), min_size=1, max_size=7)


@settings(deadline=None)
@given(P)
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    groups = [group for size in range(1, len(p) + 1) for group in combinations(range(len(p)), size)]
    closed = [max(min(1.0, len(g) * min(p[j] for j in g)) for g in groups if i in g) for i in range(len(p))]
    assert adjust_holm(p) == pytest.approx(closed)


@settings(deadline=None)
@given(P)
def test_benjamini_and_hochberg_never_ask_for_more_than_holm(p: list[float]) -> None:
    found = adjust_benjamini_hochberg(p)
    assert found == pytest.approx(list(stats.false_discovery_control(p)))
    for raw, fdr, holm in zip(p, found, adjust_holm(p), strict=True):
        assert raw - 1e-12 <= fdr <= holm + 1e-12


def test_what_was_not_tested_counts_for_none() -> None:
    assert adjust_holm([0.03, None, 0.02]) == [0.04, None, 0.04]
    assert adjust_benjamini_hochberg([0.03, None, 0.02]) == [0.03, None, 0.03]
    assert adjust_holm([None]) == adjust_benjamini_hochberg([None]) == [None] and adjust_holm([]) == []
