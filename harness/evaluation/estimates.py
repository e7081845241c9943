"""From decisions to credits to numbers with intervals: sections, headline, differences, and metrics beside them."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.decisions import Decisions, replay
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.seeding import seeded
from judgescale.harness.stats.intervals import (
    Rollup,
    Units,
    bootstrap,
    counted,
    interval,
    paired_difference,
    rollup,
    section_weights,
)
from judgescale.harness.types import Estimate, Item, Metric, Task

WORLDS = 50  # joint draws of all items' decisions that a metric is averaged over
METRIC_RESAMPLES = 400  # bootstrap resamples of a metric: each is a full recomputation


@dataclass(frozen=True)
class Credits:
    """Expected credit of every unit at every k, and the variance that sampling subsets left in it: (U, K) each."""

    units: Units
    subset: np.ndarray  # (U,)
    items: np.ndarray  # (U,): how many items a unit holds
    value: np.ndarray
    variance: np.ndarray
    tags: Sequence[tuple[tuple[str, str], ...]] = ()  # (U,)

    def of(self, rows: Sequence[int]) -> Credits:
        """These units only."""
        units = Units(self.units.section[rows], self.units.cluster[rows], self.units.weight[rows])
        return Credits(units, self.subset[rows], self.items[rows], self.value[rows], self.variance[rows])

    def at(self, column: int) -> Credits:
        return dataclasses.replace(self, value=self.value[:, [column]], variance=self.variance[:, [column]])


def make_units(task: Task, items: Sequence[Item]) -> Units:
    """One unit an item. Items of a subset share its weight; of one that has none, each counts as one."""
    weights, counts = task.weights, Counter(item.subset for item in items)
    return Units(
        section=np.array([task.section(item) for item in items]),
        cluster=np.array([item.cluster for item in items]),
        weight=np.array([weights.get(item.subset, counts[item.subset]) / counts[item.subset] for item in items]),
    )


def group_by_unit(task: Task, items: Sequence[Item]) -> dict[str, list[int]]:
    """unit -> the places of its items."""
    members: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        members.setdefault(task.unit(item), []).append(i)
    return members


def credit_units(arm: Arm, decisions: Sequence[Sequence[Decisions]]) -> Credits:
    """Expected credit of every unit at every k."""
    members = group_by_unit(arm.task, arm.items)
    value = np.zeros((len(members), len(decisions)))
    variance = np.zeros_like(value)
    for j, at_k in enumerate(decisions):
        for u, rows in enumerate(members.values()):
            items = [arm.items[i] for i in rows]
            if len(rows) == 1:
                d = at_k[rows[0]]
                earned = arm.task.credit(items, [d.scores], arm.rules)
                weight, draws = d.weight, d.draws
            else:
                earned, weight, draws = _credit_jointly(arm, items, [at_k[i] for i in rows])
            value[u, j] = earned @ weight
            if draws:
                variance[u, j] = ((earned - value[u, j]) ** 2 @ weight) / (draws - 1)
    first = [arm.items[rows[0]] for rows in members.values()]
    units = make_units(arm.task, first)
    subset, sizes = np.array([item.subset for item in first]), np.array([len(rows) for rows in members.values()])
    return Credits(units, subset, sizes, value, variance, [item.tags for item in first])


def _credit_jointly(
    arm: Arm, items: Sequence[Item], of_items: Sequence[Decisions]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Credits of a unit of several items, over every combination of their decisions (or a sample of them)."""
    if math.prod(len(d.scores) for d in of_items) <= arm.draws:
        index = np.indices([len(d.scores) for d in of_items]).reshape(len(of_items), -1)
        weight = np.prod([d.weight[i] for d, i in zip(of_items, index, strict=True)], axis=0)
        draws = max(d.draws for d in of_items)
    else:
        rng = seeded(arm.seed, "unit", *(item.id for item in items))
        index = np.array([rng.choice(len(d.scores), arm.draws, p=d.weight) for d in of_items])
        weight, draws = np.full(arm.draws, 1 / arm.draws), arm.draws
    scores = [d.scores[i] for d, i in zip(of_items, index, strict=True)]
    return arm.task.credit(items, scores, arm.rules), weight, draws


def roll_up_headline(arm: Arm, credits: Credits) -> float:
    """The headline of one column of credits."""
    return float(rollup(credits.units, credits.value, arm.rollup)[1][0])


def compare(arm: Arm, what: str, a: Credits, b: Credits) -> str:
    """One honest sentence on whether a is above b: paired bootstrap over the same units; (U, 1) credits each."""
    gap, ci = paired_difference(a.units, a.value[:, 0], b.value[:, 0], arm.rollup, draws=arm.resamples, seed=arm.seed)
    if ci is None:
        return f"{what}: {gap * 100:+.1f} points (too few clusters for an interval)"
    verdict = "not told apart" if ci[0] <= 0 <= ci[1] else "above" if gap > 0 else "below"
    return f"{what}: {gap * 100:+.1f} points, 95 % interval [{ci[0] * 100:+.1f}, {ci[1] * 100:+.1f}]: {verdict}"


def estimate_subsets(arm: Arm, credits: Credits) -> dict[str, list[Estimate]]:
    """name -> an Estimate at every k, for every subset."""
    units = dataclasses.replace(credits.units, section=credits.subset)
    found = estimate(arm, dataclasses.replace(credits, units=units), "items")
    return {name: e for name, e in found.items() if name != "overall"}


def estimate_tags(arm: Arm, credits: Credits) -> dict[str, list[Estimate]]:
    """ "name: value" of every tag, the commonest first -> an Estimate at every k, rolled up as the headline is."""
    members: dict[tuple[str, str], list[int]] = {}
    for u, tags in enumerate(credits.tags):
        for tag in tags:
            members.setdefault(tag, []).append(u)
    found, names = {}, list(dict.fromkeys(name for name, _ in members))
    for (name, value), rows in sorted(members.items(), key=lambda tag: (names.index(tag[0][0]), -len(tag[1]))):
        part = estimate(arm, credits.of(rows))["overall"]
        if not math.isnan(part[0].value):
            found[f"{name}: {value}"] = part
    return found


def estimate_other_rollups(arm: Arm, credits: Credits) -> dict[str, list[Estimate]]:
    """The benchmark's other headlines at every k, where their sections are all there and they weigh differently."""
    sections = set(credits.units.section.tolist())
    ours = section_weights(arm.rollup, sections)
    return {
        name: [dataclasses.replace(e, metric=name) for e in estimate(arm, credits, headline)["overall"]]
        for name, headline in arm.task.rollups.items()
        if set(headline) <= sections and (arm.rollup == "items" or section_weights(headline, sections) != ours)
    }


def estimate(arm: Arm, credits: Credits, headline: Rollup | None = None) -> dict[str, list[Estimate]]:
    """name -> an Estimate at every k, for "overall" (by the arm's headline, or another) and every section."""
    units, metric = credits.units, "accuracy" if headline else arm.metric
    headline = headline or arm.rollup
    sections, whole = rollup(units, credits.value, headline)
    replicates = bootstrap(units, credits.value, headline, draws=arm.resamples, seed=arm.seed)
    found = {}
    for name, value in {"overall": whole, **sections}.items():
        mask = counted(units.section, headline) if name == "overall" else units.section == name
        error = _mc_error(units, credits.variance, mask, headline if name == "overall" else "items")
        found[name] = [
            Estimate(
                metric if name == "overall" else "accuracy",
                float(value[j]),
                interval(replicates[name][:, j]),
                int(credits.items[mask].sum()),
                float(error[j]),
            )
            for j in range(credits.value.shape[1])
        ]
    return found


def _mc_error(units: Units, variance: np.ndarray, mask: np.ndarray, headline: Rollup) -> np.ndarray:
    """Standard error left by sampling subsets, units being sampled independently: (K,)."""
    share = np.zeros(len(mask))
    parts = [(mask, 1.0)]  # what the headline is a weighted mean of: all units, or sections
    if headline != "items":
        weights = section_weights(headline, units.section[mask].tolist())
        parts = [(mask & (units.section == name), weight) for name, weight in weights.items()]
    for rows, weight in parts:
        share[rows] = units.weight[rows] / units.weight[rows].sum() * weight / sum(weight for _, weight in parts)
    return np.sqrt(share**2 @ variance)


def estimate_metrics(arm: Arm, pools: Sequence[Pools]) -> dict[str, list[Estimate]]:
    """Numbers that are no mean of credits (macro F1, ROC-AUC), overall and as "section: name", at every k."""
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
        strategy = arm.strategy.abstaining() if name in arm.task.of_mean else arm.strategy
        for k, at_k in zip(arm.ks, replay(arm, strategy, arm.ks, pools), strict=True):
            worlds = _draw_worlds(arm, at_k)
            for group, rows in groups.items():
                values = np.array([measure(arm, metric, gold[rows], world[rows], section[rows]) for world in worlds])
                ci = None
                if k == arm.k:
                    ci = _metric_interval(arm, metric, gold[rows], worlds[:, rows], section[rows], cluster[rows])
                error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
                found[f"{group}{name}"].append(Estimate(name, float(values.mean()), ci, len(rows), error))
    return found


def measure(arm: Arm, metric: Metric, gold: np.ndarray, decisions: np.ndarray, section: np.ndarray) -> float:
    """A metric of (N, n) decisions: of all of them, or the mean of sections where the headline is one."""
    sections = section_weights(arm.rollup, np.unique(section).tolist())
    if arm.rollup == "items" or len(sections) == 1:
        return metric(gold, decisions)
    parts = [metric(gold[section == name], decisions[section == name]) for name in sections]
    return float(np.average(parts, weights=list(sections.values())))


def _draw_worlds(arm: Arm, at_k: Sequence[Decisions]) -> np.ndarray:
    """One decision for every item, several times over: (worlds, N, n)."""
    count = 1 if all(len(d.scores) == 1 for d in at_k) else WORLDS
    drawn = [
        d.scores[seeded(arm.seed, "worlds", item.id).integers(len(d.scores), size=count)]
        for item, d in zip(arm.items, at_k, strict=True)
    ]
    return np.stack(drawn, axis=1)


def _metric_interval(
    arm: Arm, metric: Metric, gold: np.ndarray, worlds: np.ndarray, section: np.ndarray, cluster: np.ndarray
) -> tuple[float, float] | None:
    """Percentile bootstrap over the worlds and, section by section, over clusters."""
    strata = [
        [np.flatnonzero((section == s) & (cluster == c)) for c in np.unique(cluster[section == s])]
        for s in np.unique(section)
    ]
    if sum(map(len, strata)) < 2:
        return None
    rng, values = seeded(arm.seed, "metric"), []
    for i in range(min(arm.resamples, METRIC_RESAMPLES)):
        drawn = [members[c] for members in strata for c in rng.integers(len(members), size=len(members))]
        rows = np.concatenate(drawn)
        values.append(measure(arm, metric, gold[rows], worlds[i % len(worlds), rows], section[rows]))
    return interval(np.array(values))


def estimate_extras(arm: Arm, pools: Sequence[Pools]) -> dict[str, Estimate]:
    """Per-item figures taken from the pools themselves, overall and by section, where the pools allow them."""
    if arm.task.extras is None:
        return {}
    rows = [arm.task.extras(item, p) for item, p in zip(arm.items, pools, strict=True)]
    if not all(rows):
        return {}
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    units = make_units(arm.task, arm.items)
    table = estimate(arm, Credits(units, units.section, np.ones(len(arm.items), int), values, np.zeros_like(values)))
    return {
        (name if section == "overall" else f"{section}: {name}"): dataclasses.replace(per_name[j], metric=name)
        for section, per_name in table.items()
        for j, name in enumerate(names)
    }
