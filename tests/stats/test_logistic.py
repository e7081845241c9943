"""Fits that leave one group out, against scikit-learn's on the other groups' rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from judgescale.harness.stats import logistic
from judgescale.harness.stats.logistic import score_left_out


def draw(groups, per=30, seed=0):
    """A measure, a constant, two kinds, and a kind that one group has for itself and that tells its label."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), per)
    kind = rng.integers(2, size=len(group))
    length = rng.normal(6, 2, size=len(group))
    x = np.column_stack([length, np.full(len(group), 8.3), kind == 0, kind == 1, group == 0]).astype(float)
    label = rng.random(len(group)) < 1 / (1 + np.exp(6 - length - kind))
    label[(group == 0) & (rng.random(len(group)) < 0.5)] = True
    return sparse.csr_matrix(x), label, rng.random(len(group)) < 0.9, group


@pytest.mark.parametrize("groups", [2, 3, 7, 60])
def test_scores_are_those_of_a_fit_on_the_other_groups(groups):
    x, label, usable, group = draw(groups)
    found = score_left_out(x, label, usable, group)
    for one in range(groups):
        rest = usable & (group != one)
        model = make_pipeline(StandardScaler(with_mean=False), LogisticRegression(C=0.1, tol=1e-10, max_iter=1000))
        expected = model.fit(x[rest], label[rest]).decision_function(x[group == one])
        assert found[group == one] == pytest.approx(expected, abs=1e-4)


def test_many_groups_step_and_do_not_fall_back(monkeypatch):
    """However few step at once; the labels of a group do not matter to its own scores."""
    x, label, usable, group = draw(60)
    found = score_left_out(x, label, usable, group)
    monkeypatch.setattr(logistic, "CELLS", 5000)
    assert score_left_out(x, label, usable, group) == pytest.approx(found, abs=1e-9)
    monkeypatch.setattr(logistic, "STEPS", 0)
    assert score_left_out(x, label, usable, group) == pytest.approx(found, abs=1e-3)
    monkeypatch.undo()
    other = np.where(group == 5, ~label, label)
    assert score_left_out(x, other, usable, group)[group == 5] == pytest.approx(found[group == 5], abs=1e-6)


def test_where_the_others_are_all_alike_nothing_is_told_apart():
    x, _, usable, group = draw(4)
    assert (score_left_out(x, np.ones(len(group), bool), usable, group) == 0).all()
    found = score_left_out(x, group == 2, usable, group)
    assert (found[group == 2] == 0).all() and (found[group != 2] != 0).all()
    assert (score_left_out(x, group == 2, np.zeros(len(group), bool), group) == 0).all()
