"""Find sampled judgments that a paper prints below the greedy one of the same judge.

No contradiction, but a trap: what more samples gain over one sample is then more than what they gain over greedy.
"""

from __future__ import annotations

from collections.abc import Sequence

from judgescale.harness.published.audit.findings import Finding
from judgescale.harness.published.audit.lines import Cell
from judgescale.harness.published.setting import count_votes


def find_samples_below_greedy(cells: Sequence[Cell]) -> list[Finding]:
    """Find single judgments at a temperature above 0 below those at 0, by paper, model, prompt and form."""
    greedy: dict[tuple[str, ...], Cell] = {}
    sampled: list[tuple[tuple[str, ...], Cell]] = []
    for cell in cells:
        row = cell.row
        if count_votes(row.strategy, row.k) == ("single", 1) and row.temperature is not None:
            paper = row.source.partition(" Table")[0]
            key = (paper, row.model, row.prompt, row.protocol, row.benchmark, row.subset, row.metric)
            if row.temperature == 0:
                greedy.setdefault(key, cell)
            else:
                sampled.append((key, cell))
    return [
        Finding("order", cell, greedy[key].value, other=greedy[key])
        for key, cell in sampled
        if key in greedy and cell.value < greedy[key].value and not cell.may_equal(greedy[key])
    ]
