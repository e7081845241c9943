"""Evaluate one arm: pools to decisions to credits to a result, and for meta voting what the meta RM is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, credit_units
from judgescale.harness.evaluation.decisions import Tick, decide
from judgescale.harness.evaluation.estimates import describe_difference, roll_up_headline
from judgescale.harness.evaluation.health import count_tied_decisions
from judgescale.harness.evaluation.meta import MetaScores, find_right_judgments, score_judgments
from judgescale.harness.evaluation.result import make_result
from judgescale.harness.recorded.pools import Pool, Pools, take_only_pool
from judgescale.harness.seeding import make_rng
from judgescale.harness.types import Item, Result


def evaluate(arm: Arm, tick: Tick = lambda: None) -> tuple[Result, Credits]:
    """Return an arm's result, and the credits behind it, which other arms can be compared with.

    `tick` is called once an item and k.
    """
    pools: list[Pools] = [
        {
            question: apply_vote_rule(arm, arm.judgments.find_pool(item, question))
            for question in list_questions(arm, item)
        }
        for item in arm.items
    ]
    kind = arm.strategy.meta_rm
    judged = pools if kind is None else add_meta_scores(arm, pools, scored := score_by_meta_rm(arm, pools, kind))
    decisions = decide(arm, arm.strategy, arm.ks, judged, tick)
    credits = credit_units(arm, decisions)
    details, notes = ({}, []) if kind is None else assess_meta_rm(arm, pools, scored, kind, credits)
    tied = count_tied_decisions(decisions[arm.ks.index(arm.k)])
    return make_result(arm, judged, credits, tied, details, notes), credits


def list_questions(arm: Arm, item: Item) -> list[tuple[int, ...]]:
    """List the questions that the strategy may ask about an item; where it chose as it went, those that it did ask."""
    every = arm.strategy.questions(len(item.responses))
    return [q for q in every if arm.judgments.has_judgments(item, q)] if arm.as_bought else every


def apply_vote_rule(arm: Arm, pool: Pool) -> Pool:
    """Return the pool with the scores that the protocol sums.

    Under votes=verdicts each judgment has one vote, which its best responses share; else scores are left as they are.
    """
    if arm.rules.votes == "scores" or pool.scores.shape[1] == 1:
        return pool
    top = pool.scores == pool.scores.max(axis=1, keepdims=True)
    shares = top / np.maximum(top.sum(axis=1, keepdims=True), 1)
    return dataclasses.replace(pool, scores=np.where(pool.usable[:, None], shares, np.nan))


def score_by_meta_rm(arm: Arm, pools: Sequence[Pools], kind: str) -> MetaScores:
    """Score all judgments of the arm by the meta RM of this kind."""
    whole = [take_only_pool(p) for p in pools]
    right = [find_right_judgments(arm.task, arm.rules, item, pool) for item, pool in zip(arm.items, whole, strict=True)]
    return score_judgments(kind, arm.items, whole, right, arm.seed)


def add_meta_scores(arm: Arm, pools: Sequence[Pools], meta: MetaScores) -> list[Pools]:
    """Return the pools with the meta RM's scores, each in a seeded order.

    Equal scores rank by position in the pool, and the order of recording may tell right from wrong.
    """
    scored: list[Pools] = []
    for item, p, scores in zip(arm.items, pools, meta.scores, strict=True):
        ((question, pool),) = p.items()
        order = make_rng(arm.seed, "equal meta scores", item.id).permutation(len(pool))
        scored.append({question: dataclasses.replace(pool, meta=scores).take(order)})
    return scored


def assess_meta_rm(
    arm: Arm, pools: Sequence[Pools], meta: MetaScores, kind: str, credits: Credits
) -> tuple[dict[str, float | None], list[str]]:
    """Hold the meta RM against its bounds: one that knows every label, one that knows nothing, and plain voting.

    Returns its ROC-AUC and the three headlines by name, and notes that say whether its own headline is above the
    last two.
    """
    ours, at = credits.select_column(arm.ks.index(arm.k)), [arm.k]
    vote = arm.strategy.baseline()
    assert vote is not None
    plain = credit_units(arm, decide(arm, vote, at, pools))
    # A meta RM that knows nothing keeps any k_meta of the k: on average, that is a vote of k_meta.
    k_meta = arm.strategy.count_voters(arm.k)
    blind = credit_units(arm, decide(arm, vote, [k_meta], pools))
    knowing = credit_units(
        arm, decide(arm, arm.strategy, at, add_meta_scores(arm, pools, score_by_meta_rm(arm, pools, "oracle")))
    )
    details = {
        f"{kind} meta RM, ROC-AUC": meta.auc,
        f"oracle meta RM (knows the label) at k={arm.k}": roll_up_headline(arm, knowing),
        f"random meta RM (knows nothing) at k={arm.k}": roll_up_headline(arm, blind),
        f"plain voting at k={arm.k}": roll_up_headline(arm, plain),
    }
    return details, [
        *meta.notes,
        describe_difference(arm, f"{arm.strategy.name} - {vote.name}, both at k={arm.k}", ours, plain),
        describe_difference(arm, f"{kind} - random meta RM, both at k={arm.k}", ours, blind),
    ]
