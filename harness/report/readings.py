"""What tables, figures and the terminal all read from the `Result`s of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.text import format_count, format_percent
from judgescale.harness.types import WITH_BUDGET, CurvePoint, Published, Result

OVERALL = "overall"
KS_AT_MOST = 3  # smaller ks that a table has columns for


def group_by_task(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Group the arms by task, in the order they came."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.task, []).append(result)
    return groups


def list_curve_points(result: Result, section: str = OVERALL) -> list[CurvePoint]:
    """List one section's points that have a value, the smallest thinking budget and the fewest judgments first."""
    points = (p for p in result.curve if p.section == section and isfinite(p.estimate.value))
    return sorted(points, key=lambda p: (p.thinking_budget or 0, p.judgments_per_item, p.k))


def join_budgets(results: Sequence[Result]) -> list[Result]:
    """Join the arms of one task that differ in nothing but the thinking budget: each judge's are one curve.

    Every arm is reduced to its headline's point, at its k. Empty where no judge has arms of several budgets.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for i, r in enumerate(results):
        key: tuple[str, ...] = (str(i),)
        if r.thinking_budget:
            signed = r.signature.replace(WITH_BUDGET.format("", r.thinking_budget), "").split("|")
            # a suite's members are told apart by a digest of their own signatures
            alike = [part for part in signed if not part.startswith(("thinking_budget:", "members:"))]
            key = (name_without_budget(r), str(r.k), *alike)
        groups.setdefault(key, []).append(r)
    if len(groups) == len(results):
        return []
    joined = []
    for of_judge in groups.values():
        points = [
            replace(p, thinking_budget=r.thinking_budget) for r in of_judge for p in list_curve_points(r) if p.k == r.k
        ]
        joined.append(replace(of_judge[0], judge=name_without_budget(of_judge[0]), curve=points))
    return joined


def fold_points(results: Sequence[Result]) -> list[Result]:
    """Fold the arms of one task that differ in k alone into one: that of the largest k, with the points of all.

    One that is set beside a printed number which the other is not keeps a place of its own.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for i, r in enumerate(results):
        signed = [part for part in r.signature.split("|") if not part.startswith(("k:", "k_meta:"))]
        alone = (
            [str(i)]
            if len(signed) < 2 or any(p.section == OVERALL and p.delta is not None for p in r.published)
            else []
        )
        groups.setdefault((r.judge, r.strategy, *signed, *alone), []).append(r)
    if len(groups) == len(results):
        return list(results)
    folded = []
    for alike in groups.values():
        points = {(p.section, p.k): p for r in sorted(alike, key=lambda r: r.k) for p in r.curve}
        longest = max(alike, key=lambda r: r.k)
        if len(alike) == 1:
            folded.append(longest)
            continue
        told = [note for r in alike if r is not longest for note in r.differences if note not in longest.notes]
        curve = sorted(points.values(), key=_place_point)
        notes, differences = [*longest.notes, *told], [*longest.differences, *told]
        folded.append(replace(longest, curve=curve, notes=notes, differences=differences))
    return folded


def _place_point(point: CurvePoint) -> tuple[bool, str, int]:
    return point.section != OVERALL, point.section, point.k


def name_without_budget(result: Result) -> str:
    """Name an arm's judge as it is called without a thinking budget."""
    if result.thinking_budget is None:
        return result.judge
    return result.judge.removesuffix(WITH_BUDGET.format("", result.thinking_budget))


def find_value_at(result: Result, k: int) -> float | None:
    """Find the headline's value at a smaller k; None where the result's own is no larger, or it has no such point."""
    return next((p.estimate.value for p in list_curve_points(result) if p.k == k and result.k > k), None)


def list_smaller_ks(results: Sequence[Result]) -> list[int]:
    """List the ks at which a table shows headlines beside those of the arms of one task: 1, and those folded away."""
    kept = fold_points(results)
    folded = {r.k for r in results} - {r.k for r in kept}
    known = [k for k in sorted({1, *folded}) if any(find_value_at(r, k) is not None for r in kept)]
    return known if len(known) <= KS_AT_MOST else [known[0], *known[1 - KS_AT_MOST :]]


def count_judgments_per_item(result: Result) -> float | None:
    """Count the judgments that one decision of this arm cost at its k; None where it is unknown."""
    points = list_curve_points(result)
    for point in points:
        if point.k == result.k:
            return point.judgments_per_item
    if points:
        return points[-1].judgments_per_item
    judgments = result.compute.get("judgments")
    return judgments / result.items if judgments is not None and result.items else None


def format_judgments_per_item(result: Result) -> str:
    """Format what one decision cost: 10, or in two decimals 2.04 where that was measured."""
    return format_count(count_judgments_per_item(result), 2 if result.stops else 1)


def format_k(result: Result) -> str:
    """Format an arm's k: 8, or ≤8 where it may stop before."""
    return f"≤{result.k}" if result.stops else str(result.k)


def find_own_published(result: Result) -> dict[str, Published]:
    """Find the best-trusted published number of the same judge that ours is compared with, by section."""
    found: dict[str, Published] = {}
    for row in result.published:  # the best-trusted come first
        if row.delta is not None:
            found.setdefault(row.section, row)
    return found


def list_context(results: Sequence[Result], recalled: bool = False) -> list[Published]:
    """List the published numbers that none of ours is compared with, each once: the same judges' before others'.

    recalled: whether numbers typed from memory count too.
    """

    def get_identity(row: Published) -> tuple[str, str, str, str]:
        """Tell what is shown of a number: two sources of it are one."""
        return row.name, row.section, format_percent(row.value), row.how

    rows = [row for result in results for row in result.published]
    compared = {get_identity(row) for row in rows if row.delta is not None}
    found: dict[object, Published] = {}
    for row in sorted(rows, key=lambda row: not row.reason):
        if row.delta is None and get_identity(row) not in compared and (recalled or not is_recalled(row)):
            found.setdefault(get_identity(row), row)
    return list(found.values())


def describe_published(row: Published) -> str:
    """Say why no number of ours is compared with a published one, or, of another judge's, how it was made."""
    return row.reason or row.how


def is_recalled(row: Published) -> bool:
    """Tell whether the number was typed from memory, so that nobody should quote it."""
    return row.status.startswith("recalled")


def name_arms(results: Sequence[Result]) -> list[str]:
    """Give each arm of one task a short name of its own, made of what tells it from the others."""
    judges, strategies = {r.judge for r in results}, {r.strategy for r in results}
    names = []
    for r in results:
        parts = [r.judge] * (len(judges) > 1) + [r.strategy] * (len(strategies) > 1)
        names.append(flatten_text(", ".join(parts) or f"{r.judge}, {r.strategy}"))
    if len(set(names)) < len(names) and len({r.k for r in results}) > 1:
        names = [f"{name}, k{'≤' if r.stops else '='}{r.k}" for name, r in zip(names, results, strict=True)]
    names = [f"{name}, {more}" if more else name for name, more in zip(names, tell_apart(results), strict=True)]
    return names if len(set(names)) == len(names) else [f"{name} ({i})" for i, name in enumerate(names, 1)]


def tell_apart(results: Sequence[Result]) -> list[str]:
    """Tell arms alike in judge, strategy and k apart by their signatures, as in "seed 1"; empty for all others."""
    signatures = [[flatten_text(part) for part in r.signature.split("|")] for r in results]
    alike: dict[tuple[str, str, int], list[int]] = {}
    for i, r in enumerate(results):
        alike.setdefault((r.judge, r.strategy, r.k), []).append(i)
    told = [""] * len(results)
    for group in alike.values():
        theirs = [signatures[i] for i in group]
        names = [_find_own_parts(mine, theirs) for mine in theirs]
        without_digests = [[part for part in parts if "@" not in part] for parts in names]
        if len(set(map(tuple, without_digests))) == len(without_digests):  # digests only where nothing else tells
            names = without_digests
        for i, parts in zip(group, names):
            told[i] = ", ".join(part.replace(":", " ", 1) for part in parts)
    return told


NAMED = {"format": "@", "protocol": "("}  # parts that begin with a name, and what its details begin with


def _find_own_parts(mine: Sequence[str], all_of_them: Sequence[Sequence[str]]) -> list[str]:
    """Find the parts of a signature that not all have.

    Of a judge's format and of a protocol only the name is given where the names differ, and nothing else where its
    name alone tells.
    """
    short: dict[str, str] = {}  # the part that is named -> its name
    for name, details in NAMED.items():
        rules, rule = [_name_part(parts, name, details) for parts in all_of_them], _name_part(mine, name, details)
        if len(set(rules)) > 1:
            if rules.count(rule) == 1:
                return [rule]
            short[name] = rule
    parts = [part for part in mine if not all(part in other for other in all_of_them)]
    return [short.get(part.split(":")[0], part) for part in parts]


def _name_part(signature: Sequence[str], name: str, details: str) -> str:
    """Find a part of a signature, without its details; empty where there is none."""
    return next((part.split(details)[0] for part in signature if part.startswith(f"{name}:")), "")
