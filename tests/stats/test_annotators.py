"""How well labels can be agreed with: the models against simulation, and both ends against any mixture of items."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.stats.annotators import (
    bound_right_label,
    expect_agreement,
    expect_equal,
    expect_right_label,
    find_majority,
    fit_annotator,
)


def simulate(p: np.ndarray, annotators: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return how often two annotators agree and the majority is the likeliest answer, over items with a majority.

    p: (items, classes), how likely each answer is; the first is the likeliest.
    """
    said = (rng.random((len(p), annotators, 1)) > np.cumsum(p, axis=1)[:, None, :-1]).sum(axis=2)
    counts = np.array([(said == c).sum(axis=1) for c in range(p.shape[1])]).T
    top = counts.max(axis=1)
    labelled = (counts == top[:, None]).sum(axis=1) == 1
    pairs = (counts * (counts - 1)).sum(axis=1) / (annotators * (annotators - 1))
    return float(pairs[labelled].mean()), float((counts[labelled].argmax(axis=1) == 0).mean())


@pytest.mark.parametrize(("classes", "annotators", "p"), [(2, 3, 0.8), (3, 3, 0.7), (3, 5, 0.6)])
def test_the_even_model_is_what_it_says(classes: int, annotators: int, p: float) -> None:
    rng = np.random.default_rng(0)
    rows = np.tile([p, *[(1 - p) / (classes - 1)] * (classes - 1)], (40_000, 1))
    agreement, right = simulate(rows, annotators, rng)
    assert expect_agreement(p, annotators, classes) == pytest.approx(agreement, abs=0.01)
    assert expect_right_label(p, annotators, classes) == pytest.approx(right, abs=0.01)
    assert fit_annotator(expect_agreement(p, annotators, classes), annotators, classes) == pytest.approx(p)


def test_three_who_are_right_four_times_of_five() -> None:
    assert expect_right_label(0.8, 3, 2) == pytest.approx(0.8**3 + 3 * 0.8**2 * 0.2)
    assert expect_equal(0.8, 0.896, 2) == pytest.approx(0.8 * 0.896 + 0.2 * 0.104)
    assert bound_right_label(0.9, 3, 2) == pytest.approx(0.9)  # a fifth of the items are tossed coins
    assert fit_annotator(1.0, 3, 3) == 1.0 and fit_annotator(0.0, 3, 2) == 0.5
    assert expect_right_label(1.0, 3, 3) == bound_right_label(1.0, 3, 3) == 1.0


shares = st.integers(2, 4).flatmap(
    lambda classes: st.lists(
        st.lists(st.floats(0.0, 1.0), min_size=classes, max_size=classes).filter(lambda row: sum(row) > 0.1),
        min_size=1,
        max_size=4,
    )
)


@given(shares, st.integers(3, 5))
@settings(deadline=None, max_examples=150)
def test_every_mixture_of_items_lies_between_the_two_ends(rows: list[list[float]], annotators: int) -> None:
    p = -np.sort(-np.array(rows) / np.sum(rows, axis=1, keepdims=True), axis=1)
    classes = p.shape[1]
    agreed = right = labelled = 0.0
    for row in p:
        for votes in np.ndindex(*[classes] * annotators):
            counts = Counter(votes).most_common()
            if len(counts) > 1 and counts[0][1] == counts[1][1]:
                continue
            chance = float(np.prod(row[list(votes)]))
            labelled += chance
            right += chance * (counts[0][0] == 0)
            agreed += chance * sum(c * (c - 1) for _, c in counts) / (annotators * (annotators - 1))
    agreement, right = agreed / labelled, right / labelled
    highest = expect_right_label(fit_annotator(agreement, annotators, classes), annotators, classes)
    assert bound_right_label(agreement, annotators, classes) - 1e-9 <= right <= highest + 1e-9


def test_a_majority_or_none() -> None:
    assert find_majority([1, 2, 1], split=0) == 1 and find_majority([1, 2], split=0) == 0
