"""Evaluates one arm: pools to decisions to credits, and for meta voting what the meta RM is worth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.decisions import Decisions, Pools, Tick, decide, only
from harness.meta import Trust, alone_right, trust
from harness.plan import Arm
from harness.seeding import seeded
from harness.statistics import Units
from harness.types import Item, Result


@dataclass(frozen=True)
class Credits:
    """Expected credit of every unit at every k, and the variance that sampling subsets left in it: (U, K) each."""

    units: Units
    subset: np.ndarray  # (U,)
    items: np.ndarray  # (U,): how many items a unit holds
    value: np.ndarray
    variance: np.ndarray

    def at(self, column: int) -> Credits:
        return dataclasses.replace(self, value=self.value[:, [column]], variance=self.variance[:, [column]])


def evaluate(arm: Arm, tick: Tick = lambda: None) -> tuple[Result, Credits]:
    """Everything one arm finds. `tick` is called once an item and k."""
    from harness.result import summarise

    pools: list[Pools] = [
        {question: arm.engine.pool(item, question) for question in arm.strategy.questions(len(item.responses))}
        for item in arm.items
    ]
    kind = getattr(arm.strategy, "meta", None)
    judged = pools if kind is None else with_trust(arm, pools, trusted := meta_rm(arm, pools, kind))
    decisions = decide(arm, arm.strategy, arm.ks, judged, tick)
    credits = credit(arm, decisions)
    details, notes = ({}, []) if kind is None else worth_of_meta(arm, pools, trusted, kind, credits)
    return summarise(arm, judged, credits, details, notes), credits


# ---- credit ----------------------------------------------------------------------------------------------------------


def credit(arm: Arm, decisions: Sequence[Sequence[Decisions]]) -> Credits:
    """Expected credit of every unit at every k."""
    members: dict[str, list[int]] = {}
    for i, item in enumerate(arm.items):
        members.setdefault(arm.task.unit(item), []).append(i)
    value = np.zeros((len(members), len(decisions)))
    variance = np.zeros_like(value)
    for j, at_k in enumerate(decisions):
        for u, rows in enumerate(members.values()):
            items = [arm.items[i] for i in rows]
            if len(rows) == 1:
                d = at_k[rows[0]]
                earned = arm.task.credit(items, [d.scores], arm.rules)
                weight, draws = d.weight, d.draws
            else:
                earned, weight, draws = _jointly(arm, items, [at_k[i] for i in rows])
            value[u, j] = earned @ weight
            if draws:
                variance[u, j] = ((earned - value[u, j]) ** 2 @ weight) / (draws - 1)
    first = [arm.items[rows[0]] for rows in members.values()]
    units = Units(
        section=np.array([arm.task.section(item) for item in first]),
        cluster=np.array([item.cluster for item in first]),
        weight=np.ones(len(first)),
    )
    subset, sizes = np.array([item.subset for item in first]), np.array([len(rows) for rows in members.values()])
    return Credits(units, subset, sizes, value, variance)


def _jointly(arm: Arm, items: Sequence[Item], of_items: Sequence[Decisions]) -> tuple[np.ndarray, np.ndarray, int]:
    """Credits of a unit of several items, over every combination of their decisions (or a sample of them)."""
    if math.prod(len(d.scores) for d in of_items) <= arm.draws:
        index = np.indices([len(d.scores) for d in of_items]).reshape(len(of_items), -1)
        weight = np.prod([d.weight[i] for d, i in zip(of_items, index, strict=True)], axis=0)
        draws = max(d.draws for d in of_items)
    else:
        rng = seeded(arm.seed, "unit", *(item.id for item in items))
        index = np.array([rng.choice(len(d.scores), arm.draws, p=d.weight) for d in of_items])
        weight, draws = np.full(arm.draws, 1 / arm.draws), arm.draws
    scores = [d.scores[i] for d, i in zip(of_items, index, strict=True)]
    return arm.task.credit(items, scores, arm.rules), weight, draws


# ---- the meta RM -----------------------------------------------------------------------------------------------------


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
    from harness.estimates import difference, overall
    from harness.strategies.voting import Voting

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
