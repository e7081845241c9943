"""From credits to numbers with intervals: the headline, sections, subsets and tags, differences, and other metrics."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, make_units
from judgescale.harness.evaluation.decisions import Decisions, decide_by_replay
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.rounding import write_points
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.intervals import (
    Rollup,
    Units,
    find_counted_units,
    percentile_interval,
    rollup,
    section_weights,
    select_units,
    share_headline,
)
from judgescale.harness.stats.means import find_mean_intervals
from judgescale.harness.stats.paired import paired_difference
from judgescale.harness.stats.spread import count_clusters
from judgescale.harness.types import Estimate, Metric

WORLDS = 50  # joint draws of all items' decisions that a metric is averaged over
METRIC_RESAMPLES = 400  # bootstrap resamples of a metric: each is a full recomputation


def roll_up_headline(arm: Arm, credits: Credits) -> float:
    """Roll one column of credits up into the arm's headline."""
    return float(rollup(credits.units, credits.value, arm.rollup)[1][0])


def describe_difference(arm: Arm, what: str, a: Credits, b: Credits) -> str:
    """Say in one sentence whether a's headline is above b's, by their paired difference on the same units.

    a, b: credits at one k each (`select_column`). what: which difference this is, as in "voting - single".
    """
    gap, ci = paired_difference(a.units, a.value[:, 0], b.value[:, 0], arm.rollup)
    if ci is None:
        return f"{what}: {write_points(gap)} points (too few clusters for an interval)"
    verdict = "not told apart" if ci[0] <= 0 <= ci[1] else "above" if gap > 0 else "below"
    low, high = map(write_points, ci)
    return f"{what}: {write_points(gap)} points, 95 % interval [{low}, {high}]: {verdict}"


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
        error = _compute_mc_error(units, credits.variance, mask, own)
        intervals = find_mean_intervals(select_units(units, mask), credits.value[mask], own)
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


def _compute_mc_error(units: Units, variance: np.ndarray, mask: np.ndarray, headline: Rollup) -> np.ndarray:
    """Compute the standard error that sampling subsets left in a roll-up of the units in `mask`: (K,).

    Units are sampled independently of each other, so it is the root of the sum of their squared weights times variance.
    """
    share = np.zeros(len(mask))
    parts = [(mask, 1.0)]  # what the headline is a weighted mean of: all units, or sections
    if headline != "items":
        weights = section_weights(headline, units.section[mask].tolist())
        parts = [(mask & (units.section == name), weight) for name, weight in weights.items()]
    for rows, weight in parts:
        share[rows] = units.weight[rows] / units.weight[rows].sum() * weight / sum(weight for _, weight in parts)
    return np.sqrt(share**2 @ variance)


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
    credits = Credits(units, units.section, np.ones(len(arm.items), int), values, np.zeros_like(values))
    return {
        (name if section == "overall" else f"{section}: {name}"): dataclasses.replace(per_name[j], metric=name)
        for section, per_name in estimate_sections(arm, credits).items()
        for j, name in enumerate(names)
    }


def estimate_metrics(arm: Arm, pools: Sequence[Pools]) -> dict[str, list[Estimate]]:
    """Estimate the task's metrics that are no mean of credits (macro F1, ROC-AUC) at every k.

    By the metric's name overall and by "section: name". Only the headline's k has an interval.
    """
    if not arm.task.metrics:
        return {}
    units = make_units(arm.task, arm.items)
    section, cluster = units.section, units.cluster
    gold = np.array([item.gold for item in arm.items])
    groups = {"": np.arange(len(section))}
    if len(set(section)) > 1:
        groups |= {f"{name}: ": np.flatnonzero(section == name) for name in dict.fromkeys(section)}
    found: dict[str, list[Estimate]] = {f"{group}{name}": [] for group in groups for name in arm.task.metrics}
    for name, metric in arm.task.metrics.items():
        strategy = arm.strategy.let_unusable_abstain() if name in arm.task.of_mean else arm.strategy
        for k, at_k in zip(arm.ks, decide_by_replay(arm, strategy, arm.ks, pools), strict=True):
            worlds = _draw_worlds(arm, at_k)
            for group, rows in groups.items():
                values = np.array(
                    [_apply_metric(arm, metric, gold[rows], world[rows], section[rows]) for world in worlds]
                )
                ci = None
                if k == arm.k:
                    ci = _bootstrap_metric(arm, metric, gold[rows], worlds[:, rows], section[rows], cluster[rows])
                error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
                found[f"{group}{name}"].append(Estimate(name, float(values.mean()), ci, len(rows), error))
    return found


def _apply_metric(arm: Arm, metric: Metric, gold: np.ndarray, decisions: np.ndarray, section: np.ndarray) -> float:
    """Apply a metric to (N, n) decisions: to all of them at once, or section by section where the headline does so."""
    sections = section_weights(arm.rollup, np.unique(section).tolist())
    if arm.rollup == "items" or len(sections) == 1:
        return metric(gold, decisions)
    parts = [metric(gold[section == name], decisions[section == name]) for name in sections]
    return float(np.average(parts, weights=list(sections.values())))


def _draw_worlds(arm: Arm, at_k: Sequence[Decisions]) -> np.ndarray:
    """Draw one decision for every item, several times over: (worlds, N, n)."""
    count = 1 if all(len(d.scores) == 1 for d in at_k) else WORLDS
    drawn = [
        d.scores[make_rng(arm.seed, "worlds", item.id).integers(len(d.scores), size=count)]
        for item, d in zip(arm.items, at_k, strict=True)
    ]
    return np.stack(drawn, axis=1)


def _bootstrap_metric(
    arm: Arm, metric: Metric, gold: np.ndarray, worlds: np.ndarray, section: np.ndarray, cluster: np.ndarray
) -> tuple[float, float] | None:
    """Return a metric's percentile interval, resampling the worlds and, section by section, the clusters."""
    strata = [
        [np.flatnonzero((section == s) & (cluster == c)) for c in np.unique(cluster[section == s])]
        for s in np.unique(section)
    ]
    if sum(map(len, strata)) < 2:
        return None
    rng, values = make_rng(arm.seed, "metric"), []
    for i in range(min(arm.resamples, METRIC_RESAMPLES)):
        drawn = [members[c] for members in strata for c in rng.integers(len(members), size=len(members))]
        rows = np.concatenate(drawn)
        values.append(_apply_metric(arm, metric, gold[rows], worlds[i % len(worlds), rows], section[rows]))
    return percentile_interval(np.array(values))
