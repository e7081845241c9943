"""The health of judgments: how many could not be read, tied, or followed the order in which responses were shown.

Also how many independent votes they are worth, for judgments of one item tend to be wrong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.agreement import measure_agreements
from judgescale.harness.evaluation.calibration import calibrate_meta, calibrate_votes
from judgescale.harness.evaluation.credit_each import Credited
from judgescale.harness.evaluation.decisions import Decisions, stack_decisions
from judgescale.harness.evaluation.preferences import (
    average_over_items,
    number_clusters,
    prefer_first,
    prefer_longest,
)
from judgescale.harness.evaluation.verdicts import list_verdicts
from judgescale.harness.long_columns import join_keys
from judgescale.harness.recorded.columns import OK, Columns
from judgescale.harness.recorded.pools import Pools, find_rows, join_questions
from judgescale.harness.stats.effective_votes import correlate_within, count_effective_votes
from judgescale.harness.types import STATUSES


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
    tied = np.zeros(len(decisions))
    for batch in stack_decisions(decisions):
        if batch.scores.shape[2] == 1:
            ties = batch.scores[..., 0] == 0.5
        else:
            ties = (batch.scores == batch.scores.max(axis=2, keepdims=True)).sum(axis=2) > 1
        for place, weight, rows in zip(batch.places.tolist(), batch.weight, ties, strict=True):
            tied[place] = weight[rows].sum()
    return float(np.cumsum(tied)[-1])  # one after the other


def count_partial_judgments(columns: Columns, pools: Sequence[Pools]) -> int:
    """Count the judgments that lack the score of a response and have another's."""
    rows = find_rows(pools)
    shown = np.arange(columns.scores.shape[1]) < columns.widths[columns.order[rows]][:, None]
    return int(((np.isnan(columns.scores[rows]) & shown).any(axis=1) & (columns.status[rows] == OK)).sum())


def count_problems(columns: Columns, pools: Sequence[Pools], flips: Flips | None) -> dict[str, Any]:
    """Count, over all judgments of the pools, the unreadable, tied judgments, and verdicts that follow the order.

    flips: of `find_flips`; with None, they are unknown. A judgment that answers several questions, as in a pointwise
    set, is one judgment, and may tie in each of them.
    """
    found, first, counts = np.unique(columns.status[find_rows(pools)], return_index=True, return_counts=True)
    statuses = {STATUSES[found[i]]: int(counts[i]) for i in first.argsort()}  # the one that comes first, first
    ties = 0
    for asked in join_questions(pools):
        best = asked.scores.max(axis=1, keepdims=True)  # NaN where a judgment lacks a score, or all
        ties += int(((asked.scores == best).sum(axis=1) > 1).sum())
    judgments, failed = int(counts.sum()), statuses.get("failed", 0)
    return {
        "judgments": judgments,
        "unparseable": judgments - statuses.get("ok", 0) - failed,
        "ties": ties,
        "order_flips": None if flips is None else int(flips.flipped.sum()),
        "failed": failed,
        "statuses": statuses,
    }


class Flips(NamedTuple):
    """Hold of each of N items how often a judge read it in two orders or more, and how often the verdicts differ."""

    read: np.ndarray  # readings with a single winner in two orders or more
    flipped: np.ndarray  # of these, those whose winners differ
    orders: np.ndarray  # in how many orders they were read, all together


def find_flips(columns: Columns, pools: Sequence[Pools], orders_per_reading: int | None) -> Flips | None:
    """Find how often verdicts follow the order, over readings that favour a single response in two orders or more.

    orders_per_reading: as `count_orders_per_reading` gives it; None with None.
    """
    if orders_per_reading is None:
        return None
    counts = np.zeros((3, len(pools)), dtype=np.int64)
    for asked in join_questions(pools):
        tied = (asked.scores == asked.scores.max(axis=1, keepdims=True)).sum(axis=1) > 1
        decided = np.flatnonzero(~tied & ~np.isnan(asked.scores).any(axis=1) & (asked.scores.shape[1] > 1))
        if not len(decided):
            continue
        rows, pool = asked.rows[decided], asked.number[decided]
        reading = join_keys(pool, columns.judge[rows], columns.sample[rows] // orders_per_reading)
        counts += _count_flips(
            len(pools),
            pool=pool,
            item=asked.item[decided],
            reading=np.unique(reading, return_inverse=True)[1].reshape(-1),
            variant=columns.variant[rows],
            order=columns.order[rows],
            winner=asked.scores[decided].argmax(axis=1),
        )
    return Flips(*counts)


def _count_flips(
    items: int,
    pool: np.ndarray,
    item: np.ndarray,
    reading: np.ndarray,
    variant: np.ndarray,
    order: np.ndarray,
    winner: np.ndarray,
) -> np.ndarray:
    """Count, of M verdicts, readings in several orders, those whose winners differ, and their orders: (3, items).

    A reading is of one variant, but where each of a pool is in one order only: then an arrangement may be recorded as
    a variant. Of several verdicts in one order the last counts. Everything but `items` is (M,).
    """
    # which reading and variant each verdict is of, and where that begins
    _, begun, of_variant = np.unique(join_keys(reading, variant), return_index=True, return_inverse=True)
    of_variant = of_variant.reshape(-1)
    last = _find_last(join_keys(of_variant, order), np.arange(len(pool)))
    several = np.bincount(of_variant[last])[of_variant[last]] > 1  # orders of a reading
    apart = np.zeros(int(pool.max()) + 1, dtype=bool)
    apart[pool[last][several]] = True  # pools in which variants are readings of their own
    whole = last[~apart[pool[last]]]
    # of arrangements, the reading that was begun last counts
    whole = whole[_find_last(join_keys(reading[whole], order[whole]), begun[of_variant[whole]])]
    kept = np.concatenate([last[apart[pool[last]]], whole])
    key = np.where(apart[pool[kept]], of_variant[kept], of_variant.max() + 1 + reading[kept])
    _, at, which, size = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    which = which.reshape(-1)
    least, most = np.full(len(at), winner.max()), np.zeros(len(at), dtype=winner.dtype)
    np.minimum.at(least, which, winner[kept])
    np.maximum.at(most, which, winner[kept])
    of_item, read = item[kept][at], size > 1
    weights = (read, read & (least != most), np.where(read, size, 0))
    return np.array([np.bincount(of_item, w, items) for w in weights]).astype(np.int64)


def _find_last(key: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return of all rows of one key the one whose place comes last, ascending by key."""
    by_key = np.lexsort((place, key))
    ends = np.ones(len(key), dtype=bool)
    ends[:-1] = key[by_key][1:] != key[by_key][:-1]
    return by_key[ends]


def examine_judgments(arm: Arm, pools: Sequence[Pools], credited: Sequence[Credited]) -> dict[str, Any]:
    """Examine judgments: what could not be used, what they prefer besides what is right, whether they agree.

    Beside the counts it returns "order" ({"flip_rate", "first_place"}), "length", "agreement" and "calibration"
    ({"votes", "meta"}), each left out, or None within, where it cannot be known.
    """
    every, cluster, columns = list_verdicts(arm, pools), number_clusters(arm), arm.judgments.data.columns
    flips = find_flips(columns, pools, count_orders_per_reading(arm))
    order = {"flip_rate": _rate_flips(flips, cluster), "first_place": prefer_first(arm, every, cluster)}
    calibration = {"votes": calibrate_votes(arm, credited, cluster), "meta": calibrate_meta(arm, pools, cluster)}
    found = {
        "order": order if any(order.values()) else None,
        "length": prefer_longest(arm, every, cluster),
        "agreement": measure_agreements(every, len(arm.judgments.judges), cluster),
        "calibration": {name: one for name, one in calibration.items() if one},
    }
    return count_problems(columns, pools, flips) | {name: one for name, one in found.items() if one}


def _rate_flips(flips: Flips | None, cluster: np.ndarray) -> dict[str, Any] | None:
    """Return the share of readings in two orders or more whose winners differ; None where there is none."""
    if flips is None or not flips.read.any():
        return None
    item = np.flatnonzero(flips.read)
    read = flips.read[item].astype(np.float64)
    rate = average_over_items(cluster, item, flips.flipped[item] / read, read)
    return rate | {"n": int(read.sum()), "orders": float(flips.orders.sum() / read.sum())}


def measure_effective_votes(arm: Arm, credited: Sequence[Credited]) -> dict[str, Any]:
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
    single = [np.stack([c.alone, c.asked.turn[c.asked.number], c.judge]) for c in credited]
    whole = [np.stack([c.of_judges, c.asked.turn[c.sum_of], c.sum_by]) for c in credited]
    most = arm.k if arm.k > 1 else min(int(c.asked.sizes.min()) for c in credited)
    found = {"judgments": (most, single)} | ({"judges": (judges, whole)} if judges > 1 else {})
    told = {}
    for name, (votes, rows) in found.items():
        value, turn, kind = np.concatenate(rows, axis=1)
        in_turn = np.argsort(turn, kind="stable")
        group = np.unique(turn[in_turn], return_inverse=True)[1].reshape(-1)
        if (correlation := correlate_within(value[in_turn], group, kind[in_turn].astype(int))) is not None:
            effective = count_effective_votes(votes, correlation)
            told[name] = {"votes": votes, "correlation": correlation, "effective": effective}
    return told


def count_thoughts(columns: Columns, pools: Sequence[Pools], budget: int) -> dict[str, Any]:
    """Count the thoughts of a judge that is held to a thinking budget, each answer of its model once.

    answers: all of them. known: those whose thinking tokens the engine told, their end included. used_up: of these,
    those that reached the budget, where a thought is ended by force. mean_tokens: of these, what they thought.
    """
    every = {
        (call.key, call.rank): call.reasoning_tokens
        for row in (find_rows(pools).tolist() if columns.calls else ())
        for call in columns.calls[row]
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
