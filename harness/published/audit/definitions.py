"""Find numbers on the wrong side of another number of the same line that bounds them by its definition."""

from __future__ import annotations

from collections.abc import Sequence

from judgescale.harness.published.audit.findings import Finding
from judgescale.harness.published.audit.lines import Line

AT_MOST = (  # metrics: the first is no larger than the second
    ("ci95_lower", "arena_score"),
    ("arena_score", "ci95_upper"),
    ("correct_both", "correct_True"),
    ("correct_both", "correct_False"),
    ("position_consistent_accuracy", "acc_order_ab"),
    ("position_consistent_accuracy", "acc_order_ba"),
    ("count_correct", "count_total"),
)


def find_broken_bounds(lines: Sequence[Line]) -> list[Finding]:
    """Find every number that is larger than what bounds it from above, by more than rounding allows."""
    found = []
    for line in lines:
        for (benchmark, subset, metric), cell in line.cells.items():
            for low, high in AT_MOST:
                bound = line.cells.get((benchmark, subset, high))
                if metric == low and bound and cell.value > bound.value and not cell.may_equal(bound):
                    found.append(Finding("definition", cell, bound.value, other=bound))
    return found
