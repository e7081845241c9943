"""The health of judgments: how many could not be read, tied, or followed the order in which responses were shown.

Also how many independent votes they are worth, for judgments of one item tend to be wrong together.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.decisions import Decisions
from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.evaluation.ties import credit_by_lot
from judgescale.harness.recorded.pools import Pools, list_judgments
from judgescale.harness.stats.effective_votes import correlate_within, count_effective_votes
from judgescale.harness.stats.votes import put_unscored_last, vote
from judgescale.harness.types import OWN_TIE, Item


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
        best = pool.scores.max(axis=1, keepdims=True)  # NaN where a judgment lacks a score, or all
        tied = (pool.scores == best).sum(axis=1) > 1
        ties += int(tied.sum())
        if orders_per_reading is None:
            continue
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


def measure_effective_votes(arm: Arm, pools: Sequence[Pools]) -> dict[str, Any]:
    """Measure how many independent votes the arm's judgments are worth, and of a jury also its judges (Kish).

    By the correlation of errors within an item, an error being the credit that a single judgment fails to earn, ties
    shared (1/m) and one unusable a tie of all. Of a judge it is the error of the sum of all its judgments of the item,
    so that little of it is chance.

    Returns "judgments" and "judges", each {"votes", "correlation", "effective"}: of k judgments (of as many as every
    pool holds, where k is 1). Empty where nothing is known: no pool has two judgments, none varies, or how many there
    are depends on what they said.
    """
    if (arm.judgments.data.meta.get("live") or {}).get("stopped_by"):
        return {}
    number = {judge: j for j, judge in enumerate(arm.judgments.judges)}
    single: list[np.ndarray] = []  # (3, judgments): credit, question, judge
    whole: list[np.ndarray] = []  # (3, judges)
    sizes: list[int] = []
    for item, p in zip(arm.items, pools, strict=True):
        for question, pool in p.items():
            if len(pool) < 2 or (asked := _take_question(item, question)) is None:
                continue
            judge = np.array([number[judgment.judge] for judgment in pool.judgments])
            there = np.unique(judge)
            sums = np.concatenate([vote(pool.scores[None, judge == j]) for j in there])
            credit = _credit_each(arm, asked, len(question) == len(item.responses), np.concatenate([pool.scores, sums]))
            of, size = len(sizes), len(pool)
            single.append(np.stack([credit[:size], np.full(size, of), judge]))
            whole.append(np.stack([credit[size:], np.full(len(there), of), there]))
            sizes.append(size)
    if not sizes:
        return {}
    most = arm.k if arm.k > 1 else min(sizes)
    found = {"judgments": (most, single)} | ({"judges": (len(number), whole)} if len(number) > 1 else {})
    told = {}
    for name, (votes, rows) in found.items():
        value, group, kind = np.concatenate(rows, axis=1)
        if (correlation := correlate_within(value, group.astype(int), kind.astype(int))) is not None:
            effective = count_effective_votes(votes, correlation)
            told[name] = {"votes": votes, "correlation": correlation, "effective": effective}
    return told


def _take_question(item: Item, question: tuple[int, ...]) -> Item | None:
    """Return the item with the responses of a question only; None where none of them is better than another."""
    if len(question) == len(item.responses):
        return item
    gold = tuple(item.gold[i] for i in question)
    responses = tuple(item.responses[i] for i in question)
    return None if len(set(gold)) == 1 else dataclasses.replace(item, responses=responses, gold=gold, texts=())


def _credit_each(arm: Arm, item: Item, whole: bool, scores: np.ndarray) -> np.ndarray:
    """Credit decisions about an item, or about some of its responses, (D, n), with ties shared: (D,)."""
    scores = put_unscored_last(scores)
    if not whole or arm.task.unit(item) != item.id:  # what is scored with others has no credit of its own
        return credit_best([item], [np.nan_to_num(scores)], dataclasses.replace(arm.rules, tie="share"))
    if arm.rules.tie == OWN_TIE and len(item.responses) > 1:  # a tie is a verdict
        return arm.task.credit([item], [scores], arm.rules)
    return credit_by_lot(arm.task, arm.rules, [item], [scores])


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
