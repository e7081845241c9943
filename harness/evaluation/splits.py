"""Which votes of an arm can split, and what its reader must know where a tie then earns other than a lot would."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.credits import describe_ties, group_alike, group_by_unit
from judgescale.harness.evaluation.ties import credit_by_lot, tie_all
from judgescale.harness.types import OWN_TIE, Item, Rules, Task


def examine_ties(arm: Arm) -> tuple[set[int], list[str]]:
    """Find where ties matter: the ks of the curve at which a vote may split, and notes on what a tie then earns.

    Neither where a tie earns what a lot would. A vote may split if its voters are even; notes are about the headline's
    k, and about a strategy whose votes never do.
    """
    even = {k for k in arm.ks if _can_split(arm.strategy, k)}
    if not (even or arm.strategy.breaks_ties) or is_even_handed(prices := price_ties(arm, arm.rules)):
        return set(), []
    return even, warn_of_ties(arm, *(100 * prices.mean(axis=0)).tolist())


def warn_of_ties(arm: Arm, earned: float, by_lot: float) -> list[str]:
    """Write what a tie earns, and what a lot would, in percent, if the arm's votes can split at its k, or never do."""
    strategy, voters = arm.strategy, arm.strategy.count_voters(arm.k)
    if not (strategy.breaks_ties or _can_split(strategy, arm.k)):
        return []
    if strategy.breaks_ties:
        by_itself = f"strategy={strategy.name} breaks ties itself, which is worth {by_lot:.1f} each"
        return [f"{by_itself}, where a tied vote earns {earned:.1f}: compare the two with ties broken by lot."]
    shared = is_even_handed(price_ties(arm, dataclasses.replace(arm.rules, tie="share")))
    advice = "set strategy.tie=share, or compare" if shared else "compare"
    worth = f"a tie earns {earned:.1f} here where a lot would earn {by_lot:.1f}"
    if arm.rules.tie == OWN_TIE and (said := describe_ties(arm.task, arm.items)):
        worth = f"a split vote {said} whatever the protocol; it earns {earned:.1f}, a lot would {by_lot:.1f}"
    return [f"A vote of {voters} can split, and {worth}: {advice} odd numbers of votes."]


def price_ties(arm: Arm, rules: Rules) -> np.ndarray:
    """Return what a tie of all responses earns by these rules, and what by lot, for every unit of the arm: (U, 2)."""
    members = list(group_by_unit(arm.task, arm.items).values())
    prices = np.empty((len(members), 2))
    for alike in group_alike(arm.task, arm.items, members):
        prices[alike] = _price_tie(arm.task, rules, [arm.items[i] for i in members[alike[0]]])
    return prices


def is_even_handed(prices: np.ndarray) -> bool:
    """Tell whether a tie earns what a lot would, whichever unit it is about (`price_ties`)."""
    return bool(np.allclose(prices[:, 0], prices[:, 1]))


def _price_tie(task: Task, rules: Rules, unit: Sequence[Item]) -> tuple[float, float]:
    tied = tie_all(unit)
    return float(task.credit(unit, tied, rules)[0]), float(credit_by_lot(task, rules, unit, tied)[0])


def _can_split(strategy: Strategy, k: int) -> bool:
    return not strategy.breaks_ties and strategy.count_voters(k) % 2 == 0
