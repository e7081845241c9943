"""What a run leaves behind: tables, figures, machine-readable files and the lines on the terminal.

The few readings of a `Result` that all of them share stand here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from math import isfinite

from judgescale.harness.types import CurvePoint, Published, Result

OVERALL = "overall"
UNKNOWN = "-"


def by_task(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The arms of each task, in the order they came."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.task, []).append(result)
    return groups


def curve(result: Result, section: str = OVERALL) -> list[CurvePoint]:
    """One section's points, cheapest first, without those that have no value."""
    points = (p for p in result.curve if p.section == section and isfinite(p.estimate.value))
    return sorted(points, key=lambda p: (p.judgments_per_item, p.k))


def first_point(result: Result) -> float | None:
    """What one judgment a question gives, where the result is of more."""
    return next((p.estimate.value for p in curve(result) if p.k == 1 and result.k > 1), None)


def judgments_per_item(result: Result) -> float | None:
    """What one decision of this arm cost at its k."""
    points = curve(result)
    for point in points:
        if point.k == result.k:
            return point.judgments_per_item
    if points:
        return points[-1].judgments_per_item
    judgments = result.compute.get("judgments")
    return judgments / result.items if judgments is not None and result.items else None


def own(result: Result, recalled: bool = False) -> dict[str, Published]:
    """The printed number of the same judge for each section: the best-trusted, which comes first."""
    found: dict[str, Published] = {}
    for row in result.published:
        if row.delta is not None and (recalled or not is_recalled(row)):
            found.setdefault(row.section, row)
    return found


def context(results: Sequence[Result], recalled: bool = False) -> list[Published]:
    """Other judges' printed numbers, each once; none of a judge that has its own row."""
    ours = {row.name for result in results for row in result.published if row.delta is not None}
    rows = (row for result in results for row in result.published if row.delta is None and row.name not in ours)
    return list(dict.fromkeys(row for row in rows if recalled or not is_recalled(row)))


def is_recalled(row: Published) -> bool:
    """Whether the number was typed from memory: nobody should quote it."""
    return row.status.startswith("recalled")


def labels(results: Sequence[Result]) -> list[str]:
    """A short name for each arm of one task: only what tells it from the others."""
    judges, strategies = {r.judge for r in results}, {r.strategy for r in results}
    names = []
    for r in results:
        parts = [r.judge] * (len(judges) > 1) + [r.strategy] * (len(strategies) > 1)
        names.append(clean(", ".join(parts) or f"{r.judge}, {r.strategy}"))
    if len(set(names)) < len(names) and len({r.k for r in results}) > 1:
        names = [f"{name}, k={r.k}" for name, r in zip(names, results, strict=True)]
    names = [f"{name}, {more}" if more else name for name, more in zip(names, apart(results), strict=True)]
    return names if len(set(names)) == len(names) else [f"{name} ({i})" for i, name in enumerate(names, 1)]


def apart(results: Sequence[Result]) -> list[str]:
    """What only the signatures say of arms alike in judge, strategy and k, as in "seed 1"; empty for all others."""
    signatures = [[clean(part) for part in r.signature.split("|")] for r in results]
    alike: dict[tuple[str, str, int], list[int]] = {}
    for i, r in enumerate(results):
        alike.setdefault((r.judge, r.strategy, r.k), []).append(i)
    told = [""] * len(results)
    for group in alike.values():
        theirs = [signatures[i] for i in group]
        names = [_own_parts(mine, theirs) for mine in theirs]
        plain = [[part for part in parts if "@" not in part] for parts in names]
        if len(set(map(tuple, plain))) == len(plain):  # digests only where nothing else tells
            names = plain
        for i, parts in zip(group, names):
            told[i] = ", ".join(part.replace(":", " ", 1) for part in parts)
    return told


def _own_parts(mine: Sequence[str], all_of_them: Sequence[Sequence[str]]) -> list[str]:
    """The parts of a signature that not all have; of a protocol its name where names differ, and alone if it tells."""
    rules, rule = [_protocol(parts) for parts in all_of_them], _protocol(mine)
    if len(set(rules)) > 1 and rules.count(rule) == 1:
        return [rule]
    parts = [part for part in mine if not all(part in other for other in all_of_them)]
    return [rule if part.startswith("protocol:") and len(set(rules)) > 1 else part for part in parts]


def _protocol(signature: Sequence[str]) -> str:
    """The part of a signature that names the protocol, without its settings."""
    return next((part.split("(")[0] for part in signature if part.startswith("protocol:")), "")


def percent(value: float | None) -> str:
    """78.8; a dash where unknown."""
    return f"{100 * value:.1f}" if value is not None and isfinite(value) else UNKNOWN


def points(delta: float | None) -> str:
    """+0.3, in percentage points; a difference that rounds to nothing has no sign."""
    if delta is None or not isfinite(delta):
        return UNKNOWN
    return f"{100 * delta:+.1f}" if round(100 * delta, 1) else "0.0"


def interval(ci: tuple[float, float] | None) -> str:
    """[72.1, 84.9]; empty where unknown."""
    return f"[{percent(ci[0])}, {percent(ci[1])}]" if ci is not None and all(map(isfinite, ci)) else ""


def plain(value: float | None) -> str:
    """10, 2.5: a count an item without needless zeros."""
    return f"{value:.1f}".removesuffix(".0") if value is not None and isfinite(value) else UNKNOWN


def clean(text: str) -> str:
    """One line that cannot steer a terminal: names and notes come from files and servers we do not know."""
    text = " ".join(str(text).split())
    return "".join(c for c in text if unicodedata.category(c)[0] != "C")
