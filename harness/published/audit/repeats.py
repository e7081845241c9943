"""Find lines of one table whose parts are the same numbers: one of them was copied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from judgescale.harness.published.audit.findings import Finding
from judgescale.harness.published.audit.lines import Cell, Line

FEWEST = 3  # parts: of fewer, two models may well have the same


def find_repeats(lines: Sequence[Line]) -> list[Finding]:
    """Find pairs of lines of one source with equal parts, whatever their headlines say."""
    tables: dict[tuple[str, str, str], dict[tuple[tuple[str, float], ...], list[list[Cell]]]] = {}
    for line in lines:
        for (benchmark, metric), cells in _group_parts(line).items():
            if len(cells) >= FEWEST:
                vector = tuple(sorted((cell.row.subset, cell.value) for cell in cells))
                tables.setdefault((line.source, benchmark, metric), {}).setdefault(vector, []).append(cells)
    return [
        Finding("repeat", two[0], one[0].value, other=one[0], parts=(*two[1:], *one[1:]))
        for vectors in tables.values()
        for alike in vectors.values()
        for one, two in combinations(alike, 2)
    ]


def _group_parts(line: Line) -> dict[tuple[str, str], list[Cell]]:
    """Group the parts of a line by benchmark and metric."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for (benchmark, subset, metric), cell in line.cells.items():
        if "Overall" not in subset:
            groups.setdefault((benchmark, metric), []).append(cell)
    return groups
