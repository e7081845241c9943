"""Find headlines that are not the mean of their own parts, by the arithmetic of intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from judgescale.harness.published.audit.findings import Finding, describe_setting
from judgescale.harness.published.audit.lines import SLACK, Cell, Line
from judgescale.harness.published.rollups import HEADLINES, Headline, Weights
from judgescale.harness.published.setting import count_votes


class Mean(NamedTuple):
    """Hold a weighted mean of printed parts, and how far rounding them may have moved it."""

    value: float
    half: float
    parts: tuple[Cell, ...]

    def fits(self, cell: Cell) -> bool:
        """Tell whether a printed number may be this mean, whatever was rounded."""
        return abs(cell.value - self.value) <= self.half + cell.half + SLACK

    def rounds_to(self, cell: Cell) -> bool:
        """Tell whether the mean of the parts as they are printed rounds to a printed number."""
        return abs(cell.value - self.value) <= cell.half + SLACK


def find_wrong_means(lines: Sequence[Line], headlines: Sequence[Headline] = HEADLINES) -> list[Finding]:
    """Find every headline that its parts do not give by its own definition.

    Those that rounding of the parts may explain are found too (`beyond_rounding` is False). An explanation of the
    others is looked for in other means, in another setting of the same model, and in an exchange with another headline
    of the same table.
    """
    found = []
    for headline in headlines:
        checked = [
            _check_headline(cell, _find_parts(line, headline, cell, lines), headline)
            for line in lines
            for cell in _list_headlines(line, headline)
        ]
        found += _explain_swaps([wrong for wrong in checked if wrong])
    return found


def _list_headlines(line: Line, headline: Headline) -> list[Cell]:
    """List the numbers of a line that a headline is about, one a metric."""
    return [
        cell
        for (benchmark, subset, metric), cell in line.cells.items()
        if (benchmark, subset) == (headline.benchmark, headline.subset) and headline.metric in (None, metric)
    ]


def _find_parts(line: Line, headline: Headline, cell: Cell, lines: Sequence[Line]) -> Line:
    """Find the line that holds a headline's parts: its own, or else one that the same source prints without any."""
    if _roll_up_all(line, headline, cell):
        return line
    return next(
        (
            other
            for other in lines
            if (other.source, other.model) == (line.source, line.model)
            and not _list_headlines(other, headline)
            and _roll_up_all(other, headline, cell)
        ),
        line,
    )


def _roll_up_all(line: Line, headline: Headline, cell: Cell) -> dict[str, Mean]:
    """Roll the parts up by each of a headline's own definitions; those that lack a part are left out."""
    means = {name: roll_up(line, headline, weights, cell.row.metric) for name, weights in headline.own.items()}
    return {name: mean for name, mean in means.items() if mean}


def roll_up(line: Line, headline: Headline, weights: Weights, metric: str) -> Mean | None:
    """Roll the parts of a line up; None where one is not printed. Prior sets of 0.0 stand for none."""
    metric = "accuracy" if headline.metric else metric
    parts = []
    for part in weights:
        place = (part, "Overall", metric) if headline.across else (headline.benchmark, part, metric)
        cell = line.cells.get(place)
        if cell is None or (part == "PriorSets" and not cell.value):
            return None
        parts.append(cell)
    shares = [weight / sum(weights.values()) for weight in weights.values()]
    value = sum(share * cell.value for share, cell in zip(shares, parts, strict=True))
    half = sum(share * cell.half for share, cell in zip(shares, parts, strict=True))
    return Mean(value, half, tuple(parts))


def _check_headline(cell: Cell, line: Line, headline: Headline) -> tuple[Finding, Mean] | None:
    """Find the definition of its own that a headline is furthest from, and what it gives; None where all hold."""
    means = _roll_up_all(line, headline, cell)
    wrong = {name: mean for name, mean in means.items() if not mean.rounds_to(cell)}
    if not wrong:
        return None
    name, mean = max(wrong.items(), key=lambda named: abs(cell.value - named[1].value))
    certain = not mean.fits(cell)
    told = _explain_mean(cell, line, headline, {n: m for n, m in means.items() if n != name}) if certain else ""
    return Finding("mean", cell, mean.value, parts=mean.parts, beyond_rounding=certain, explained=told), mean


def _explain_mean(cell: Cell, line: Line, headline: Headline, means: Mapping[str, Mean]) -> str:
    """Explain a headline by the setting of its parts, or by another mean; empty where neither does.

    means: those by its other definitions.
    """
    if (count_votes(cell.row.strategy, cell.row.k), cell.row.temperature) != (line.votes, line.temperature):
        theirs = next(iter(line.cells.values())).row
        whole, parts = (describe_setting(row._replace(protocol="")) for row in (cell.row, theirs))
        return f"the headline is of {whole}, its parts are of {parts}"
    others = {name: roll_up(line, headline, weights, cell.row.metric) for name, weights in headline.others.items()}
    return next((f"{name} gives it" for name, mean in {**means, **others}.items() if mean and mean.fits(cell)), "")


def _explain_swaps(wrong: Sequence[tuple[Finding, Mean]]) -> list[Finding]:
    """Explain pairs of one table whose headlines fit when they are exchanged."""
    found = []
    for f, mean in wrong:
        partners = [
            other.cell
            for other, theirs in wrong
            if f.beyond_rounding and other.cell.row.source == f.cell.row.source and other.cell is not f.cell
            if mean.fits(other.cell) and theirs.fits(f.cell)
        ]
        if len(partners) == 1 and not f.explained:
            told = f"exchanged with the headline of {partners[0].row.model}"
            f = replace(f, other=partners[0], explained=told)
        found.append(f)
    return found
