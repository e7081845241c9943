"""What an arm's numbers are to printed ones, at every k: the block `comparable` of summary.json, and its reader.

A finished run is held against a printed table long after it ran, without its judgments: so it says of each number whose
it is, how it was made, whether it is of what was printed, and where judging the same items again would land.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from judgescale.harness.arm import Arm
from judgescale.harness.published.comparable import (
    describe_setting,
    explain_other_quantity,
    explain_other_rules,
    follows_owners_rules,
    name_model,
    name_other_rules,
)
from judgescale.harness.published.lists import METRICS, find_rows, is_same_judge, normalise_subset
from judgescale.harness.published.setting import Setting, explain_difference
from judgescale.harness.types import Estimate, JudgescaleError

Interval = tuple[float, float] | None
Intervals = Mapping[str, Interval]  # of judging the same items again, by a number's name


class Candidate(NamedTuple):
    """Hold one number of a run as a printed one may be held against it: fractions 0-1."""

    benchmark: str
    judge: str
    section: str
    metric: str  # as the lists call it
    setting: Setting
    value: float
    items: int
    mc_error: float
    again: Interval  # where judging the same items again would land; None where that is not known
    unknown: str  # and then why, in words
    guess: float | None  # what picking responses at random would earn
    why_not: str  # why no printed number is comparable with it; empty where one may be


def list_printed_subsets(arm: Arm) -> set[str]:
    """List the sections and subsets that somebody printed of the arm's judge, as all spell them."""
    if arm.task.published is None:
        return set()
    model, rows = name_model(arm, describe_setting(arm)), find_rows(arm.task.published, metric=None)
    return {normalise_subset(row.subset) for row in rows if is_same_judge(row.model, model)}


def list_printed_ks(arm: Arm) -> list[int]:
    """List the arm's ks at which somebody printed a number of the same judge, made in the same way."""
    if arm.task.published is None:
        return []
    model, rows = name_model(arm, describe_setting(arm)), find_rows(arm.task.published, metric=None)
    own = [row for row in rows if is_same_judge(row.model, model)]
    settings = {k: describe_setting(arm, k) for k in arm.ks}
    return [k for k, setting in settings.items() if not all(explain_difference(row, setting) for row in own)]


def describe_candidates(
    arm: Arm,
    numbers: Mapping[str, Sequence[Estimate]],
    again: Mapping[int, Intervals],
    unknown: str,
    guesses: Mapping[str, float],
) -> dict[str, Any]:
    """Describe an arm's numbers as printed ones may be held against them; empty for a benchmark that has none.

    numbers: at every k of the arm, by name: "overall", sections, subsets, metrics of all items, and "section: metric".
    again: where judging the same items again would land, by k, where that was computed; unknown: why it is not known.
    guesses: what picking at random earns, by name.
    """
    if arm.task.published is None:
        return {}
    rules = "" if follows_owners_rules(arm) or name_other_rules(arm) else explain_other_rules(arm)
    section_of = {item.subset: arm.task.section(item) for item in arm.items}
    rows = []
    for name, estimates in numbers.items():
        metric, part = estimates[0].metric, section_of.get(name, name)
        if metric != "accuracy":  # a metric of its own is of all items, or of a section's
            part = name.partition(": ")[0] if ": " in name else "overall"
        rows.append(
            {
                "section": part if metric != "accuracy" else name,
                "metric": METRICS.get(metric, metric),
                "items": estimates[0].items,
                "why_not": rules or explain_other_quantity(arm, name, part),
                "guess": guesses.get(name),
                "values": [e.value for e in estimates],
                "mc_errors": [e.mc_error for e in estimates] if any(e.mc_error for e in estimates) else [],
                "again": [again.get(k, {}).get(name) for k in arm.ks],
            }
        )
    settings = [describe_setting(arm, k)._asdict() for k in arm.ks]
    judge = name_model(arm, describe_setting(arm))
    return write_candidates(arm.task.published, judge, settings, rows, unknown)


def write_candidates(
    benchmark: str,
    judge: str,
    settings: Sequence[Mapping[str, Any]],
    numbers: Sequence[Mapping[str, Any]],
    unknown: str,
) -> dict[str, Any]:
    """Write the block: settings one a k, and of every number a list of as many values."""
    return {
        "benchmark": benchmark,
        "judge": judge,
        "again_unknown": unknown,
        "settings": list(settings),
        "numbers": list(numbers),
    }


def read_candidates(block: Mapping[str, Any]) -> list[Candidate]:
    """Read the numbers of a block. Raises JudgescaleError for one that no run writes."""
    found = []
    try:
        for number in block["numbers"]:
            errors = number["mc_errors"] or [0.0] * len(block["settings"])
            every = zip(block["settings"], number["values"], errors, number["again"], strict=True)
            for setting, value, error, again in every:
                if value is None or not isfinite(value):
                    continue
                low, high = again or (None, None)
                found.append(
                    Candidate(
                        benchmark=str(block["benchmark"]),
                        judge=str(block["judge"]),
                        section=str(number["section"]),
                        metric=str(number["metric"]),
                        setting=Setting(**setting),
                        value=float(value),
                        items=int(number["items"]),
                        mc_error=float(error),
                        again=None if low is None or high is None else (float(low), float(high)),
                        unknown=str(block["again_unknown"]),
                        guess=None if number["guess"] is None else float(number["guess"]),
                        why_not=str(number["why_not"]),
                    )
                )
    except (LookupError, TypeError, ValueError, AttributeError):
        raise JudgescaleError("its block `comparable` is not one that a run writes") from None
    return found
