"""The health of judgments: what could not be read, what tied, and which verdicts follow the order of the responses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from judgescale.harness.arm import Arm
from judgescale.harness.recorded.pools import Pools


def count_turns(arm: Arm) -> int | None:
    """How many judgments in a row are one reading in several orders; None where the orders are left to chance."""
    live = arm.judgments.data.meta.get("live")
    return 1 if not live else 2 if arm.judgments.data.meta["order"] in ("both", "balanced") else None


def check_health(pools: Sequence[Pools], turns: int | None = 1) -> dict[str, Any]:
    """Counts over all judgments of the pools: what could not be read, ties, and verdicts that follow the order.

    Judgments of `turns` successive samples are readings of one question in different orders.
    """
    judgments = ties = flips = 0
    statuses: Counter[str] = Counter()
    for pool in (pool for p in pools for pool in p.values()):
        asked: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}  # repeats of a question in other orders
        judgments += len(pool)
        for j, shown, scores in zip(pool.judgments, pool.shown, pool.scores, strict=True):
            statuses[j.status] += 1
            if j.scores is None or len(scores) < 2:
                continue
            if (scores == scores.max()).sum() > 1:
                ties += 1
            else:
                asked.setdefault((j.judge, j.sample // (turns or 1), j.variant), {})[shown] = int(scores.argmax())
        if all(len(orders) == 1 for orders in asked.values()):  # an arrangement may be recorded as a variant
            merged: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}
            for (judge, sample, _), orders in asked.items():
                merged.setdefault((judge, sample, ""), {}).update(orders)
            asked = merged
        flips += sum(len(set(orders.values())) > 1 for orders in asked.values())
    unparseable = judgments - statuses["ok"] - statuses["failed"]
    return {
        "judgments": judgments,
        "unparseable": unparseable,
        "ties": ties,
        "order_flips": None if turns is None else flips,
        "failed": statuses["failed"],
        "statuses": dict(statuses),
    }
