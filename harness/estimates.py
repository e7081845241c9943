"""From credits to numbers with intervals: sections, headline, differences, and metrics that are no mean of credits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from harness.decisions import Decisions, Pools, only, replay
from harness.evaluate import Credits
from harness.plan import Arm
from harness.seeding import seeded
from harness.statistics import Units, bootstrap, interval, paired_difference, rollup
from harness.types import Estimate, Metric

WORLDS = 50  # joint draws of all items' decisions that a metric is averaged over
METRIC_RESAMPLES = 400  # bootstrap resamples of a metric: each is a full recomputation


def overall(arm: Arm, credits: Credits) -> float:
    """The headline of one column of credits."""
    return float(rollup(credits.units, credits.value, arm.task.headline)[1][0])


def difference(arm: Arm, what: str, a: Credits, b: Credits) -> str:
    """One honest sentence on whether a is above b: paired bootstrap over the same units; (U, 1) credits each."""
    gap, ci = paired_difference(
        a.units, a.value[:, 0], b.value[:, 0], arm.task.headline, draws=arm.resamples, seed=arm.seed
    )
    if ci is None:
        return f"{what}: {gap * 100:+.1f} points (too few clusters for an interval)"
    verdict = "not told apart" if ci[0] <= 0 <= ci[1] else "above" if gap > 0 else "below"
    return f"{what}: {gap * 100:+.1f} points, 95 % interval [{ci[0] * 100:+.1f}, {ci[1] * 100:+.1f}]: {verdict}"


def estimates(arm: Arm, credits: Credits, by: np.ndarray | None = None) -> dict[str, list[Estimate]]:
    """name -> an Estimate at every k, for "overall" and every section (or every value of `by`)."""
    units = credits.units if by is None else dataclasses.replace(credits.units, section=by)
    sections, whole = rollup(units, credits.value, arm.task.headline)
    replicates = bootstrap(units, credits.value, arm.task.headline, draws=arm.resamples, seed=arm.seed)
    found = {}
    for name, value in {"overall": whole, **sections}.items():
        mask = np.ones(len(units.section), bool) if name == "overall" else units.section == name
        error = _mc_error(units, credits.variance, mask, arm.task.headline if name == "overall" else "items")
        found[name] = [
            Estimate(
                "accuracy",
                float(value[j]),
                interval(replicates[name][:, j]),
                int(credits.items[mask].sum()),
                float(error[j]),
            )
            for j in range(credits.value.shape[1])
        ]
    return found


def _mc_error(units: Units, variance: np.ndarray, mask: np.ndarray, headline: str) -> np.ndarray:
    """Standard error left by sampling subsets, units being sampled independently: (K,)."""
    share = np.zeros(len(mask))
    names = np.unique(units.section[mask]) if headline == "sections" else [None]
    for name in names:
        rows = mask if name is None else mask & (units.section == name)
        share[rows] = units.weight[rows] / units.weight[rows].sum() / len(names)
    return np.sqrt(share**2 @ variance)


def metric_estimates(arm: Arm, pools: Sequence[Pools]) -> dict[str, list[Estimate]]:
    """Numbers that are no mean of credits (macro F1, ROC-AUC), overall and as "section: name", at every k."""
    if not arm.task.metrics:
        return {}
    section = np.array([arm.task.section(item) for item in arm.items])
    cluster = np.array([item.cluster for item in arm.items])
    gold = np.array([item.gold for item in arm.items])
    groups = {"": np.arange(len(section))}
    if len(set(section)) > 1:
        groups |= {f"{name}: ": np.flatnonzero(section == name) for name in dict.fromkeys(section)}
    found: dict[str, list[Estimate]] = {f"{group}{name}": [] for group in groups for name in arm.task.metrics}
    for name, metric in arm.task.metrics.items():
        strategy = arm.strategy
        if name in arm.task.of_mean and hasattr(strategy, "unusable"):
            strategy = dataclasses.replace(strategy, unusable="abstain")  # type: ignore[type-var]
        for k, at_k in zip(arm.ks, replay(arm, strategy, arm.ks, pools), strict=True):
            worlds = _worlds(arm, at_k)
            for group, rows in groups.items():
                values = np.array([metric(gold[rows], world[rows]) for world in worlds])
                ci = None
                if k == arm.k:
                    ci = _metric_interval(arm, metric, gold[rows], worlds[:, rows], section[rows], cluster[rows])
                error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
                found[f"{group}{name}"].append(Estimate(name, float(values.mean()), ci, len(rows), error))
    return found


def _worlds(arm: Arm, at_k: Sequence[Decisions]) -> np.ndarray:
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
        values.append(metric(gold[rows], worlds[i % len(worlds), rows]))
    return interval(np.array(values))


def extra_estimates(arm: Arm, pools: Sequence[Pools]) -> dict[str, Estimate]:
    """Per-item figures taken from the pool itself, overall and by section, where the pools allow them."""
    if arm.task.extras is None or any(len(p) != 1 for p in pools):
        return {}
    rows = [arm.task.extras(item, only(p)) for item, p in zip(arm.items, pools, strict=True)]
    if not all(rows):
        return {}
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows])
    units = Units(
        section=np.array([arm.task.section(item) for item in arm.items]),
        cluster=np.array([item.cluster for item in arm.items]),
        weight=np.ones(len(arm.items)),
    )
    table = estimates(arm, Credits(units, units.section, np.ones(len(arm.items), int), values, np.zeros_like(values)))
    return {
        (name if section == "overall" else f"{section}: {name}"): dataclasses.replace(per_name[j], metric=name)
        for section, per_name in table.items()
        for j, name in enumerate(names)
    }
