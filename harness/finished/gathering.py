"""Gather the arms of any finished runs: of run folders, sweeps, and folders of them; each arm once, with its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

from judgescale.harness.errors import list_some
from judgescale.harness.finished.reading import Judged, read_every_k
from judgescale.harness.finished.results import read_results
from judgescale.harness.report.readings import OVERALL, list_curve_points
from judgescale.harness.types import CurvePoint, JudgescaleError, Result

if TYPE_CHECKING:
    import pyarrow as pa

SWEEPS = ("sweep.json", "multirun.yaml")  # of these a folder has one that only repeats what its jobs found


@dataclass(frozen=True)
class Curve:
    """Hold an arm with all its points: what it found, and what every unit earned, at every k."""

    folder: Path
    result: Result
    points: tuple[CurvePoint, ...]  # of the headline
    judged: tuple[Judged | None, ...]  # at each point; None where only the mean was written, as of a suite


@dataclass(frozen=True)
class Gathered:
    """Hold the arms that were found, and what to tell of those that are not among them."""

    curves: tuple[Curve, ...]
    notes: tuple[str, ...]


def gather(places: Sequence[Path]) -> Gathered:
    """Gather the arms of all runs in these folders, in order.

    Raises JudgescaleError where there is no finished run in one of them, or none of all can be read.
    """
    curves: list[Curve] = []
    notes: list[str] = []
    folders = list(dict.fromkeys(folder for place in places for folder in find_runs(place)))
    for folder in folders:
        try:
            curves += read_curves(folder)
        except JudgescaleError as error:
            if len(folders) == 1:
                raise
            notes.append(f"left out: {error}")
    if not curves:
        raise JudgescaleError(notes[0] if notes else "no finished run has an arm")
    kept, again = drop_duplicates(curves)
    return Gathered(tuple(fold_curves(kept)), (*notes, *again))


def find_runs(place: Path) -> list[Path]:
    """Find the folders of finished runs in a folder, itself among them. Raises JudgescaleError where there is none."""
    if not place.is_dir():
        raise JudgescaleError(f"{place}: no such folder; give folders of finished runs, or folders of such folders")
    every = (path.parent for path in place.rglob("summary.json"))
    found = sorted(f for f in every if not any(part.startswith(".") for part in f.relative_to(place).parts))
    jobs = {above for folder in found for above in folder.parents}
    runs = [folder for folder in found if folder not in jobs or not any((folder / name).exists() for name in SWEEPS)]
    if not runs:
        raise JudgescaleError(f"{place}: no finished run in it, for nothing there holds a summary.json")
    return runs


def read_curves(folder: Path, table: pa.Table | None = None) -> list[Curve]:
    """Read the arms of a run with what every unit earned at every k. table: credits.parquet, where it was read."""
    results, every = read_results(folder), read_every_k(folder, table)
    curves = []
    for number, result in enumerate(results, 1):
        points = tuple(list_curve_points(result)) or (make_point(result),)
        at = {judged.k: judged for judged in every.get(number, ())}
        curves.append(Curve(folder, result, points, tuple(at.get(point.k) for point in points)))
    return curves


def make_point(result: Result) -> CurvePoint:
    """Make the one point of an arm without a curve, such as the mean of a suite whose members have no common k."""
    per = {name: result.compute.get(name) for name in ("judgments", "flops", "dollars")}
    each = {name: None if total is None else total / result.items for name, total in per.items()}
    judgments, flops, dollars = each.values()
    at = nan if judgments is None else judgments
    return CurvePoint(OVERALL, result.k, result.headline, at, None, flops, dollars_per_item=dollars)


def drop_duplicates(curves: Sequence[Curve]) -> tuple[list[Curve], list[str]]:
    """Keep the first of arms whose signatures are equal, and say which others there are."""
    first: dict[tuple[str, str, str], Curve] = {}
    notes = []
    others: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in curves:
        name = (curve.result.task, curve.result.judge, curve.result.signature)
        if first.setdefault(name, curve) is not curve:
            others.setdefault(name, []).append(curve)
    for name, again in others.items():
        one = first[name]
        values = {round(c.result.headline.value, 9) for c in (one, *again)}
        unlike = f", though they found {len(values)} different numbers" if len(values) > 1 else ""
        where = list_some([str(c.folder) for c in again], 3)
        notes.append(
            f"{one.result.task}, {one.result.judge}, {one.result.strategy}, k={one.result.k}: shown once, from"
            f" {one.folder}; also in {where}, with the same signature{unlike}"
        )
    return list(first.values()), notes


def fold_curves(curves: Sequence[Curve]) -> list[Curve]:
    """Fold arms that differ in k alone into one: that of the largest k, with the points of all."""
    groups: dict[tuple[str, ...], list[Curve]] = {}
    for curve in curves:
        r = curve.result
        signed = [part for part in r.signature.split("|") if not part.startswith(("k:", "k_meta:"))]
        groups.setdefault((r.task, r.judge, r.strategy, *signed), []).append(curve)
    folded = []
    for alike in groups.values():
        alike.sort(key=lambda curve: curve.result.k)
        points = {p.k: (p, judged) for curve in alike for p, judged in zip(curve.points, curve.judged, strict=True)}
        ordered = [points[k] for k in sorted(points)]
        own, judged = tuple(p for p, _ in ordered), tuple(j for _, j in ordered)
        longest = alike[-1]
        folded.append(Curve(longest.folder, replace(longest.result, curve=list(own)), own, judged))
    return folded
