"""Roll-ups of credits: section means, the headline, and what each unit weighs in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from judgescale.harness.types import JudgescaleError

HEADLINES = ("items", "sections")  # weighted mean over all units | plain mean of the section means
Rollup = str | Mapping[str, float]  # one of them, or the sections that count and their weights
Interval = tuple[float, float] | None  # None where nothing tells how much the score varies


@dataclass(frozen=True)
class Units:
    """Hold what a score is a mean over, one row a unit."""

    section: np.ndarray  # (U,) str
    cluster: np.ndarray  # (U,) str: units that stand or fall together, whatever section they are in
    weight: np.ndarray  # (U,) float: weight inside its section


def rollup(units: Units, credit: np.ndarray, headline: Rollup) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the section means by name, in order of appearance, and the headline. NaN where nothing has weight.

    credit: (U,) or (U, K); results have the shape of one row of it, () or (K,).

    Raises JudgescaleError for an unknown headline, where there are no units, or where one of several sections is called
    "overall".
    """
    names = list(dict.fromkeys(units.section.tolist()))
    if "overall" in names and len(names) > 1:
        raise JudgescaleError('"overall" is the name of the headline; a section cannot have it too')
    credit = np.asarray(credit, dtype=np.float64)
    check_headline(units, headline)
    sections = {n: _average(credit[units.section == n], units.weight[units.section == n]) for n in names}
    if headline == "items":
        return sections, _average(credit, units.weight)
    known = {n: weight for n, weight in section_weights(headline, names).items() if not np.isnan(sections[n]).any()}
    return sections, _average(np.array([sections[n] for n in known]), np.array(list(known.values())))


def _average(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Average the rows of values; NaN where nothing has weight."""
    whole = weight @ np.ones(len(weight))  # summed as the numerator is, so that ones average to exactly 1
    mean: np.ndarray = weight @ values / whole if whole else np.full(values.shape[1:], np.nan)
    return mean


def check_headline(units: Units, headline: Rollup) -> None:
    """Raise JudgescaleError for an unknown headline, or where there are no units."""
    if isinstance(headline, str) and headline not in HEADLINES:
        raise JudgescaleError(f"headline is {headline!r}; it can be {' or '.join(HEADLINES)}")
    if not len(units.section):
        raise JudgescaleError("there are no units to score")


def select_units(units: Units, rows: np.ndarray) -> Units:
    """Return some of the units: rows are their places, or booleans."""
    return Units(units.section[rows], units.cluster[rows], units.weight[rows])


def share_headline(units: Units, headline: Rollup) -> np.ndarray:
    """Return each unit's share in the headline, (U,): they sum to 1, or are all 0 where nothing counts.

    Raises JudgescaleError for an unknown headline, or where there are no units.
    """
    check_headline(units, headline)
    share = units.weight.astype(np.float64)
    if headline != "items":
        weights = section_weights(headline, units.section.tolist())
        for name, weight in weights.items():
            rows = units.section == name
            if total := share[rows].sum():
                share[rows] *= weight / total
    whole = share.sum()
    return share / whole if whole else share


def percentile_interval(replicates: np.ndarray, level: float = 0.95) -> Interval:
    """Return the percentile interval of replicates (B,), NaN left out; None where all are (fewer than two clusters)."""
    found = replicates[~np.isnan(replicates)]
    if not len(found):
        return None
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def section_weights(headline: Rollup, sections: Iterable[str]) -> dict[str, float]:
    """Return what each of these sections weighs in a headline of section means, by name; 0 where it does not count."""
    return {name: 1.0 if isinstance(headline, str) else headline.get(name, 0.0) for name in sections}


def balance_labels(units: Units, lone: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return factors of the units' weights by which both labels of lone responses weigh alike in a section: (U,).

    lone: which units are a single response, (U,). label: whether it has the property, (U,). All others, and those of a
    section where one label is missing, keep their weight.
    """
    factor = np.ones(len(lone))
    for section in np.unique(units.section[lone]):
        sides = [np.flatnonzero(lone & (units.section == section) & (label == side)) for side in (True, False)]
        weights = [units.weight[rows].sum() for rows in sides]
        if all(weights):
            for rows, weight in zip(sides, weights, strict=True):
                factor[rows] = sum(weights) / (2 * weight)
    return factor


def find_counted_units(section: np.ndarray, headline: Rollup) -> np.ndarray:
    """Find the units whose sections the headline counts, from each unit's section (U,): (U,) booleans."""
    weights = section_weights(headline, section.tolist())
    return np.isin(section, [name for name, weight in weights.items() if weight])
