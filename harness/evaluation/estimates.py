"""From credits to numbers with intervals: the headline, sections, subsets and tags."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, make_units
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.stats.intervals import (
    Rollup,
    find_counted_units,
    rollup,
    section_weights,
    select_units,
    share_headline,
)
from judgescale.harness.stats.means import find_mean_intervals
from judgescale.harness.stats.spread import count_clusters
from judgescale.harness.types import Estimate


def roll_up_headline(arm: Arm, credits: Credits) -> float:
    """Roll one column of credits up into the arm's headline."""
    return float(rollup(credits.units, credits.value, arm.rollup)[1][0])


def estimate_sections(arm: Arm, credits: Credits, headline: Rollup | None = None) -> dict[str, list[Estimate]]:
    """Estimate "overall" and every section at every k, by name.

    headline: how "overall" is made of the sections; the arm's own roll-up where it is None.
    """
    units, metric = credits.units, "accuracy" if headline else arm.metric
    headline = headline or arm.rollup
    sections, whole = rollup(units, credits.value, headline)
    found = {}
    for name, value in {"overall": whole, **sections}.items():
        mask = find_counted_units(units.section, headline) if name == "overall" else units.section == name
        own = headline if name == "overall" else "items"
        counted, share = select_units(units, mask), np.zeros(len(mask))
        share[mask] = share_headline(counted, own)
        error = np.sqrt(share**2 @ credits.variance)  # units are sampled independently of each other
        intervals = find_mean_intervals(counted, credits.value[mask], own)
        found[name] = [
            Estimate(
                metric if name == "overall" else "accuracy",
                float(value[j]),
                intervals[j],
                int(credits.items[mask].sum()),
                float(error[j]),
            )
            for j in range(credits.value.shape[1])
        ]
    return found


def count_independent_clusters(arm: Arm, credits: Credits) -> float:
    """Count the clusters that the headline rests on, unequal ones as so many equal ones."""
    return count_clusters(credits.units, share_headline(credits.units, arm.rollup))


def estimate_other_rollups(arm: Arm, credits: Credits) -> dict[str, list[Estimate]]:
    """Estimate the benchmark's other headlines at every k, by name.

    Left out are those whose sections are not all there, and those that weigh the sections as the arm's headline does.
    """
    sections = set(credits.units.section.tolist())
    ours = section_weights(arm.rollup, sections)
    return {
        name: [dataclasses.replace(e, metric=name) for e in estimate_sections(arm, credits, headline)["overall"]]
        for name, headline in arm.task.rollups.items()
        if set(headline) <= sections and (arm.rollup == "items" or section_weights(headline, sections) != ours)
    }


def estimate_subsets(arm: Arm, credits: Credits) -> dict[str, list[Estimate]]:
    """Estimate every subset at every k, by name."""
    units = dataclasses.replace(credits.units, section=credits.subset)
    found = estimate_sections(arm, dataclasses.replace(credits, units=units), "items")
    return {name: e for name, e in found.items() if name != "overall"}


def estimate_tags(arm: Arm, credits: Credits) -> dict[str, list[Estimate]]:
    """Estimate the units of every tag at every k, by "name: value", rolled up as the headline is.

    The values of a name come with the commonest first.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for u, tags in enumerate(credits.tags):
        for tag in tags:
            members.setdefault(tag, []).append(u)
    found, names = {}, list(dict.fromkeys(name for name, _ in members))
    for (name, value), rows in sorted(members.items(), key=lambda tag: (names.index(tag[0][0]), -len(tag[1]))):
        part = estimate_sections(arm, credits.select_units(rows))["overall"]
        if not math.isnan(part[0].value):
            found[f"{name}: {value}"] = part
    return found


def estimate_extras(arm: Arm, pools: Sequence[Pools]) -> dict[str, Estimate]:
    """Estimate the task's per-item figures of the pools themselves, overall and as "section: name".

    Empty where the task has none, or where some item's pools do not allow them.
    """
    if arm.task.extras is None:
        return {}
    rows = [arm.task.extras(item, p) for item, p in zip(arm.items, pools, strict=True)]
    if not all(rows):
        return {}
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    units = make_units(arm.task, arm.items)
    credits = Credits(units, units.section, np.ones(len(arm.items), int), values, np.zeros_like(values), values)
    return {
        (name if section == "overall" else f"{section}: {name}"): dataclasses.replace(per_name[j], metric=name)
        for section, per_name in estimate_sections(arm, credits).items()
        for j, name in enumerate(names)
    }
