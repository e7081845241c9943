"""What a strategy decides about each item at every k: in closed form where it has one, else by replaying the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy, has_closed_form
from judgescale.harness.evaluation.replay import Replay, shuffles
from judgescale.harness.recorded.pools import Pools, only
from judgescale.harness.seeding import seeded
from judgescale.harness.stats.counting import subset_indices
from judgescale.harness.stats.votes import margin
from judgescale.harness.types import JudgescaleError

Tick = Callable[[], None]


@dataclass(frozen=True)
class Decisions:
    """What a strategy may decide about one item: (D, n) scores and how likely each is."""

    scores: np.ndarray
    weight: np.ndarray  # (D,), sums to 1
    draws: int  # random replays the weights were estimated from; 0 where they were counted


def decide(
    arm: Arm, strategy: Strategy, ks: Sequence[int], pools: Sequence[Pools], tick: Tick = lambda: None
) -> list[list[Decisions]]:
    """[k][item]: a closed form needs a strategy that has one and items of one or two responses."""
    if (exact := _closed_form(arm, strategy, ks, pools)) is not None:
        for _ in range(len(ks) * len(arm.items)):
            tick()
        return exact
    return replay(arm, strategy, ks, pools, tick)


def _closed_form(
    arm: Arm, strategy: Strategy, ks: Sequence[int], pools: Sequence[Pools]
) -> list[list[Decisions]] | None:
    if not has_closed_form(strategy, arm.items):
        return None
    whole = [only(p) for p in pools]
    curve = strategy.exact([margin(p.scores) for p in whole], [p.meta for p in whole], ks, arm.draws, arm.seed)
    if curve is None:
        return None
    # One decision stands for each outcome: the first wins, a tie, the second wins, nothing usable.
    for_pair = np.array([[1, 0], [0.5, 0.5], [0, 1], [np.nan, np.nan]])
    stand_in = [for_pair[:, : len(item.responses)] for item in arm.items]
    return [
        [
            Decisions(s, w, 0 if counted else arm.draws)
            for s, w, counted in zip(stand_in, curve.outcomes[:, j], curve.exact, strict=True)
        ]
        for j in range(len(ks))
    ]


def replay(
    arm: Arm, strategy: Strategy, ks: Sequence[int], pools: Sequence[Pools], tick: Tick = lambda: None
) -> list[list[Decisions]]:
    """[k][item]: the strategy itself, run on many random orders of every item's pool (or on all its subsets)."""
    decisions: list[list[Decisions]] = [[] for _ in ks]
    asyncio.run(_replay(arm, strategy, ks, pools, tick, decisions))  # filled in: a returned giant would be repr'ed
    return decisions


async def _replay(
    arm: Arm,
    strategy: Strategy,
    ks: Sequence[int],
    pools: Sequence[Pools],
    tick: Tick,
    decisions: list[list[Decisions]],
) -> None:
    for item, of_item in zip(arm.items, pools, strict=True):
        # All subsets of one question's pool, if they are few: only where nothing but the subset is left to chance.
        countable = len(of_item) == 1 and not strategy.random
        if arm.as_bought:  # the strategy asks just what it asked when it was live
            order = np.arange(max(map(len, of_item.values())))[None, None].repeat(len(of_item), axis=1)
        elif not countable:
            order = shuffles(of_item, arm.draws, seeded(arm.seed, "pool", item.id))
        for j, k in enumerate(ks):
            exact = False
            if countable:
                rng = seeded(arm.seed, "subsets", item.id)
                subsets, exact = subset_indices(len(only(of_item)), k, arm.draws, rng)
                order = subsets[:, None]
            rng = seeded(arm.seed, strategy.name, item.id)
            at_k = strategy.at(k)
            try:
                scores = await at_k(Replay(of_item, order), len(item.responses), rng)
            except KeyError:
                data = arm.judgments.data
                raise JudgescaleError(
                    f"set {data.name}, item {item.id}: another seed or k asks what was not bought; only the"
                    f" seed={data.meta['live']['strategy_seed']} and k of that run can be replayed"
                ) from None
            weight = np.full(len(scores), 1 / len(scores))
            decisions[j].append(Decisions(scores, weight, 0 if exact or arm.as_bought else len(scores)))
            tick()
