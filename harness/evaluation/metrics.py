"""Estimate a task's metrics that are no mean of credits (macro F1, ROC-AUC): expected values with their intervals.

What a metric is expected to be is computed from all of an item's decisions at once (stats/classification.py). A plain
function of gold and decisions is averaged over `run.draws` worlds instead: one decision an item, drawn at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import has_closed_form
from judgescale.harness.evaluation.credits import make_units
from judgescale.harness.evaluation.decisions import Decisions, decide, decide_by_replay
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.classification import ExpectedMetric, find_metric_interval, is_counted
from judgescale.harness.stats.intervals import Units, section_weights, select_units
from judgescale.harness.types import Estimate, Item, Metric

PARTS = 50  # parts of the items that are left out one by one, to see how a plain function varies
WORLDS = 20  # worlds that this takes at most


@dataclass(frozen=True)
class Finding:
    """Hold a metric's expected value, the variance that sampling left in it, and what each item moves it by, (N,)."""

    value: float
    variance: float
    influence: np.ndarray | None  # None where it was not asked for
    trials: float = np.inf  # that it is worth at most (stats/classification.py)


def estimate_metrics(
    arm: Arm, pools: Sequence[Pools], decided: Sequence[Sequence[Decisions]]
) -> dict[str, list[Estimate]]:
    """Estimate the task's metrics that are no mean of credits at every k.

    By the metric's name overall and by "section: name". A plain function has an interval at the headline's k only.
    decided: the strategy's decisions as [k][item].
    """
    if not arm.task.metrics:
        return {}
    units = make_units(arm.task, arm.items)
    groups = {"": np.arange(len(arm.items))}
    if len(names := dict.fromkeys(units.section.tolist())) > 1:
        groups |= {f"{name}: ": np.flatnonzero(units.section == name) for name in names}
    found: dict[str, list[Estimate]] = {f"{group}{name}": [] for group in groups for name in arm.task.metrics}
    for name, metric in arm.task.metrics.items():
        decisions = _decide_for_metric(arm, pools, decided, name, metric)
        for k, at_k in zip(arm.ks, decisions, strict=True):
            for group, rows in groups.items():
                one = _find_in_sections(arm, metric, rows, units.section, at_k, k == arm.k)
                found[f"{group}{name}"].append(_make_estimate(name, one, select_units(units, rows)))
    return found


def compute_metric(arm: Arm, metric: Metric, runs: Sequence[np.ndarray]) -> list[float]:
    """Compute a metric of all items in each of D runs, as the headline is made of its sections.

    runs: each item's decisions, (D, n).
    """
    section, every, sure = make_units(arm.task, arm.items).section, np.arange(len(arm.items)), np.ones(1)
    worlds = ([Decisions(d[None], sure, 0) for d in world] for world in zip(*runs, strict=True))
    return [_find_in_sections(arm, metric, every, section, world, False).value for world in worlds]


def describe_metrics(arm: Arm, estimates: Mapping[str, Sequence[Estimate]]) -> list[str]:
    """Say of each metric that knows what a guess would give whether it is told apart from that, at the headline's k."""
    notes = []
    for name, metric in arm.task.metrics.items():
        estimate = estimates[name][arm.ks.index(arm.k)]
        if isinstance(metric, ExpectedMetric) and metric.guess is not None and estimate.ci:
            notes.append(describe_against_guess(name, estimate.value, estimate.ci, metric.guess))
    return notes


def describe_against_guess(name: str, value: float, ci: tuple[float, float], guess: float) -> str:
    """Say in one sentence whether a metric is told apart from what a guess would give."""
    verdict = "not told apart from" if ci[0] <= guess <= ci[1] else "above" if value > guess else "below"
    return f"{name} {value:.3f}, 95 % interval [{ci[0]:.3f}, {ci[1]:.3f}]: {verdict} a guess ({guess:.3f})."


def _decide_for_metric(
    arm: Arm, pools: Sequence[Pools], decided: Sequence[Sequence[Decisions]], name: str, metric: Metric
) -> Sequence[Sequence[Decisions]]:
    """Return the decisions that a metric looks at, as [k][item]."""
    strategy = arm.strategy.let_unusable_abstain() if name in arm.task.of_mean else arm.strategy
    if strategy == arm.strategy and (is_counted(metric) or not has_closed_form(strategy, arm.items)):
        return decided  # a plain function needs decisions that were replayed, and these were
    return (decide if is_counted(metric) else decide_by_replay)(arm, strategy, arm.ks, pools)


def _find_in_sections(
    arm: Arm, metric: Metric, rows: np.ndarray, section: np.ndarray, at_k: Sequence[Decisions], headline: bool
) -> Finding:
    """Find a metric of the items in `rows`: of all at once, or section by section where the headline does so.

    section: of every item. headline: whether an interval is wanted whatever it costs.
    """

    def find(rows: np.ndarray) -> Finding:
        of_items = [at_k[i] for i in rows]
        if isinstance(metric, ExpectedMetric):
            return _find_expectation(metric, [arm.items[i] for i in rows], of_items)
        return _find_by_worlds(arm, metric, [arm.items[i] for i in rows], of_items, headline)

    weights = {
        name: weight
        for name, weight in section_weights(arm.rollup, np.unique(section[rows]).tolist()).items()
        if weight
    }
    if arm.rollup == "items" or len(weights) < 2:
        return find(rows)
    value = variance = spread = 0.0
    influence = np.zeros(len(rows))
    for name, weight in weights.items():
        part = np.flatnonzero(section[rows] == name)
        one, share = find(rows[part]), weight / sum(weights.values())
        value, variance = value + share * one.value, variance + share**2 * one.variance
        spread += share**2 / one.trials
        influence[part] = share * (np.nan if one.influence is None else one.influence)
    trials = 1 / spread if spread else np.inf
    return Finding(value, variance, None if np.isnan(influence).any() else influence, trials)


def _find_expectation(metric: ExpectedMetric, items: Sequence[Item], of_items: Sequence[Decisions]) -> Finding:
    """Compute a metric's expectation over all decisions of these items."""
    gold = np.array([item.gold for item in items])
    item = np.repeat(np.arange(len(items)), [len(d.scores) for d in of_items])
    weight = np.concatenate([d.weight for d in of_items])
    value, influence, slope, trials = metric.expect(gold, item, weight, np.concatenate([d.scores for d in of_items]))
    # each item adds the variance of its decisions' slopes, over its draws
    mean = np.bincount(item, weight * slope, len(items))
    spread = np.bincount(item, weight * (slope - mean[item]) ** 2, len(items))
    draws = np.array([d.draws for d in of_items])
    return Finding(value, float((spread / np.maximum(draws - 1, 1))[draws > 0].sum()), influence, trials)


def _find_by_worlds(
    arm: Arm, metric: Metric, items: Sequence[Item], of_items: Sequence[Decisions], headline: bool
) -> Finding:
    """Average a metric over random worlds of one decision for each of these items."""
    gold = np.array([item.gold for item in items])
    if all(len(d.scores) == 1 for d in of_items):
        worlds = np.stack([d.scores for d in of_items], axis=1)
    else:
        worlds = np.stack([_draw_decisions(arm, i, d) for i, d in zip(items, of_items, strict=True)], axis=1)
    values = np.array([metric(gold, world) for world in worlds])
    variance = float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0
    if not headline:
        return Finding(float(values.mean()), variance, None)
    names, number = np.unique([item.cluster for item in items], return_inverse=True)
    parts = min(PARTS, len(names))
    part = make_rng(arm.seed, "parts").permutation(len(names))[number] % parts
    influence, few = np.zeros(len(items)), worlds[:WORLDS]
    if parts > 1:  # the jackknife
        whole = values[: len(few)].mean()
        for p in range(parts):
            rest = part != p
            change = whole - np.mean([metric(gold[rest], world[rest]) for world in few])
            influence[np.argmin(rest)] = change * (parts - 1) / parts  # one item stands for its part
    return Finding(float(values.mean()), variance, influence)


def _draw_decisions(arm: Arm, item: Item, of_item: Decisions) -> np.ndarray:
    """Draw an item's decision in every world, (worlds, n): each of its random replays once, or by its weights."""
    rng = make_rng(arm.seed, "worlds", item.id)
    if of_item.draws:
        return of_item.scores[rng.permutation(len(of_item.scores))]
    return of_item.scores[rng.choice(len(of_item.scores), arm.draws, p=of_item.weight)]


def _make_estimate(name: str, found: Finding, units: Units) -> Estimate:
    """Make a metric's estimate; its interval is for new items like these."""
    ci = None if found.influence is None else find_metric_interval(units, found.value, found.influence, found.trials)
    return Estimate(name, found.value, ci, len(units.section), float(np.sqrt(found.variance)))
