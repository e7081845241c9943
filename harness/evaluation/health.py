"""The health of judgments: how many could not be read, tied, or followed the order in which responses were shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.decisions import Decisions
from judgescale.harness.recorded.pools import Pools, list_judgments


def count_orders_per_reading(arm: Arm) -> int | None:
    """Count the successive judgments that read one question in different orders: 1, or 2 where a live run showed both.

    None where the orders were left to chance, or where there are none, each response being scored alone.
    """
    meta = arm.judgments.data.meta
    if arm.judgments.pointwise:
        return None
    if not meta.get("live"):
        return 1
    return 2 if meta["order"] in ("both", "balanced") else None


def count_tied_decisions(decisions: Sequence[Decisions]) -> float:
    """Count the decisions, one an item, in which two or more responses share the best score: the expected number.

    About a lone response it is a tie where its score says neither yes nor no.
    """
    tied = 0.0
    for d in decisions:
        if d.scores.shape[1] == 1:
            ties = d.scores[:, 0] == 0.5
        else:
            ties = (d.scores == d.scores.max(axis=1, keepdims=True)).sum(axis=1) > 1
        tied += float(np.asarray(d.weight)[ties].sum())
    return tied


def count_partial_judgments(pools: Sequence[Pools]) -> int:
    """Count the judgments that lack the score of a response and have another's."""
    every = (pool.judgments[row].scores or () for p in pools for pool, row in list_judgments(p))
    return sum(any(map(isnan, scores)) for scores in every)


def count_problems(pools: Sequence[Pools], orders_per_reading: int | None = 1) -> dict[str, Any]:
    """Count, over all judgments of the pools, the unreadable, tied judgments, and verdicts that follow the order.

    orders_per_reading: as `count_orders_per_reading` gives it; with None, order flips are unknown. A judgment that
    answers several questions, as in a pointwise set, is one judgment, and may tie in each of them.
    """
    ties = flips = 0
    statuses: Counter[str] = Counter()
    for p in pools:
        statuses.update(pool.judgments[row].status for pool, row in list_judgments(p))
    for pool in (pool for p in pools for pool in p.values()):
        # (judge, reading, variant) -> which response won in each order shown
        asked: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}
        for j, shown, scores in zip(pool.judgments, pool.shown, pool.scores, strict=True):
            if j.scores is None or len(scores) < 2 or isnan(best := scores.max()):  # NaN: it lacks a score
                continue
            if (scores == best).sum() > 1:
                ties += 1
            else:
                reading = (j.judge, j.sample // (orders_per_reading or 1), j.variant)
                asked.setdefault(reading, {})[shown] = int(scores.argmax())
        if all(len(orders) == 1 for orders in asked.values()):  # an arrangement may be recorded as a variant
            merged: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}
            for (judge, sample, _), orders in asked.items():
                merged.setdefault((judge, sample, ""), {}).update(orders)
            asked = merged
        flips += sum(len(set(orders.values())) > 1 for orders in asked.values())
    judgments = statuses.total()
    unparseable = judgments - statuses["ok"] - statuses["failed"]
    return {
        "judgments": judgments,
        "unparseable": unparseable,
        "ties": ties,
        "order_flips": None if orders_per_reading is None else flips,
        "failed": statuses["failed"],
        "statuses": dict(statuses),
    }


def count_thoughts(pools: Sequence[Pools], budget: int) -> dict[str, Any]:
    """Count the thoughts of a judge that is held to a thinking budget, each answer of its model once.

    answers: all of them. known: those whose thinking tokens the engine told, their end included. used_up: of these,
    those that reached the budget, where a thought is ended by force. mean_tokens: of these, what they thought.
    """
    every = {
        (call.key, call.rank): call.reasoning_tokens
        for p in pools
        for pool, row in list_judgments(p)
        for call in pool.judgments[row].calls
        if call.role == "judge"
    }
    known = [tokens for tokens in every.values() if tokens is not None]
    return {
        "budget": budget,
        "answers": len(every),
        "known": len(known),
        "used_up": sum(tokens >= budget for tokens in known),
        "mean_tokens": float(np.mean(known)) if known else None,
    }


def describe_thoughts(counts: Mapping[str, Any]) -> list[str]:
    """Say how many thoughts reached their budget, and how long they were; nothing where there is no budget."""
    if not counts:
        return []
    if not counts["known"]:
        return [f"Thinking budget {counts['budget']:,}: the engine does not tell how long a thought was."]
    of = f"{counts['used_up'] / counts['known']:.0%} of {counts['known']:,} thoughts"
    if counts["known"] < counts["answers"]:
        of += f" (the engine tells no length of {counts['answers'] - counts['known']:,} more)"
    return [
        f"Thinking budget {counts['budget']:,}: {of} used it up and were ended by force;"
        f" {counts['mean_tokens']:,.0f} thinking tokens on average."
    ]
