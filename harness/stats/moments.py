"""Between which two values voting@k must lie, whatever the items are like: bounds from a pilot's moments.

How often k0 judgments of an item are so many right, tied and wrong is linear in how the items are distributed over
their chances of the three; without ties these shares are the moments E[p], ..., E[p^k0] (arXiv 2605.03379 bounds every
k by the first two). Voting@k is linear in the same distribution, so the largest and the smallest value that agrees with
the pilot is a linear programme, here on a grid. Nothing is assumed but that an item's judgments are independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from judgescale.harness.stats.forecast import VotePilot, count_cells, make_grid, vote_at, weigh_cells

MOMENTS = 6  # of a longer pilot, the first so many bound
SLACK = 2.0  # standard errors by which the pilot's shares may be off, each


def bound_votes(pilot: VotePilot, ks: Sequence[float], slack: float = SLACK) -> np.ndarray:
    """Bound voting@k for K values of k: (K, 2), the lowest and the highest value that agrees with the pilot.

    slack: how many standard errors over clusters each of the pilot's shares may be off. Items whose tied votes earn
    differently are bounded apart.
    """
    weight, found = pilot.weight / pilot.weight.sum(), np.zeros((len(ks), 2))
    cells = count_cells(pilot, min(pilot.size, MOMENTS))
    for tie in np.unique(pilot.tie):
        rows = pilot.tie == tie
        part = weight[rows] / weight[rows].sum()
        share = part @ cells[rows]
        cluster = np.unique(pilot.cluster[rows], return_inverse=True)[1].reshape(-1)
        off = part[:, None] * (cells[rows] - share)
        of_cluster = np.array([np.bincount(cluster, column) for column in off.T])
        # a cell that no item fell in may hold as many as one more item would
        error = np.sqrt((of_cluster**2).sum(axis=1) + (np.bincount(cluster, part) ** 2).sum() ** 2)
        found += weight[rows].sum() * bound_mixture(share, slack * error, min(pilot.size, MOMENTS), ks, float(tie))
    return found


def bound_mixture(share: np.ndarray, slack: np.ndarray, order: int, ks: Sequence[float], tie: float) -> np.ndarray:
    """Bound voting@k over all mixtures whose cells of `order` judgments are `share`, give or take `slack`: (K, 2).

    A grid cannot meet shares exactly, so where no mixture on it does, the slack is widened to the least that one needs.
    """
    points = make_grid(decided=41, tied=17 if share[_has_ties(order)].any() else 1)
    likelihood = weigh_cells(points, order).T  # (cells, G)
    widened = slack + _find_least_slack(likelihood, share, slack)
    sides = np.concatenate([likelihood, -likelihood])
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


def _find_least_slack(likelihood: np.ndarray, share: np.ndarray, slack: np.ndarray) -> float:
    """Find by how much the slack of all cells must grow for some mixture on the grid to meet them."""
    points = likelihood.shape[1]
    more = -np.ones((len(share), 1))
    sides = np.concatenate([np.hstack([likelihood, more]), np.hstack([-likelihood, more])])
    limits = np.concatenate([share + slack, slack - share])
    cost = np.append(np.zeros(points), 1.0)
    whole = np.append(np.ones(points), 0.0)[None]
    solved = optimize.linprog(cost, sides, limits, whole, np.ones(1), method="highs")
    return max(float(solved.fun), 0.0) + 1e-9 if solved.success else 1.0


def _has_ties(order: int) -> np.ndarray:
    """Tell which cells hold a tied judgment."""
    return np.array([tied > 0 for right in range(order + 1) for tied in range(order + 1 - right)])
