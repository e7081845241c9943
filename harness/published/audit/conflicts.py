"""Find one number that two sources print with two values, and two parts that one of them has exchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from judgescale.harness.published.audit.findings import Finding
from judgescale.harness.published.audit.lines import Cell, Line
from judgescale.harness.published.lists import normalise_benchmark, normalise_subset, rank_trust, split_name
from judgescale.harness.published.setting import COMPARED, count_votes

OWN_PROMPT = "its source's"  # of these nobody knows whether they are one
FEWEST = 3  # parts of which two may be exchanged


def find_conflicts(cells: Sequence[Cell]) -> list[Finding]:
    """Find the two furthest values, of different sources, of each number that more than one source prints.

    It is one number where model, section, metric, strategy, k, voters, prompt and form are the same, and temperature as
    far as it is known. Numbers that are reruns, recalled, derived or read off a figure are no source.
    """
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        row = cell.row
        if row.status.split(",")[0] in COMPARED:
            what = (normalise_benchmark(row.benchmark), normalise_subset(row.subset), row.metric)
            how = (count_votes(row.strategy, row.k), row.k_meta, row.prompt, row.protocol)
            groups.setdefault((split_name(row.model)[1], *what, *how), []).append(cell)
    found: dict[tuple[object, ...], list[Finding]] = {}
    for group in groups.values():
        pairs = [(one, two) for one, two in combinations(group, 2) if _contradict(one, two)]
        if pairs:
            one, two = max(pairs, key=lambda pair: abs(pair[0].value - pair[1].value))
            one, two = sorted((one, two), key=lambda cell: rank_trust(cell.row))
            told = "each source asked with a prompt of its own" if one.row.prompt == OWN_PROMPT else ""
            benchmark = normalise_benchmark(two.row.benchmark)
            where = (split_name(two.row.model)[1], benchmark, two.row.metric, one.row.source, two.row.source)
            rest = tuple(cell for cell in group if cell not in (one, two))
            found.setdefault(where, []).append(Finding("conflict", two, one.value, one, rest, explained=told))
    return [f for same in found.values() for f in _fold_sections(same)]


def _fold_sections(found: Sequence[Finding]) -> list[Finding]:
    """Put the sections that two sources print otherwise under their headline, where that is another too."""
    overall = [f for f in found if f.cell.row.subset == "Overall"]
    if len(overall) != 1:
        return list(found)
    parts = [cell for f in found if f is not overall[0] for cell in (f.cell, f.other, *f.parts) if cell]
    return [replace(overall[0], parts=(*overall[0].parts, *parts))]


def _contradict(one: Cell, two: Cell) -> bool:
    a, b = one.row, two.row
    apart = None not in (a.temperature, b.temperature) and a.temperature != b.temperature
    orgs = {split_name(row.model)[0] for row in (a, b)} - {""}
    return a.source != b.source and not apart and len(orgs) < 2 and not one.may_equal(two)


def find_exchanged_parts(lines: Sequence[Line]) -> list[Finding]:
    """Find lines of one model in two sources that are equal once two parts are exchanged, whatever the prompt."""
    by_model: dict[tuple[str, str, str], list[dict[str, Cell]]] = {}
    for line in lines:
        for (benchmark, metric), parts in _group_parts(line).items():
            if len(parts) >= FEWEST:
                key = (split_name(line.model)[1], normalise_benchmark(benchmark), metric)
                by_model.setdefault(key, []).append(parts)
    return [f for same in by_model.values() for one, two in combinations(same, 2) for f in _exchange(one, two)]


def _exchange(one: dict[str, Cell], two: dict[str, Cell]) -> Iterator[Finding]:
    """Yield a finding where two lines differ in two parts only, and by their exchange."""
    shared = [name for name in one if name in two]
    apart = [name for name in shared if not one[name].may_equal(two[name])]
    if len(shared) < FEWEST or len(apart) != 2 or one[shared[0]].row.source == two[shared[0]].row.source:
        return
    a, b = apart
    if one[a].may_equal(two[b]) and one[b].may_equal(two[a]):
        first, second = sorted((one, two), key=lambda parts: rank_trust(parts[a].row))
        yield Finding(
            "swap", second[a], first[a].value, first[a], (second[b], first[b]), explained=f"{a} and {b} exchanged"
        )


def _group_parts(line: Line) -> dict[tuple[str, str], dict[str, Cell]]:
    groups: dict[tuple[str, str], dict[str, Cell]] = {}
    for (benchmark, subset, metric), cell in line.cells.items():
        if "Overall" not in subset:
            groups.setdefault((benchmark, metric), {})[subset] = cell
    return groups
