"""Hold arms of finished runs against the first of them, on the units that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from judgescale.harness.finished.reading import Judged
from judgescale.harness.finished.sharing import Shared, find_shared_units
from judgescale.harness.finished.signatures import find_unlike_parts
from judgescale.harness.stats.differences import Difference, find_side, measure_difference
from judgescale.harness.stats.intervals import Rollup, select_units, share_headline
from judgescale.harness.stats.multiple import adjust_benjamini_hochberg, adjust_holm
from judgescale.harness.stats.power import LEVEL
from judgescale.harness.types import JudgescaleError

HEADLINE = "headline"


@dataclass(frozen=True)
class Part:
    """Hold what both earned on all items, a section or a subset, and by how much the other is above the first."""

    kind: str  # headline, section, subset
    name: str
    items: int
    first: float
    other: float
    difference: Difference
    holm: float | None = None  # p adjusted over the other parts of a pair, or over the judges' headlines
    fdr: float | None = None  # the same by Benjamini and Hochberg

    @property
    def verdict(self) -> str:
        """Say whether the other is above or below the first, once all of the tests at hand are granted."""
        if (p := self.difference.p) is None:
            return "too few clusters"
        if self.holm is not None and self.holm <= LEVEL:
            return "above" if self.difference.by_rule.gap > 0 else "below"
        if p <= LEVEL:
            return "not after Holm"
        return "the tie rule's" if find_side(self.difference.by_rule.interval) else "not told apart"


@dataclass(frozen=True)
class Comparison:
    """Hold an arm against the first one."""

    first: Judged
    other: Judged
    shared: Shared  # the first's credits, then the other's
    headline: Part
    parts: tuple[Part, ...]  # sections, and subsets where these are not the sections
    unlike: tuple[str, ...]  # parts of their signatures that differ
    warnings: tuple[str, ...]  # what makes them incomparable, where the caller wants them compared all the same


def compare_arms(arms: Sequence[Judged], anyway: bool = False) -> list[Comparison]:
    """Compare every arm with the first; p-values of headlines are adjusted over the arms, others over a pair's parts.

    anyway: compare also what is not comparable, and say so.

    Raises JudgescaleError where there are no two arms, where two are not comparable, or where they share no unit.
    """
    if len(arms) < 2:
        raise JudgescaleError(
            f"{arms[0].folder}: one arm is not compared with itself; give another run, or RUN:ARM and RUN@K of this one"
            if arms
            else "give the folders of finished runs"
        )
    found = [compare_pair(arms[0], other, anyway) for other in arms[1:]]
    headlines = adjust_parts([one.headline for one in found])
    return [replace(one, headline=headline) for one, headline in zip(found, headlines, strict=True)]


def compare_pair(first: Judged, other: Judged, anyway: bool = False) -> Comparison:
    """Compare an arm with another. Raises JudgescaleError where they are not comparable or share no unit."""
    unlike = find_unlike_parts(first, other)
    if unlike.incomparable and not anyway:
        refuse(first, other, unlike.incomparable)
    shared, unlike_units = find_shared_units([first, other])
    if unlike_units and not anyway:
        refuse(first, other, unlike_units)
    parts = [
        measure_part(shared, kind, name, rows, "items")
        for kind, names in (("section", shared.units.section), ("subset", shared.subset))
        for name, rows in list_parts(names)
        if kind == "section" or not np.array_equal(shared.subset, shared.units.section)
    ]
    whole = measure_part(shared, HEADLINE, HEADLINE, np.arange(len(shared.item)), shared.headline)
    warnings = tuple(f"not comparable: {what}" for what in (*unlike.incomparable, *unlike_units))
    return Comparison(first, other, shared, whole, tuple(adjust_parts(parts)), unlike.others, warnings)


def refuse(first: Judged, other: Judged, what: Sequence[str]) -> None:
    """Raise JudgescaleError for two arms that are not comparable, naming each field."""
    raise JudgescaleError(
        f"{first.name} in {first.folder} and {other.name} in {other.folder} are not comparable: {'; '.join(what)}"
        " (--anyway compares them all the same)"
    )


def list_parts(names: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """List the units of every name, in order of appearance; nothing where there is one name only."""
    distinct = dict.fromkeys(names.tolist())
    return [(name, np.flatnonzero(names == name)) for name in distinct] if len(distinct) > 1 else []


def measure_part(shared: Shared, kind: str, name: str, rows: np.ndarray, headline: Rollup) -> Part:
    """Measure by how much the second arm is above the first on some of the units they share."""
    units = select_units(shared.units, rows)
    credit, by_lot, share = shared.credit[rows], shared.by_lot[rows], share_headline(units, headline)
    swapped = (credit[:, 1], credit[:, 0]), (by_lot[:, 1], by_lot[:, 0])
    difference = measure_difference(units, *swapped, headline, fitted=any(shared.fitted))
    return Part(kind, name, len(rows), float(share @ credit[:, 0]), float(share @ credit[:, 1]), difference)


def adjust_parts(parts: Sequence[Part]) -> list[Part]:
    """Return the parts with their p-values adjusted for their number."""
    p = [part.difference.p for part in parts]
    every = zip(parts, adjust_holm(p), adjust_benjamini_hochberg(p), strict=True)
    return [replace(part, holm=holm, fdr=fdr) for part, holm, fdr in every]


@dataclass(frozen=True)
class UnitDifference:
    """Hold what two arms earned on one unit."""

    item: str
    subset: str
    section: str
    cluster: str
    weight: float  # share in the headline
    first: float
    other: float


def list_unit_differences(one: Comparison) -> list[UnitDifference]:
    """List all shared units, those first on which the two differ most."""
    shared = one.shared
    weight = share_headline(shared.units, shared.headline)
    rows = [
        UnitDifference(
            shared.item[u],
            str(shared.subset[u]),
            str(shared.units.section[u]),
            str(shared.units.cluster[u]),
            float(weight[u]),
            float(shared.credit[u, 0]),
            float(shared.credit[u, 1]),
        )
        for u in range(len(shared.item))
    ]
    return sorted(rows, key=lambda row: -round(abs(row.other - row.first), 9))
