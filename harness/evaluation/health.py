"""The health of judgments: how many could not be read, tied, or followed the order in which responses were shown.

Also how many independent votes they are worth, for judgments of one item tend to be wrong together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.agreement import measure_agreements
from judgescale.harness.evaluation.calibration import calibrate_meta, calibrate_votes
from judgescale.harness.evaluation.credit_each import CreditedPool
from judgescale.harness.evaluation.decisions import Decisions
from judgescale.harness.evaluation.preferences import (
    average_over_items,
    number_clusters,
    prefer_first,
    prefer_longest,
)
from judgescale.harness.evaluation.verdicts import list_verdicts
from judgescale.harness.recorded.pools import Pools, list_judgments
from judgescale.harness.stats.effective_votes import correlate_within, count_effective_votes


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


def count_problems(pools: Sequence[Pools], flips: Flips | None) -> dict[str, Any]:
    """Count, over all judgments of the pools, the unreadable, tied judgments, and verdicts that follow the order.

    flips: of `find_flips`; with None, they are unknown. A judgment that answers several questions, as in a pointwise
    set, is one judgment, and may tie in each of them.
    """
    ties = 0
    statuses: Counter[str] = Counter()
    for p in pools:
        statuses.update(pool.judgments[row].status for pool, row in list_judgments(p))
        for pool in p.values():
            best = pool.scores.max(axis=1, keepdims=True)  # NaN where a judgment lacks a score, or all
            ties += int(((pool.scores == best).sum(axis=1) > 1).sum())
    judgments = statuses.total()
    unparseable = judgments - statuses["ok"] - statuses["failed"]
    return {
        "judgments": judgments,
        "unparseable": unparseable,
        "ties": ties,
        "order_flips": None if flips is None else int(flips.flipped.sum()),
        "failed": statuses["failed"],
        "statuses": dict(statuses),
    }


class Flips(NamedTuple):
    """Hold of each of N items how often a judge read it in two orders or more, and how often the verdicts differ."""

    read: np.ndarray  # readings with a single winner in two orders or more
    flipped: np.ndarray  # of these, those whose winners differ
    orders: np.ndarray  # in how many orders they were read, all together


def find_flips(pools: Sequence[Pools], orders_per_reading: int | None) -> Flips | None:
    """Find how often verdicts follow the order, over readings that favour a single response in two orders or more.

    orders_per_reading: as `count_orders_per_reading` gives it; None with None.
    """
    if orders_per_reading is None:
        return None
    counts = np.zeros((3, len(pools)), dtype=np.int64)
    for i, pool in ((i, pool) for i, p in enumerate(pools) for pool in p.values()):
        # (judge, reading, variant) -> which response won in each order shown
        asked: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}
        best = pool.scores.max(axis=1, keepdims=True)
        tied = (pool.scores == best).sum(axis=1) > 1
        decided = ~tied & ~np.isnan(best[:, 0]) & (pool.scores.shape[1] > 1)
        winner = pool.scores.argmax(axis=1).tolist()
        for row in np.flatnonzero(decided).tolist():
            j = pool.judgments[row]
            reading = (j.judge, j.sample // orders_per_reading, j.variant)
            asked.setdefault(reading, {})[pool.shown[row]] = winner[row]
        if all(len(orders) == 1 for orders in asked.values()):  # an arrangement may be recorded as a variant
            merged: dict[tuple[str, int, str], dict[tuple[str, ...], int]] = {}
            for (judge, sample, _), orders in asked.items():
                merged.setdefault((judge, sample, ""), {}).update(orders)
            asked = merged
        several = [orders for orders in asked.values() if len(orders) > 1]
        flipped = sum(len(set(orders.values())) > 1 for orders in several)
        counts[:, i] += len(several), flipped, sum(map(len, several))
    return Flips(*counts)


def examine_judgments(arm: Arm, pools: Sequence[Pools], credited: Sequence[CreditedPool]) -> dict[str, Any]:
    """Examine judgments: what could not be used, what they prefer besides what is right, whether they agree.

    Beside the counts it returns "order" ({"flip_rate", "first_place"}), "length", "agreement" and "calibration"
    ({"votes", "meta"}), each left out, or None within, where it cannot be known.
    """
    every, cluster = list_verdicts(arm, pools), number_clusters(arm)
    flips = find_flips(pools, count_orders_per_reading(arm))
    order = {"flip_rate": _rate_flips(flips, cluster), "first_place": prefer_first(arm, every, cluster)}
    calibration = {"votes": calibrate_votes(arm, credited, cluster), "meta": calibrate_meta(arm, pools, cluster)}
    found = {
        "order": order if any(order.values()) else None,
        "length": prefer_longest(arm, every, cluster),
        "agreement": measure_agreements(every, len(arm.judgments.judges), cluster),
        "calibration": {name: one for name, one in calibration.items() if one},
    }
    return count_problems(pools, flips) | {name: one for name, one in found.items() if one}


def _rate_flips(flips: Flips | None, cluster: np.ndarray) -> dict[str, Any] | None:
    """Return the share of readings in two orders or more whose winners differ; None where there is none."""
    if flips is None or not flips.read.any():
        return None
    item = np.flatnonzero(flips.read)
    read = flips.read[item].astype(np.float64)
    rate = average_over_items(cluster, item, flips.flipped[item] / read, read)
    return rate | {"n": int(read.sum()), "orders": float(flips.orders.sum() / read.sum())}


def measure_effective_votes(arm: Arm, credited: Sequence[CreditedPool]) -> dict[str, Any]:
    """Measure how many independent votes the arm's judgments are worth, and of a jury also its judges (Kish).

    By the correlation of errors within an item, an error being the credit that a single judgment fails to earn, ties
    shared (1/m) and one unusable a tie of all. Of a judge it is the error of the sum of all its judgments of the item,
    so that little of it is chance.

    Returns "judgments" and "judges", each {"votes", "correlation", "effective"}: of k judgments (of as many as every
    pool holds, where k is 1). Empty where nothing is known: no pool has two judgments, none varies, or how many there
    are depends on what they said.
    """
    if not credited:
        return {}
    judges = len(arm.judgments.judges)
    # (3, judgments) and (3, judges): credit, question, judge
    single = [np.stack([c.alone, np.full(len(c.alone), of), c.judge]) for of, c in enumerate(credited)]
    whole = [np.stack([c.of_judges, np.full(len(c.judges), of), c.judges]) for of, c in enumerate(credited)]
    most = arm.k if arm.k > 1 else min(len(c.pool) for c in credited)
    found = {"judgments": (most, single)} | ({"judges": (judges, whole)} if judges > 1 else {})
    told = {}
    for name, (votes, rows) in found.items():
        value, group, kind = np.concatenate(rows, axis=1)
        if (correlation := correlate_within(value, group.astype(int), kind.astype(int))) is not None:
            effective = count_effective_votes(votes, correlation)
            told[name] = {"votes": votes, "correlation": correlation, "effective": effective}
    return told


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
