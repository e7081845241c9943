"""Evaluates one arm: pools to decisions to credits, and for meta voting what the meta RM is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.decisions import Tick, decide
from judgescale.harness.evaluation.estimates import Credits, compare, credit_units, roll_up_headline
from judgescale.harness.evaluation.meta import Trust, alone_right, trust
from judgescale.harness.evaluation.result import summarise
from judgescale.harness.recorded.pools import Pool, Pools, only
from judgescale.harness.seeding import seeded
from judgescale.harness.types import Item, Result


def evaluate(arm: Arm, tick: Tick = lambda: None) -> tuple[Result, Credits]:
    """Everything one arm finds. `tick` is called once an item and k."""
    pools: list[Pools] = [
        {question: take_verdicts(arm, arm.judgments.pool(item, question)) for question in list_questions(arm, item)}
        for item in arm.items
    ]
    kind = arm.strategy.meta_rm
    judged = pools if kind is None else add_trust(arm, pools, trusted := score_by_meta_rm(arm, pools, kind))
    decisions = decide(arm, arm.strategy, arm.ks, judged, tick)
    credits = credit_units(arm, decisions)
    details, notes = ({}, []) if kind is None else weigh_meta_rm(arm, pools, trusted, kind, credits)
    return summarise(arm, judged, credits, details, notes), credits


def take_verdicts(arm: Arm, pool: Pool) -> Pool:
    """The pool as the protocol counts it: of verdicts, each judgment's best response shares one vote."""
    if arm.rules.votes == "scores" or pool.scores.shape[1] == 1:
        return pool
    top = pool.scores == pool.scores.max(axis=1, keepdims=True)
    shares = top / np.maximum(top.sum(axis=1, keepdims=True), 1)
    return dataclasses.replace(pool, scores=np.where(pool.usable[:, None], shares, np.nan))


def list_questions(arm: Arm, item: Item) -> list[tuple[int, ...]]:
    """What the strategy may ask about an item; where it asked as it went, what it did ask."""
    every = arm.strategy.questions(len(item.responses))
    return [q for q in every if arm.judgments.has(item, q)] if arm.as_bought else every


def score_by_meta_rm(arm: Arm, pools: Sequence[Pools], kind: str) -> Trust:
    """The meta RM's scores of all judgments of the arm."""
    whole = [only(p) for p in pools]
    right = [alone_right(arm.task, arm.rules, item, pool) for item, pool in zip(arm.items, whole, strict=True)]
    return trust(kind, arm.items, whole, right, arm.seed)


def add_trust(arm: Arm, pools: Sequence[Pools], trusted: Trust) -> list[Pools]:
    """The pools with a meta RM's scores, in a seeded order: equal scores must not rank as they were recorded."""
    scored: list[Pools] = []
    for item, p, scores in zip(arm.items, pools, trusted.scores, strict=True):
        ((question, pool),) = p.items()
        order = seeded(arm.seed, "equal meta scores", item.id).permutation(len(pool))
        scored.append({question: dataclasses.replace(pool, meta=scores).take(order)})
    return scored


def weigh_meta_rm(
    arm: Arm, pools: Sequence[Pools], trusted: Trust, kind: str, credits: Credits
) -> tuple[dict[str, float | None], list[str]]:
    """The meta RM's AUC, its upper and lower bound, and whether its vote is above the plain one and the lower bound."""
    ours, at = credits.at(arm.ks.index(arm.k)), [arm.k]
    vote = arm.strategy.baseline()
    assert vote is not None
    plain = credit_units(arm, decide(arm, vote, at, pools))
    # A meta RM that knows nothing keeps any k_meta of the k: on average, that is a vote of k_meta.
    k_meta = arm.strategy.kept(arm.k)
    blind = credit_units(arm, decide(arm, vote, [k_meta], pools))
    knowing = credit_units(
        arm, decide(arm, arm.strategy, at, add_trust(arm, pools, score_by_meta_rm(arm, pools, "oracle")))
    )
    details = {
        f"{kind} meta RM, ROC-AUC": trusted.auc,
        f"oracle meta RM (knows the label) at k={arm.k}": roll_up_headline(arm, knowing),
        f"random meta RM (knows nothing) at k={arm.k}": roll_up_headline(arm, blind),
        f"plain voting at k={arm.k}": roll_up_headline(arm, plain),
    }
    return details, [
        *trusted.notes,
        compare(arm, f"{arm.strategy.name} - {vote.name}, both at k={arm.k}", ours, plain),
        compare(arm, f"{kind} - random meta RM, both at k={arm.k}", ours, blind),
    ]
