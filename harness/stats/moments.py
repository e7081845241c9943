"""Between which two values voting@k must lie, whatever the items are like: bounds from a pilot's moments.

How often k0 judgments of an item are so many right, tied and wrong is linear in how the items are distributed over
their chances of the three; without ties these shares are the moments E[p], ..., E[p^k0] (arXiv 2605.03379 bounds every
k by the first two). Voting@k is linear in the same distribution, so the largest and the smallest value that agrees with
the pilot is a linear programme, here on a grid. Nothing is assumed but that an item's judgments are independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from judgescale.harness.stats.forecast import (
    TIED,
    VotePilot,
    count_cells,
    list_cells,
    make_grid,
    measure_votes,
    vote_at,
    weigh_cells,
)

MOMENTS = 6  # of a longer pilot, the first so many bound
ROUNDING = 1e-6  # the least slack, which the solver's own rounding needs
LEVEL = 0.95  # how surely all that the pilot tells is within its slack at once (Bonferroni)


def bound_votes(pilot: VotePilot, ks: Sequence[float], level: float = LEVEL) -> np.ndarray:
    """Bound voting@k for K values of k: (K, 2), the lowest and the highest value that agrees with the pilot.

    The pilot's shares of cells, and its voting@1, voting@2, … as far as they go, may be off by as many standard errors
    over clusters as hold all of them at this level. Items whose tied votes earn differently are bounded apart.
    """
    weight, found = pilot.weight / pilot.weight.sum(), np.zeros((len(ks), 2))
    order = min(pilot.size, MOMENTS)
    cells = count_cells(pilot, order)
    for tie in np.unique(pilot.tie):
        rows = pilot.tie == tie
        part = weight[rows] / weight[rows].sum()
        told = cells[rows] @ list_constraints(order, float(tie)).T
        share = part @ told
        cluster = np.unique(pilot.cluster[rows], return_inverse=True)[1].reshape(-1)
        off = part[:, None] * (told - share)
        of_cluster = np.array([np.bincount(cluster, column) for column in off.T])
        one_more = (np.bincount(cluster, part) ** 2).sum()  # a cell that no item fell in may hold one all the same
        error = np.sqrt((of_cluster**2).sum(axis=1) + one_more**2)
        slack = stats.norm.ppf(1 - (1 - level) / (2 * len(share))) * error
        found += weight[rows].sum() * bound_mixture(share, slack, order, ks, float(tie))
    return found


def list_constraints(order: int, tie: float) -> np.ndarray:
    """List what a pilot of `order` judgments tells, as sums of shares of its cells: each cell, and voting@1 … order."""
    cells = list_cells(order)
    votes = [vote_in_cells(cells, k, tie) for k in range(1, order + 1)]
    return np.concatenate([np.eye(len(cells)), votes])


def vote_in_cells(cells: np.ndarray, k: int, tie: float) -> np.ndarray:
    """Compute what k judgments out of each cell's earn by majority, (cells,)."""
    pilot = VotePilot(cells, np.full(len(cells), tie), np.ones(len(cells)), np.arange(len(cells)))
    return measure_votes(pilot, [k])[k]


def bound_mixture(share: np.ndarray, slack: np.ndarray, order: int, ks: Sequence[float], tie: float) -> np.ndarray:
    """Bound voting@k over all mixtures that meet `list_constraints(order, tie)`, give or take `slack`: (K, 2).

    share, slack: one a constraint. Where no mixture on the grid meets them, because it is a grid or because the pilot's
    items are few, the slack grows by twice the least that one needs.
    """
    has_ties = bool(share[: len(list_cells(order))][list_cells(order)[:, TIED] > 0].any())
    points = make_grid(decided=41, tied=17 if has_ties else 1)
    told = list_constraints(order, tie) @ weigh_cells(points, order).T  # (constraints, G)
    widened = slack + 2 * _find_least_slack(told, share, slack)
    sides = np.concatenate([told, -told])
    limits = np.concatenate([share + widened, widened - share])
    whole, one = np.ones((1, len(points))), np.ones(1)
    found = []
    for k in ks:
        right, tied = vote_at(points, k)
        credit = right + tie * tied
        ends = []
        for sign in (1, -1):
            solved = optimize.linprog(sign * credit, sides, limits, whole, one, method="highs")
            ends.append(sign * solved.fun if solved.success else (0.0, 1.0)[sign < 0])
        found.append(ends)
    return np.clip(np.array(found), 0, 1)


def _find_least_slack(told: np.ndarray, share: np.ndarray, slack: np.ndarray) -> float:
    """Find by how much the slack must grow for some mixture on the grid to meet all constraints."""
    points = told.shape[1]
    more = -np.ones((len(share), 1))
    sides = np.concatenate([np.hstack([told, more]), np.hstack([-told, more])])
    limits = np.concatenate([share + slack, slack - share])
    cost = np.append(np.zeros(points), 1.0)
    whole = np.append(np.ones(points), 0.0)[None]
    solved = optimize.linprog(cost, sides, limits, whole, np.ones(1), method="highs")
    return max(float(solved.fun), ROUNDING) if solved.success else 1.0
