"""Evaluate one arm: pools to decisions to credits to a result, and for meta voting what the meta RM is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.cascades import describe_tiers
from judgescale.harness.evaluation.costs import count_judgments, price_judgments
from judgescale.harness.evaluation.credit_table import tabulate_credits
from judgescale.harness.evaluation.credits import Credits, credit_units, make_units
from judgescale.harness.evaluation.decisions import Tick, decide
from judgescale.harness.evaluation.differences import describe_difference, is_fitted
from judgescale.harness.evaluation.estimates import roll_up_headline
from judgescale.harness.evaluation.games import Scorebook
from judgescale.harness.evaluation.health import count_tied_decisions
from judgescale.harness.evaluation.jury import Weights, weigh_judgments
from judgescale.harness.evaluation.meta import MetaScores, find_right_judgments, score_judgments
from judgescale.harness.evaluation.metrics import describe_against_guess, estimate_metrics
from judgescale.harness.evaluation.result import make_result
from judgescale.harness.evaluation.scales import put_on_one_scale
from judgescale.harness.recorded.pools import Pool, Pools, take_only_pool
from judgescale.harness.rounding import write_rounded
from judgescale.harness.stats.classification import find_metric_interval
from judgescale.harness.stats.votes import put_unscored_last, share_votes
from judgescale.harness.types import Item, Result


def evaluate(arm: Arm, tick: Tick = lambda count: None) -> tuple[Result, Credits]:
    """Return an arm's result, and the credits behind it, which other arms can be compared with.

    `tick` is called with how many items were decided about since, one at each k counting as one.
    """
    pools: list[Pools] = [
        {
            question: apply_vote_rule(arm, arm.judgments.find_pool(item, question))
            for question in list_questions(arm, item)
        }
        for item in arm.items
    ]
    details: dict[str, Any] = {}
    notes: list[str] = []
    if arm.strategy.one_scale:
        pools = put_on_one_scale(pools, judges := arm.judgments.judges)
        notes += ["One judge has one scale: its z-scores decide as its scores do."] * (len(judges) == 1)
    if kind := arm.strategy.meta_rm:
        plain, meta = pools, score_by_meta_rm(arm, pools, kind)
        pools = add_meta_scores(plain, meta.scores)
    if fit := arm.strategy.weighed_by:
        weights = weigh_judgments(fit, arm, pools)
        pools = add_meta_scores(pools, weights.weights)
    book = Scorebook(arm.strategy.games) if arm.strategy.games else None
    decisions = decide(arm, arm.strategy, arm.ks, pools, tick, book)
    credits = credit_units(arm, decisions)
    if kind:
        details, about_meta = assess_meta_rm(arm, plain, meta, kind, credits)
        notes += about_meta
    if fit:
        details, about_weights = assess_weights(arm, pools, weights, fit, credits)
        notes += about_weights
    if arm.strategy.calibrated:
        details = describe_tiers(arm, pools, decisions[arm.ks.index(arm.k)])
    metrics, tied = estimate_metrics(arm, pools, decisions), count_tied_decisions(decisions[arm.ks.index(arm.k)])
    judgments = count_judgments(arm, pools, decisions)
    dollars = price_judgments(arm, pools, decisions, judgments)
    result = make_result(arm, pools, credits, metrics, tied, judgments, dollars, details, notes)
    table = tabulate_credits(arm, credits, decisions, judgments)
    return dataclasses.replace(result, credits=table, games=book.tabulate(arm) if book else None), credits


def list_questions(arm: Arm, item: Item) -> list[tuple[int, ...]]:
    """List the questions that the strategy may ask about an item; where it chose as it went, those that it did ask."""
    every = arm.strategy.questions(len(item.responses))
    return [q for q in every if arm.judgments.has_judgments(item, q)] if arm.as_bought else every


def apply_vote_rule(arm: Arm, pool: Pool) -> Pool:
    """Return the pool with the scores that the protocol sums.

    Under votes=verdicts each judgment has one vote, which its best responses share; else scores are left as they are.
    Under partial=drop a judgment that lacks one of the scores asked for loses the others.
    """
    if arm.judgments.pointwise and arm.rules.partial == "drop":
        pool = dataclasses.replace(pool, scores=np.where(pool.partial[:, None], np.nan, pool.scores))
    return pool if arm.rules.votes == "scores" else dataclasses.replace(pool, scores=share_votes(pool.scores))


def score_by_meta_rm(arm: Arm, pools: Sequence[Pools], kind: str) -> MetaScores:
    """Score all judgments of the arm by the meta RM of this kind; alone, each puts what it did not score last."""
    whole = [dataclasses.replace(pool := take_only_pool(p), scores=put_unscored_last(pool.scores)) for p in pools]
    right = [find_right_judgments(arm.task, arm.rules, item, pool) for item, pool in zip(arm.items, whole, strict=True)]
    return score_judgments(kind, arm.items, whole, right)


def add_meta_scores(pools: Sequence[Pools], meta: Sequence[np.ndarray]) -> list[Pools]:
    """Return the pools with the meta RM's scores, one array of them for each item's only pool."""
    return [
        {question: dataclasses.replace(pool, meta=scores)}
        for p, scores in zip(pools, meta, strict=True)
        for question, pool in p.items()
    ]


def assess_meta_rm(
    arm: Arm, pools: Sequence[Pools], meta: MetaScores, kind: str, credits: Credits
) -> tuple[dict[str, float | None], list[str]]:
    """Hold the meta RM against one that knows every label, one that knows nothing, and plain voting.

    Returns its ROC-AUC and the three headlines by name, and notes that say whether its own headline is above the
    last two, and whether the first of them is a bound.
    """
    ours, at = credits.select_column(arm.ks.index(arm.k)), [arm.k]
    vote = arm.strategy.baseline()
    assert vote is not None
    plain = credit_units(arm, decide(arm, vote, at, pools))
    # A meta RM that knows nothing keeps any k_meta of the k: on average, that is a vote of k_meta.
    k_meta = arm.strategy.count_voters(arm.k)
    blind = credit_units(arm, decide(arm, vote, [k_meta], pools))
    oracle = score_by_meta_rm(arm, pools, "oracle")
    knowing = credit_units(arm, decide(arm, arm.strategy, at, add_meta_scores(pools, oracle.scores)))
    details = {
        f"{kind} meta RM, ROC-AUC": meta.auc,
        f"oracle meta RM (knows the label) at k={arm.k}": roll_up_headline(arm, knowing),
        f"random meta RM (knows nothing) at k={arm.k}": roll_up_headline(arm, blind),
        f"plain voting at k={arm.k}": roll_up_headline(arm, plain),
    }
    notes, units = [*meta.notes], make_units(arm.task, arm.items)
    if meta.auc is not None and (ci := find_metric_interval(units, meta.auc, meta.influence)):
        name = f"The {kind} meta RM's ROC-AUC, right from wrong among judgments that favour one response:"
        notes.append(describe_against_guess(name, meta.auc, ci, 0.5))
    if is_upper_bound(arm, pools, meta):
        notes.append("The oracle meta RM is an upper bound of all meta RMs here.")
    else:
        notes.append(
            "The oracle meta RM is no upper bound here: it knows the label, yet other choices may vote better."
        )
    fitted = is_fitted(arm.strategy)
    return details, [
        *notes,
        describe_difference(arm, f"{arm.strategy.name} - {vote.name}, both at k={arm.k}", ours, plain, fitted=fitted),
        describe_difference(arm, f"{kind} - random meta RM, both at k={arm.k}", ours, blind, fitted=fitted),
    ]


def assess_weights(
    arm: Arm, pools: Sequence[Pools], weights: Weights, fit: str, credits: Credits
) -> tuple[dict[str, Any], list[str]]:
    """Hold the weighted vote against the plain vote of the same judgments: details of the result, and notes."""
    ours, vote = credits.select_column(arm.ks.index(arm.k)), arm.strategy.baseline()
    assert vote is not None
    plain = credit_units(arm, decide(arm, vote, [arm.k], pools))
    what = f"{arm.strategy.name} - {vote.printed_as}, both at k={arm.k}"
    details = {
        f"weights by {fit}": ", ".join(f"{judge} {write_rounded(w, 2)}" for judge, w in weights.of_judges.items()),
        f"{vote.printed_as} at k={arm.k}": roll_up_headline(arm, plain),
    }
    return details, [*weights.notes, describe_difference(arm, what, ours, plain, fitted=False)]


def is_upper_bound(arm: Arm, pools: Sequence[Pools], meta: MetaScores) -> bool:
    """Tell whether no meta RM can vote better than the oracle, which prefers what favours the right answer most.

    So it is between two responses of which one is right, for there it makes the sum of margins as large as can be. Not
    so where unusable judgments are verdicts, or may be chosen before others because these have no score, or where
    partial judgments make a vote of means.
    """
    if arm.judgments.pointwise and any(take_only_pool(p).partial.any() for p in pools):
        return False
    usable = [take_only_pool(p).usable for p in pools]
    scored = not any(np.isnan(s[u]).any() for s, u in zip(meta.scores, usable, strict=True))
    abstain = arm.strategy.unusable == "abstain" and scored
    decided = all(len(i.responses) == 1 or (len(i.responses) == 2 and len(set(i.gold)) == 2) for i in arm.items)
    return decided and (abstain or all(u.all() for u in usable))
