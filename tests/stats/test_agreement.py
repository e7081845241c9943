"""Kappa against its definitions: Fleiss' textbook formula, scikit-learn's Cohen, and every relabelling written out."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from judgescale.harness.stats.agreement import Agreement, measure_agreement

# Fleiss' data as Wikipedia prints it: 10 items, 14 raters, 5 classes; kappa 0.210
COUNTS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def fleiss(counts: np.ndarray) -> float:
    """The textbook formula: counts (items, classes), as many raters for every item."""
    n = counts[0].sum()
    alike = ((counts**2).sum(axis=1) - n) / (n * (n - 1))
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return float((alike.mean() - chance) / (1 - chance))


def of_samples(answers: np.ndarray) -> Agreement:
    """One rater's several answers, (items, samples), of classes that mean the same in every item."""
    items, samples = answers.shape
    classes = int(answers.max()) + 1
    found = measure_agreement(
        np.repeat(np.arange(items), samples), np.zeros(answers.size, int), answers.ravel(), answers.ravel(),
        np.ones(classes), np.zeros(classes, int), across=False,
    )  # fmt: skip
    assert found
    return found


def of_raters(answers: np.ndarray) -> Agreement:
    """(items, raters), one answer each."""
    items, raters = answers.shape
    classes = int(answers.max()) + 1
    found = measure_agreement(
        np.repeat(np.arange(items), raters), np.tile(np.arange(raters), items), answers.ravel(), answers.ravel(),
        np.ones(classes), np.zeros(classes, int), across=True,
    )  # fmt: skip
    assert found
    return found


def without_names(answers: np.ndarray, responses: int) -> Agreement:
    """One rater's answers, (items, samples), each a response whose number means nothing across items."""
    items, samples = answers.shape
    found = measure_agreement(
        np.repeat(np.arange(items), samples), np.zeros(answers.size, int), answers.ravel(),
        np.zeros(answers.size, int), np.array([float(responses)]), np.zeros(1, int), across=False,
    )  # fmt: skip
    assert found
    return found


def test_the_example_that_fleiss_printed():
    counts = np.array(COUNTS)
    answers = np.array([np.repeat(np.arange(5), row) for row in counts])
    assert of_samples(answers).kappa == pytest.approx(fleiss(counts)) == pytest.approx(0.210, abs=5e-4)


tables = st.integers(2, 4).flatmap(
    lambda samples: st.lists(
        st.lists(st.integers(0, 2), min_size=samples, max_size=samples), min_size=2, max_size=12
    ).map(np.array)
)


@given(tables)
@settings(deadline=None)
def test_samples_are_fleiss_and_two_raters_are_cohen(answers: np.ndarray) -> None:
    found = of_samples(answers)
    if found.kappa is None:
        assert len(np.unique(answers)) == 1
        return
    counts = np.array([np.bincount(row, minlength=3) for row in answers])
    assert found.kappa == pytest.approx(fleiss(counts)) and -1 - 1e-9 <= found.kappa <= 1
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    pair = of_raters(answers[:, :2])
    if pair.kappa is not None:
        assert pair.kappa == pytest.approx(cohen_kappa_score(answers[:, 0], answers[:, 1]))
        assert -1 - 1e-9 <= pair.kappa <= 1


@given(tables)
@settings(deadline=None)
def test_without_names_it_is_fleiss_over_all_relabellings(answers: np.ndarray) -> None:
    every = np.concatenate([np.array(names)[answers] for names in permutations(range(3))])
    counts = np.array([np.bincount(row, minlength=3) for row in every])
    found = without_names(answers, 3)
    assert found.kappa == pytest.approx(fleiss(counts))
    # and no relabelling of a single item's responses moves it
    moved = answers.copy()
    moved[0] = (moved[0] + 1) % 3
    assert without_names(moved, 3).kappa == pytest.approx(found.kappa)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=9), st.integers(2, 5))
def test_all_who_agree_have_one(right: list[int], samples: int) -> None:
    answers = np.tile(np.array(right)[:, None], samples)
    assert without_names(answers, 3).kappa == pytest.approx(1)
    found = of_samples(answers)
    assert found.raw == 1 and (found.kappa is None or found.kappa == pytest.approx(1))


def test_who_guesses_has_none_and_one_answer_tells_nothing():
    rng = np.random.default_rng(0)
    guesses = rng.integers(3, size=(4000, 4))
    assert abs(without_names(guesses, 3).kappa or 1) < 0.02 and abs(of_raters(guesses).kappa or 1) < 0.02
    one = np.arange(5)
    ones = np.ones(5)
    assert measure_agreement(one, one * 0, one * 0, one * 0, ones[:1], one[:1], across=False) is None


def test_the_influence_tells_the_variance():
    """Over many samples of items kappa varies as its influence says, within a tenth."""
    rng = np.random.default_rng(1)

    def draw() -> Agreement:
        hard = rng.random(300) < 0.4
        answers = np.where(rng.random((300, 3)) < np.where(hard, 0.6, 0.95)[:, None], 0, 1)
        return of_samples(answers)

    found = [draw() for _ in range(400)]
    told = np.mean([(one.influence**2).sum() / 300**2 / (1 - one.chance) ** 2 for one in found])
    assert told == pytest.approx(np.var([one.kappa for one in found]), rel=0.2)
