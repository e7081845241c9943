"""Evaluates one arm: pools to decisions to credits, and for meta voting what the meta RM is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from harness.arm import Arm
from harness.decisions import Pools, Tick, decide, only
from harness.engines.recorded import Pool
from harness.estimates import Credits, credit, difference, overall
from harness.meta import Trust, alone_right, trust
from harness.result import summarise
from harness.seeding import seeded
from harness.strategies.voting import Voting
from harness.types import Item, Result


def evaluate(arm: Arm, tick: Tick = lambda: None) -> tuple[Result, Credits]:
    """Everything one arm finds. `tick` is called once an item and k."""
    pools: list[Pools] = [
        {question: votes(arm, arm.engine.pool(item, question)) for question in questions(arm, item)}
        for item in arm.items
    ]
    kind = getattr(arm.strategy, "meta", None)
    judged = pools if kind is None else with_trust(arm, pools, trusted := meta_rm(arm, pools, kind))
    decisions = decide(arm, arm.strategy, arm.ks, judged, tick)
    credits = credit(arm, decisions)
    details, notes = ({}, []) if kind is None else worth_of_meta(arm, pools, trusted, kind, credits)
    return summarise(arm, judged, credits, details, notes), credits


def votes(arm: Arm, pool: Pool) -> Pool:
    """The pool as the protocol counts it: of verdicts, each judgment's best response shares one vote."""
    if arm.rules.votes == "scores" or pool.scores.shape[1] == 1:
        return pool
    top = pool.scores == pool.scores.max(axis=1, keepdims=True)
    shares = top / np.maximum(top.sum(axis=1, keepdims=True), 1)
    return dataclasses.replace(pool, scores=np.where(pool.usable[:, None], shares, np.nan))


def questions(arm: Arm, item: Item) -> list[tuple[int, ...]]:
    """What the strategy may ask about an item; where it asked as it went, what it did ask."""
    every = arm.strategy.questions(len(item.responses))
    return [q for q in every if arm.engine.has(item, q)] if arm.as_bought else every


def meta_rm(arm: Arm, pools: Sequence[Pools], kind: str) -> Trust:
    """The meta RM's scores of all judgments of the arm."""
    whole = [only(p) for p in pools]
    right = [alone_right(arm.task, arm.rules, item, pool) for item, pool in zip(arm.items, whole, strict=True)]
    return trust(kind, arm.items, whole, right, arm.seed)


def with_trust(arm: Arm, pools: Sequence[Pools], trusted: Trust) -> list[Pools]:
    """The pools with a meta RM's scores, in a seeded order: equal scores must not rank as they were recorded."""
    scored: list[Pools] = []
    for item, p, scores in zip(arm.items, pools, trusted.scores, strict=True):
        ((question, pool),) = p.items()
        order = seeded(arm.seed, "equal meta scores", item.id).permutation(len(pool))
        scored.append({question: dataclasses.replace(pool, meta=scores).take(order)})
    return scored


def worth_of_meta(
    arm: Arm, pools: Sequence[Pools], trusted: Trust, kind: str, credits: Credits
) -> tuple[dict[str, float | None], list[str]]:
    """The meta RM's AUC, its upper and lower bound, and whether its vote is above the plain one and the lower bound."""
    ours, at = credits.at(arm.ks.index(arm.k)), [arm.k]
    vote = Voting(arm.k, getattr(arm.strategy, "unusable", "abstain"))
    plain = credit(arm, decide(arm, vote, at, pools))
    # A meta RM that knows nothing keeps any k_meta of the k: on average, that is a vote of k_meta.
    k_meta: int = arm.strategy.kept(arm.k)  # type: ignore[attr-defined]
    blind = credit(arm, decide(arm, vote, [k_meta], pools))
    knowing = credit(arm, decide(arm, arm.strategy, at, with_trust(arm, pools, meta_rm(arm, pools, "oracle"))))
    details = {
        f"{kind} meta RM, ROC-AUC": trusted.auc,
        f"oracle meta RM (knows the label) at k={arm.k}": overall(arm, knowing),
        f"random meta RM (knows nothing) at k={arm.k}": overall(arm, blind),
        f"plain voting at k={arm.k}": overall(arm, plain),
    }
    return details, [
        *trusted.notes,
        difference(arm, f"meta_voting - voting, both at k={arm.k}", ours, plain),
        difference(arm, f"{kind} - random meta RM, both at k={arm.k}", ours, blind),
    ]
