"""What each judgment of a question would earn if it decided alone, each judge's sum of them, and the sum of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.evaluation.ties import credit_by_lot
from judgescale.harness.recorded.pools import Pool, Pools
from judgescale.harness.stats.votes import put_unscored_last, vote
from judgescale.harness.types import OWN_TIE, Item


@dataclass(frozen=True)
class CreditedPool:
    """Hold n judgments of a question about m responses, and what they earn, ties shared."""

    item: int  # its place among the arm's
    pool: Pool
    judge: np.ndarray  # (n,), whose each is
    alone: np.ndarray  # (n,)
    judges: np.ndarray  # (J,), who judged
    of_judges: np.ndarray  # (J,), what each one's sum earns
    sum: np.ndarray  # (m,), of all judgments
    decided: float  # what that earns


def credit_pools(arm: Arm, pools: Sequence[Pools]) -> list[CreditedPool]:
    """Credit the judgments of every question with two or more of them in which one response is better than another.

    Empty where how many there are depends on what they said.
    """
    if (arm.judgments.data.meta.get("live") or {}).get("stopped_by"):
        return []
    number = {judge: j for j, judge in enumerate(arm.judgments.judges)}
    found = []
    for i, (item, p) in enumerate(zip(arm.items, pools, strict=True)):
        for question, pool in p.items():
            if len(pool) < 2 or (asked := _take_question(item, question)) is None:
                continue
            judge = np.array([number[judgment.judge] for judgment in pool.judgments])
            there = np.unique(judge)
            sums = np.concatenate([vote(pool.scores[None, judge == j]) for j in there])
            whole = sums if len(there) == 1 else vote(pool.scores[None])
            every = np.concatenate([pool.scores, sums, whole])
            credit = _credit_each(arm, asked, len(question) == len(item.responses), every)
            size = len(pool)
            found.append(
                CreditedPool(i, pool, judge, credit[:size], there, credit[size:-1], whole[0], float(credit[-1]))
            )
    return found


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
