"""The scaling curves that a paper's tables hold: one judge's numbers against k, a curve a strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from judgescale.harness.published.find import Printed, name_strategy
from judgescale.harness.published.lists import Row, rank_trust
from judgescale.harness.published.setting import FORMS, GREEDY, count_votes


class PrintedCurve(NamedTuple):
    """Hold one strategy's printed numbers, the smallest k first; a single one is a point."""

    name: str  # strategy, and which share of k votes
    form: str  # prompt and form of the benchmark, where they are told
    rows: tuple[Row, ...]


def list_curves(printed: Sequence[Printed]) -> list[PrintedCurve]:
    """List the curves among numbers of one judge, section and metric, the highest end first.

    Of several numbers of one k the best-trusted stands there, or else the one of the source that printed most of these.
    A sampled single judgment is the vote of one, and so begins the curve of votes; a greedy one is a point of its own.
    Meta votes in which another share of k votes are curves of their own.
    """
    sources = Counter(row.source for row, _ in printed)
    curves: dict[tuple[str, str], dict[int, Row]] = {}
    for row, _ in sorted(printed, key=lambda pair: (rank_trust(pair[0]), -sources[pair[0].source])):
        if row.k is not None:
            curves.setdefault((name_curve(row), _name_form(row)), {}).setdefault(row.k, row)
    found = [PrintedCurve(*names, tuple(rows[k] for k in sorted(rows))) for names, rows in curves.items()]
    return sorted(found, key=lambda curve: -curve.rows[-1].value)


def name_curve(row: Row) -> str:
    """Name the curve over k that a printed number is on."""
    strategy, _ = count_votes(row.strategy, row.k)
    name = "voting" if strategy == "single" else strategy.replace("_", " ") or "strategy not stated"
    if name_strategy(row) == GREEDY:
        name = GREEDY
    if row.k and row.k_meta:
        name += ", half of k vote" if 2 * row.k_meta == row.k else f", {row.k_meta} of {row.k} vote"
    return name


def _name_form(row: Row) -> str:
    prompt = f"{row.prompt} prompt" if row.prompt else ""
    return ", ".join(filter(None, [prompt, FORMS.get(row.protocol, row.protocol)]))
