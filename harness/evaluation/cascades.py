"""Calibrate a cascade on labelled items, never on those that it decides about, and say what each judge decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.replay import draw_orders
from judgescale.harness.evaluation.rules import mark_right
from judgescale.harness.recorded.pools import Pools, take_only_pool
from judgescale.harness.rounding import write_rounded
from judgescale.harness.seeding import make_rng
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    from judgescale.harness.evaluation.decisions import Decisions

FOLDS = 5  # each is decided about with what the others taught


def queue_judges(arm: Arm, strategy: Strategy) -> tuple[tuple[str, int], ...]:
    """Return the arm's judges in the order in which they are asked, and how many judgments each gives at most."""
    judges = arm.judgments.judges
    return tuple(zip(judges, strategy.tiers(len(judges)), strict=True))


def calibrate_in_folds(arm: Arm, strategy: Strategy, pools: Sequence[Pools]) -> Iterator[tuple[np.ndarray, Strategy]]:
    """Yield the places of the items of each fold, and the strategy as calibrated on the clusters of all other folds.

    One item of a cluster is calibrated on, drawn by lot, and judged once, as it would be live: the test takes items for
    independent. Raises JudgescaleError where there are too few clusters.
    """
    clusters, cluster = np.unique([item.cluster for item in arm.items], return_inverse=True)
    if len(clusters) < FOLDS:
        raise JudgescaleError(
            f"strategy={strategy.name} is calibrated on other items than it decides about: it takes at least {FOLDS}"
            f" clusters of items, and there are {len(clusters)}"
        )
    confidence, right = examine_items(arm, strategy, pools)
    rng = make_rng(arm.seed, "calibration")
    fold = (rng.permutation(len(clusters)) % FOLDS)[cluster]
    by_lot = rng.permutation(len(arm.items))
    one_each = by_lot[np.unique(cluster[by_lot], return_index=True)[1]]
    for number in range(FOLDS):
        others = one_each[fold[one_each] != number]
        yield np.flatnonzero(fold == number), strategy.calibrate(confidence[others], right[others])


def examine_items(arm: Arm, strategy: Strategy, pools: Sequence[Pools]) -> tuple[np.ndarray, np.ndarray]:
    """Judge every item once by every judge: how sure each is, and whether it decides rightly, (N, judges) each.

    NaN for a judge who is not asked at this k. A tie is not right, whatever the protocol gives for it.
    """
    queue = queue_judges(arm, strategy)
    ends = np.cumsum([count for _, count in queue])
    confidence = np.full((len(pools), len(queue)), np.nan)
    right = np.zeros(confidence.shape, bool)
    for i, (item, p) in enumerate(zip(arm.items, pools, strict=True)):
        order = draw_orders(p, 1, make_rng(arm.seed, "calibration", item.id), queue=queue)[0, 0]
        for tier, ((_, count), end) in enumerate(zip(queue, ends, strict=True)):
            if count:
                sure, verdict = strategy.examine(take_only_pool(p).scores[None, order[end - count : end]])
                confidence[i, tier], right[i, tier] = sure[0], mark_right(arm.task, arm.rules, item, verdict)[0]
    return confidence, right


def describe_tiers(arm: Arm, pools: Sequence[Pools], decisions: Sequence[Decisions]) -> dict[str, Any]:
    """Say which share of the items each judge decides, how often rightly (no tie is), and from which confidence on.

    decisions: one an item, at the arm's k.
    """
    queue = queue_judges(arm, arm.strategy)
    levels = [ready.thresholds for _, ready in calibrate_in_folds(arm, arm.strategy, pools)]
    details: dict[str, Any] = {}
    ends = np.cumsum([count for _, count in queue])
    for tier, ((judge, count), end) in enumerate(zip(queue, ends, strict=True)):
        if not count:
            continue
        decided = held = 0.0
        for item, d in zip(arm.items, decisions, strict=True):
            assert d.bought is not None
            share = d.weight * (d.bought == end)
            decided += float(share.sum())
            held += float(share @ mark_right(arm.task, arm.rules, item, d.scores))
        if tier < len(queue) - 1:
            of_folds = [write_rounded(at[tier], 2) if np.isfinite(at[tier]) else "never" for at in levels]
            details[f"{judge} decides from a confidence of, by fold"] = ", ".join(of_folds)
        details[f"decided by {judge}"] = decided / len(arm.items)
        details[f"right, of what {judge} decided"] = held / decided if decided else None
    return details
