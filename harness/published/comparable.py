"""Which published numbers ours may be compared with: those of the same metric, rules, strategy and items."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

from judgescale.harness.arm import Arm
from judgescale.harness.published import lists as published
from judgescale.harness.types import Estimate, Published


def find_comparable_numbers(arm: Arm, ours: Mapping[str, Estimate]) -> list[Published]:
    """Find the published numbers of the same metrics and items as ours, and other judges' beside the headline.

    ours: an arm's estimates, "overall" and sections, by name.
    """
    if arm.task.published is None:
        return []
    parts, printed, found = find_comparable_sections(arm), _is_rolled_up_as_printed(arm), []
    for name, e in ours.items():
        part = "overall" if e.metric != "accuracy" else name  # a metric of its own is of all items
        if (parts is None or part in parts) and (printed or part != "overall" or name in arm.task.rollups):
            rows = published.compare_with_published(arm.task.published, arm.judge, {part: e.value}, e.metric)
            found += [dataclasses.replace(p, section=name) for p in rows if p.delta is not None or name == "overall"]
    return found


def is_as_published(arm: Arm) -> bool:
    """Tell whether the headline is of the same quantity as the published one."""
    parts = find_comparable_sections(arm)
    return decides_as_published(arm) and _is_rolled_up_as_printed(arm) and (parts is None or "overall" in parts)


def find_comparable_sections(arm: Arm) -> set[str] | None:
    """Find the sections that hold as many items as the published figures rest on, and "overall" if all do.

    A section whose official size nobody tells must hold all items there are, and no sample of them. None where the
    task knows no official sizes.
    """
    if not arm.task.sizes:
        return None
    counts = Counter(arm.task.section(item) for item in arm.items)
    whole = set(arm.subsets or counts)
    equal = {
        n for n, size in arm.task.sizes.items() if counts[n] and (n in whole if size is None else counts[n] == size)
    } - arm.partial
    if equal == set(arm.task.sizes) == set(counts) and not arm.limit:
        return equal | {"overall"}
    return equal if arm.task.parts_count and not arm.limit else set()


def decides_as_published(arm: Arm) -> bool:
    """Tell whether this arm decides as the published figures were decided; at k=1 a vote is a single judgment."""
    name, k = arm.task.published_with
    same = arm.strategy.name == name or (k == 1 and arm.strategy.plain_vote)
    return same and arm.k == k and follows_owners_rules(arm)


def follows_owners_rules(arm: Arm) -> bool:
    """Tell whether decisions earn what they earn under one of the owners' protocols, however they are rolled up."""
    ours = arm.rules
    return any(
        dataclasses.replace(theirs, name=ours.name, order=ours.order, rollup=ours.rollup) == ours
        for theirs in arm.owners_rules
    )


def _is_rolled_up_as_printed(arm: Arm) -> bool:
    """Tell whether the headline is rolled up as the owners do, with all sections that it counts."""
    sections = {arm.task.section(item) for item in arm.items}
    if arm.task.rollups:
        return arm.rules.rollup in arm.task.rollups and set(arm.task.rollups[arm.rules.rollup]) <= sections
    return len(sections) == 1 or any(arm.rules.rollup == theirs.rollup for theirs in arm.owners_rules)
