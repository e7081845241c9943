"""Score rows by a ridge logistic regression that leaves out their group: fitted on all others, once for each group.

A fit without one group is close to that of all, so it starts there and takes Newton steps, with the Hessian there less
the group's own part; many groups step at once. Where the steps do not shrink, as with few groups, scikit-learn fits
afresh. Both minimise STRENGTH times the sum of losses plus half the squared norm of the coefficients, of features that
are divided by their standard deviation among the rows fitted on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse, special

STRENGTH = 0.1
STEPS = 12  # that a group may take
PRECISE = 1e-8  # the largest step that is the last, in coefficients of the divided features
CELLS = 2**23  # numbers in an array: so many groups step at once


def score_left_out(x: sparse.csr_matrix, label: np.ndarray, usable: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Score every row by its log-odds of the label: (N,), 0 where the usable rows of other groups are all of one label.

    x: features (N, d). label, usable: (N,) booleans. group: (N,) whole numbers from 0.
    """
    scores, size = np.zeros(len(label)), int(group.max()) + 1
    labelled, others = (np.bincount(group[rows], minlength=size) for rows in (usable & label, usable & ~label))
    able = np.flatnonzero((labelled < labelled.sum()) & (others < others.sum()))
    if not len(able):
        return scores
    first = _make_model().fit(x[usable], label[usable])
    start = np.append(first[1].coef_[0] / first[0].scale_, first[1].intercept_)
    x1 = sparse.hstack([x, np.ones((len(label), 1))], format="csr")
    for block in np.array_split(able, -(-len(able) * max(len(label), x1.shape[1] ** 2) // CELLS)):
        coefficients, arrived = _leave_out(x1, label, usable, group, block, start)
        for number, found, done in zip(block, coefficients, arrived, strict=True):
            own, rest = group == number, usable & (group != number)
            scores[own] = x1[own] @ found if done else _make_model().fit(x[rest], label[rest]).decision_function(x[own])
    return scores


def _make_model() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(with_mean=False), LogisticRegression(C=STRENGTH, solver="newton-cholesky"))


def _leave_out(
    x1: sparse.csr_matrix,
    label: np.ndarray,
    usable: np.ndarray,
    group: np.ndarray,
    block: np.ndarray,
    start: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Step from the fit of all to those without each of G groups: (G, d + 1), and which of them arrived, (G,).

    x1: the features and a last one that is 1 everywhere.
    """
    odds = special.expit(x1 @ start)
    bend = x1.multiply((STRENGTH * usable * odds * (1 - odds))[:, None]).tocsr()
    inside = [np.flatnonzero(usable & (group == number)) for number in block]
    penalty = _measure_variances_of_others(x1, usable, inside)
    hessian = penalty[:, :, None] * np.eye(x1.shape[1]) + (x1.T @ bend).toarray()
    hessian -= np.stack([(x1[own].T @ bend[own]).toarray() for own in inside])
    unit = np.sqrt(np.where(penalty > 0, penalty, 1))
    found, going = np.tile(start, (len(block), 1)), np.arange(len(block))
    for _ in range(STEPS):
        error = special.expit(x1 @ found[going].T) - label[:, None]
        error[(group[:, None] == block[going]) | ~usable[:, None]] = 0
        slope = STRENGTH * (x1.T @ error).T + penalty[going] * found[going]
        step = np.linalg.solve(hessian[going], slope[..., None])[..., 0]
        found[going] -= step
        going = going[~(np.abs(step * unit[going]).max(axis=1) < PRECISE)]
        if not len(going):
            break
    return found, ~np.isin(np.arange(len(block)), going)


def _measure_variances_of_others(x1: sparse.csr_matrix, usable: np.ndarray, inside: list[np.ndarray]) -> np.ndarray:
    """Measure the features' variances among the usable rows but each group's: (G, d + 1), 1 where nothing varies.

    The last feature's is 0: the intercept is not penalised.
    """
    first, second = x1[usable], x1[usable].power(2)
    number = usable.sum() - np.array([[len(own)] for own in inside])
    mean = (first.sum(axis=0).A1 - np.stack([x1[own].sum(axis=0).A1 for own in inside])) / number
    square = (second.sum(axis=0).A1 - np.stack([x1[own].power(2).sum(axis=0).A1 for own in inside])) / number
    variance = square - mean**2
    variance = np.where(variance <= 1e-12 * square, 1.0, variance)
    variance[:, -1] = 0
    return variance
