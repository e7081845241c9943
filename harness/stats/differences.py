"""Whether one judge is above another: only where the owner's rules and a lot for every tie both say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from judgescale.harness.stats.intervals import Interval, Rollup, Units
from judgescale.harness.stats.paired import ROUNDING, Paired, compare_columns, compare_paired

Both = tuple[np.ndarray, np.ndarray]  # credits (U,) of the one and of the other


@dataclass(frozen=True)
class Difference:
    """Hold a paired difference by the owner's rules, and with ties broken by lot where that is another one."""

    by_rule: Paired
    by_lot: Paired | None

    @property
    def p(self) -> float | None:
        """Return the p-value of naming a winner, the larger of the two; 1 where they name different ones."""
        if self.by_lot is None or self.by_rule.p is None or self.by_lot.p is None:
            return self.by_rule.p
        same = self.by_rule.gap * self.by_lot.gap > 0
        return max(self.by_rule.p, self.by_lot.p) if same else 1.0


def measure_difference(units: Units, credit: Both, by_lot: Both, headline: Rollup, fitted: bool = False) -> Difference:
    """Measure by how much the first one's headline is above the second's on the same units.

    by_lot: the credits with ties broken by lot, where a guess earns the same however it is made. fitted: whether either
    comes of a model that was fitted to the other clusters of these units.
    """
    same = all(np.allclose(one, other, rtol=0, atol=ROUNDING) for one, other in zip(credit, by_lot, strict=True))
    by_rule = compare_paired(units, *credit, headline, fitted=fitted)
    return Difference(by_rule, None if same else compare_paired(units, *by_lot, headline, fitted=fitted))


def find_ps(
    units: Units, credit: np.ndarray, by_lot: np.ndarray, pairs: np.ndarray, headline: Rollup, fitted: np.ndarray
) -> np.ndarray:
    """Find what `measure_difference` gives as p, (M,), of pairs (M, 2) of P columns of credits; NaN where it has none.

    credit, by_lot: (U, P). fitted: which columns come of a model that was fitted to the other clusters, (P,).
    """
    gap, p = compare_columns(units, credit, pairs, headline, fitted)
    other = ~np.isclose(credit, by_lot, rtol=0, atol=ROUNDING).all(axis=0)
    rows = np.flatnonzero(other[pairs].any(axis=1))
    gap_by_lot, p_by_lot = compare_columns(units, by_lot, pairs[rows], headline, fitted)
    either = np.maximum(p[rows], p_by_lot)
    p[rows] = np.where((gap[rows] * gap_by_lot > 0) | np.isnan(either), either, 1.0)
    return p


def find_side(ci: Interval) -> str:
    """Tell on which side of 0 an interval lies: above or below; empty where it holds 0, or there is none."""
    if ci is None or ci[0] <= ROUNDING and ci[1] >= -ROUNDING:
        return ""
    return "above" if ci[0] > 0 else "below"
