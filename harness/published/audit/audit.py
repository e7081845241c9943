"""The audit of the published lists: every rule, on every number, from the data alone."""

from __future__ import annotations

from collections.abc import Iterable

from judgescale.harness.published.audit.conflicts import find_conflicts, find_exchanged_parts
from judgescale.harness.published.audit.definitions import find_broken_bounds
from judgescale.harness.published.audit.findings import Finding, sort_findings
from judgescale.harness.published.audit.lines import gather_lines, read_cells
from judgescale.harness.published.audit.means import find_wrong_means
from judgescale.harness.published.audit.order import find_samples_below_greedy
from judgescale.harness.published.audit.repeats import find_repeats
from judgescale.harness.published.lists import Row


def audit(printed: Iterable[tuple[Row, str]]) -> list[Finding]:
    """Find every contradiction among printed numbers, each given with its digits: the gravest of a kind first."""
    cells = read_cells(printed)
    lines = gather_lines(cells)
    found = [
        *find_wrong_means(lines),
        *find_repeats(lines),
        *find_exchanged_parts(lines),
        *find_conflicts(cells),
        *find_samples_below_greedy(cells),
        *find_broken_bounds(lines),
    ]
    return sort_findings(found)
