"""Intervals for benchmark scores: a percentile bootstrap over clusters that keeps sections and their weights.

Items drawn from one prompt stand or fall together, so clusters are resampled, never items. Sections are fixed by the
benchmark, so each keeps its number of clusters (a stratified bootstrap). Where a cluster spans sections it is drawn
whole, and all sections it links share one stratum; such a section can then be missing from a replicate, which is NaN
there and left out of the mean over sections.

A section with a single cluster has nothing to resample: it has no interval, and inside the overall it counts as fixed;
an overall of none but such sections has no interval either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from judgescale.harness.types import JudgescaleError

HEADLINES = ("items", "sections")  # weighted mean over all units | plain mean of the section means
Rollup = str | Mapping[str, float]  # one of them, or the sections that count and their weights
BLOCK = 2**22  # numbers of a block of resamples in memory at once


@dataclass(frozen=True)
class Units:
    """Hold what a score is a mean over, one row a unit."""

    section: np.ndarray  # (U,) str
    cluster: np.ndarray  # (U,) str: units that stand or fall together, whatever section they are in
    weight: np.ndarray  # (U,) float: weight inside its section


def rollup(
    units: Units, credit: np.ndarray, headline: Rollup, resample: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the section means by name, in order of appearance, and the headline. NaN where nothing has weight.

    credit: (U,) or (U, K); results have the shape of one row of it, () or (K,), with B in front when `resample` (B, U)
    says how often each unit counts.

    Raises JudgescaleError for an unknown headline, or where there are no units.
    """
    if isinstance(headline, str) and headline not in HEADLINES:
        raise JudgescaleError(f"headline is {headline!r}; it can be {' or '.join(HEADLINES)}")
    if not len(units.section):
        raise JudgescaleError("there are no units to score")
    credit = np.asarray(credit, dtype=np.float64)
    values = credit.reshape(len(credit), -1)
    earned = np.column_stack([values * units.weight[:, None], units.weight])  # (U, K + 1): numerators, denominator
    totals = {}
    for name in dict.fromkeys(units.section.tolist()):
        rows = np.flatnonzero(units.section == name)
        times = np.ones((1, len(rows))) if resample is None else resample[:, rows].astype(np.float64)
        totals[name] = times @ earned[rows]
    means = {name: _divide_by_weight(total) for name, total in totals.items()}
    if headline == "items":
        overall = _divide_by_weight(np.sum(list(totals.values()), axis=0))
    else:
        every = np.array(list(means.values()))  # (sections, B, K)
        weight = np.array(list(section_weights(headline, means).values()))
        present = np.tensordot(weight, ~np.isnan(every), 1)
        earned = np.tensordot(weight, np.nan_to_num(every), 1)
        overall = _divide_by_weight(np.concatenate([earned, present[:, :1]], axis=1))
    shape = (() if resample is None else (len(resample),)) + credit.shape[1:]
    return {name: mean.reshape(shape) for name, mean in means.items()}, overall.reshape(shape)


def draw_resamples(units: Units, draws: int = 2000, seed: int = 0) -> np.ndarray:
    """Draw how often each unit counts in each bootstrap replicate, whole clusters at a time: (draws, U) float32."""
    return np.concatenate(list(_draw_in_blocks(units, draws, seed)))


def bootstrap(
    units: Units, credit: np.ndarray, headline: Rollup, draws: int = 2000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Replicate `rollup` for "overall" and every section: (draws,) or (draws, K), as credit is (U,) or (U, K).

    The same seed resamples the same clusters, so replicates of two judges on the same units can be paired. NaN for
    what has a single cluster, and for an overall of nothing else.

    Raises JudgescaleError where one of several sections is called "overall".
    """
    if "overall" in (names := set(units.section.tolist())) and len(names) > 1:
        raise JudgescaleError('"overall" is the name of the headline; a section cannot have it too')
    cells, means = _merge_clusters(units, credit)
    parts = [rollup(cells, means, headline, times) for times in _draw_in_blocks(cells, draws, seed)]
    replicates = {name: np.concatenate([sections[name] for sections, _ in parts]) for name in parts[0][0]}
    for name, values in replicates.items():
        if (cells.section == name).sum() < 2:
            values[:] = np.nan
    overall = np.concatenate([part for _, part in parts])
    counted = cells.section[find_counted_units(cells.section, headline)]
    if all((cells.section == name).sum() < 2 for name in set(counted)):
        overall[:] = np.nan  # nothing was resampled
    return {**replicates, "overall": overall}


def percentile_interval(replicates: np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """Return the percentile interval of replicates (B,), NaN left out; None where all are (fewer than two clusters)."""
    found = replicates[~np.isnan(replicates)]
    if not len(found):
        return None
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    units: Units,
    credit_a: np.ndarray,
    credit_b: np.ndarray,
    headline: Rollup,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, tuple[float, float] | None]:
    """Return by how much a's headline is above b's on the same units, and the interval of that. credit: (U,) each.

    Roll-ups are linear in credit, so resampling both alike is resampling the difference.
    """
    gap = np.asarray(credit_a, dtype=np.float64) - np.asarray(credit_b, dtype=np.float64)
    replicates = bootstrap(units, gap, headline, draws, seed)["overall"]
    return float(rollup(units, gap, headline)[1]), percentile_interval(replicates, level)


def section_weights(headline: Rollup, sections: Iterable[str]) -> dict[str, float]:
    """Return what each of these sections weighs in a headline of section means, by name; 0 where it does not count."""
    return {name: 1.0 if isinstance(headline, str) else headline.get(name, 0.0) for name in sections}


def find_counted_units(section: np.ndarray, headline: Rollup) -> np.ndarray:
    """Find the units whose sections the headline counts, from each unit's section (U,): (U,) booleans."""
    weights = section_weights(headline, section.tolist())
    return np.isin(section, [name for name, weight in weights.items() if weight])


def _divide_by_weight(totals: np.ndarray) -> np.ndarray:
    """Divide (B, K + 1) sums, whose last column is the weight, into (B, K) means."""
    weight = totals[:, -1:]
    mean: np.ndarray = np.divide(totals[:, :-1], weight, out=np.full_like(totals[:, :-1], np.nan), where=weight != 0)
    return mean


def _merge_clusters(units: Units, credit: np.ndarray) -> tuple[Units, np.ndarray]:
    """Merge the units of each cluster in each section, which resampling never takes apart, into one of their mean."""
    credit = np.asarray(credit, dtype=np.float64)
    section, cluster = _number_names(units.section), _number_names(units.cluster)
    _, first, cell = np.unique(section * len(cluster) + cluster, return_index=True, return_inverse=True)
    appearance = np.argsort(first)
    first, cell = first[appearance], np.argsort(appearance)[cell]
    weight = np.bincount(cell, units.weight)
    values = (credit.reshape(len(credit), -1) * units.weight[:, None]).T
    earned = np.array([np.bincount(cell, column) for column in values]).T
    means = np.divide(earned, weight[:, None], out=np.zeros_like(earned), where=weight[:, None] != 0)
    return Units(units.section[first], units.cluster[first], weight), means.reshape(-1, *credit.shape[1:])


def _number_names(names: np.ndarray) -> np.ndarray:
    """Number each row's name among the sorted names, so that the order of the units does not change the draws."""
    codes: np.ndarray = np.unique(names, return_inverse=True)[1]
    return codes


def _assign_strata(units: Units) -> np.ndarray:
    """Assign each cluster a stratum, (C,): its section, or the lowest of the sections that clusters link it to."""
    section, cluster = _number_names(units.section), _number_names(units.cluster)
    of_section = np.arange(section.max() + 1)
    while True:
        lowest = np.full(cluster.max() + 1, len(of_section))
        np.minimum.at(lowest, cluster, of_section[section])
        linked = of_section.copy()
        np.minimum.at(linked, section, lowest[cluster])
        if (linked == of_section).all():
            return lowest
        of_section = linked


def _draw_in_blocks(units: Units, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield `draw_resamples` in blocks of replicates, to bound the memory.

    The same clusters give the same draws, however many units they hold.
    """
    cluster, strata = _number_names(units.cluster), _assign_strata(units)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // len(strata))
    for start in range(0, draws, block):
        several = min(block, draws - start)
        times = np.empty((several, len(strata)), dtype=np.float32)
        for stratum in np.unique(strata):
            members = np.flatnonzero(strata == stratum)
            drawn = rng.integers(len(members), size=(several, len(members)))
            drawn += np.arange(several)[:, None] * len(members)
            times[:, members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        yield times[:, cluster]
