"""Whether one arm is above another: only where the owner's rules and a lot for every tie both say so."""

from __future__ import annotations

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.credits import Credits
from judgescale.harness.rounding import write_points
from judgescale.harness.stats.differences import find_side, measure_difference
from judgescale.harness.stats.intervals import Interval


def is_fitted(strategy: Strategy) -> bool:
    """Tell whether a strategy's decisions come of a model that was fitted to the other items of the set."""
    return strategy.meta_rm == "logistic"


def describe_difference(arm: Arm, what: str, a: Credits, b: Credits, *, fitted: bool) -> str:
    """Say in one sentence whether a's headline is above b's, by their paired difference on the same units.

    Where either earns what it would not by lot (`Credits.by_lot`), the difference by lot stands beside it, and a winner
    is named only where both name it: else it is the tie rule that tells them apart, or how many lone responses have the
    property.

    a, b: credits at one k each (`select_column`). what: which difference this is, as in "voting - single". fitted:
    whether either is of a strategy that `is_fitted`.
    """
    found = measure_difference(
        a.units, (a.value[:, 0], b.value[:, 0]), (a.by_lot[:, 0], b.by_lot[:, 0]), arm.rollup, fitted
    )
    gap, ci = found.by_rule.gap, found.by_rule.interval
    side = fair = find_side(ci)
    how, made_by, lot = "ties broken by lot", "the tie rule's", ""
    if any(len(item.responses) == 1 for item in arm.items):
        how, made_by = f"{how} and both labels weighing alike", f"{made_by} or the base rate's"
    if found.by_lot:
        fair = find_side(found.by_lot.interval)
        lot = f", with {how} {write_points(found.by_lot.gap)} {_format_ends(found.by_lot.interval)}".rstrip()
    if ci is None:
        return f"{what}: {write_points(gap)} points{lot} (too few clusters for an interval)"
    verdict = "not told apart" if not side else side if side == fair else made_by
    return f"{what}: {write_points(gap)} points, 95 % interval {_format_ends(ci)}{lot}: {verdict}"


def _format_ends(ci: Interval) -> str:
    return "" if ci is None else f"[{write_points(ci[0])}, {write_points(ci[1])}]"
