"""What a strategy decides about each item at every k: in closed form where it has one, else by replaying the pool."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Ask, Strategy, has_closed_form
from judgescale.harness.evaluation.cascades import calibrate_in_folds, queue_judges
from judgescale.harness.evaluation.games import Scorebook
from judgescale.harness.evaluation.replay import Replay, ReplayAll, Shelf, batch_items, draw_orders
from judgescale.harness.recorded.pools import Pool, Pools, take_only_pool
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.counting import count_distinct_subsets, subset_indices
from judgescale.harness.stats.votes import margin
from judgescale.harness.types import Item, JudgescaleError

Tick = Callable[[int], None]  # called with how many more decisions there are, of an item at a k, to move a progress bar


ACROSS_DRAWS = 16  # replays of a strategy that decides about all items at once: each has thousands of decisions
STACKED = 2_000_000  # scores of decisions in memory at a time
SLOW_REPLAYS, SLOW_DRAWS = 5_000, 8  # of a slow strategy: about so many of all items, and at least so many of each

# One decision stands for each outcome of a vote: the first wins, a tie, the second wins, nothing usable.
FOR_PAIR = np.array([[1, 0], [0.5, 0.5], [0, 1], [np.nan, np.nan]])
FOR_ONE = FOR_PAIR[:, :1]


@dataclass(frozen=True)
class Decisions:
    """Hold what a strategy may decide about one item: D rows of scores (D, n), and how likely each is."""

    scores: np.ndarray
    weight: np.ndarray  # (D,), sums to 1
    draws: int  # random replays the weights were estimated from; 0 where they were counted
    bought: np.ndarray | None = None  # (D,), the judgments that each took, of a strategy that may stop before its k
    price: float | None = None  # dollars a judgment of those that were bought, where they were priced


@dataclass(frozen=True)
class Counted(Sequence[Decisions]):
    """Hold the counted decisions about N items of one or two responses at one k, as one array."""

    lone: np.ndarray  # (N,), which items have one response
    outcomes: np.ndarray  # (N, 4), how likely each of FOR_PAIR is
    draws: np.ndarray  # (N,)

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.lone)

    def __getitem__(self, place: Any) -> Any:
        """Return the decisions about one item."""
        stand_in = FOR_ONE if self.lone[place] else FOR_PAIR
        return Decisions(stand_in, self.outcomes[place], int(self.draws[place]))


class Stack(NamedTuple):
    """Hold the decisions about B items of which there are equally many, about equally many responses."""

    places: np.ndarray  # (B,), of the items
    scores: np.ndarray  # (B, D, n)
    weight: np.ndarray  # (B, D)
    draws: np.ndarray  # (B,)


def stack_decisions(decisions: Sequence[Decisions]) -> Iterator[Stack]:
    """Stack decisions at one k of one shape, some STACKED scores at a time."""
    if isinstance(decisions, Counted):
        for stand_in, which in ((FOR_ONE, decisions.lone), (FOR_PAIR, ~decisions.lone)):
            if len(places := np.flatnonzero(which)):
                scores = np.broadcast_to(stand_in, (len(places), *stand_in.shape))
                yield Stack(places, scores, decisions.outcomes[places], decisions.draws[places])
        return
    shapes: dict[tuple[int, ...], list[int]] = {}
    for place, of_item in enumerate(decisions):
        shapes.setdefault(of_item.scores.shape, []).append(place)
    for (rows, n), of_shape in shapes.items():
        step = max(1, STACKED // (rows * n))
        for start in range(0, len(of_shape), step):
            some = [decisions[place] for place in of_shape[start : start + step]]
            scores, weight = np.stack([d.scores for d in some]), np.stack([d.weight for d in some])
            yield Stack(np.array(of_shape[start : start + step]), scores, weight, np.array([d.draws for d in some]))


def decide(
    arm: Arm,
    strategy: Strategy,
    ks: Sequence[int],
    pools: Sequence[Pools],
    tick: Tick = lambda count: None,
    book: Scorebook | None = None,
) -> Sequence[Sequence[Decisions]]:
    """Return the strategy's decisions as [k][item], counted where it has a closed form for these items.

    book: what notes the games of one replay of each item at the arm's k.
    """
    if (exact := _decide_in_closed_form(arm, strategy, ks, pools)) is not None:
        tick(len(ks) * len(arm.items))
        return exact
    return decide_by_replay(arm, strategy, ks, pools, tick, book)


def _decide_in_closed_form(
    arm: Arm, strategy: Strategy, ks: Sequence[int], pools: Sequence[Pools]
) -> Sequence[Sequence[Decisions]] | None:
    """Count the decisions instead of replaying them; None where the strategy or some item does not allow it."""
    if arm.shares or not has_closed_form(strategy, arm.items):
        return None
    whole = [take_only_pool(p) for p in pools]
    if arm.judgments.pointwise and any(p.partial.any() for p in whole):
        return None  # a vote of means is no sum of margins
    curve = strategy.exact([margin(p.scores) for p in whole], [p.meta for p in whole], ks, arm.draws, arm.seed)
    if curve is None:
        return None
    lone = np.array([len(item.responses) == 1 for item in arm.items])
    draws = np.where(curve.exact, 0, arm.draws)
    return [Counted(lone, curve.outcomes[:, j], draws) for j in range(len(ks))]


def decide_by_replay(
    arm: Arm,
    strategy: Strategy,
    ks: Sequence[int],
    pools: Sequence[Pools],
    tick: Tick = lambda count: None,
    book: Scorebook | None = None,
) -> list[list[Decisions]]:
    """Return the decisions as [k][item], by running the strategy itself on recorded judgments.

    It runs on `arm.draws` random orders of every item's pools (a slow one on fewer), or on all subsets of a pool where
    nothing but the subset is left to chance and there are at most `arm.draws` of them. A plain vote takes equal
    judgments for one, so that there are fewer; where meta scores are equal, their order is left to chance as well.

    Raises JudgescaleError where a strategy that chooses its questions asks one that was not bought.
    """
    if strategy.across:
        return _decide_across(arm, strategy, ks, pools, tick)
    if strategy.calibrated:
        return [_decide_in_folds(arm, strategy.at(k), k, pools, tick) for k in ks]
    return _replay(arm, strategy, ks, pools, tick, book)


def _replay(
    arm: Arm,
    strategy: Strategy,
    ks: Sequence[int],
    pools: Sequence[Pools],
    tick: Tick,
    book: Scorebook | None = None,
) -> list[list[Decisions]]:
    """Return the decisions of a strategy that decides about each item alone, as [k][item]."""
    decisions: list[list[Decisions]] = [[] for _ in ks]
    # filled in, not returned: asyncio.run would build the repr of what the coroutine returns
    asyncio.run(_fill_by_replay(arm, strategy, ks, pools, tick, decisions, book))
    return decisions


def _decide_in_folds(arm: Arm, strategy: Strategy, k: int, pools: Sequence[Pools], tick: Tick) -> list[Decisions]:
    """Return the decisions of a strategy that learns from labels, an item each: from none of the item's cluster."""
    found: dict[int, Decisions] = {}
    for rows, ready in calibrate_in_folds(arm, strategy, pools):
        items, queue = tuple(arm.items[i] for i in rows), queue_judges(arm, strategy)
        part = dataclasses.replace(arm, items=items, queue=queue)
        ((*decided,),) = _replay(part, ready, [k], [pools[i] for i in rows], tick)
        found |= dict(zip(rows.tolist(), decided, strict=True))
    return [found[i] for i in range(len(arm.items))]


def _decide_across(
    arm: Arm, strategy: Strategy, ks: Sequence[int], pools: Sequence[Pools], tick: Tick
) -> list[list[Decisions]]:
    """Return the decisions of a strategy that weighs items against each other, by a few replays of all items."""
    draws = 1 if arm.as_bought else min(arm.draws, ACROSS_DRAWS)
    ask = ReplayAll(pools, draws, None if arm.as_bought else make_rng(arm.seed, "pool", "all items"), arm.shares)
    found: list[tuple[np.ndarray, np.ndarray]] = []

    async def fill() -> None:
        """Fill `found`, for the reason given in `decide_by_replay`."""
        found.extend(await strategy.decide_all(ask, ks, make_rng(arm.seed, strategy.name, "all items")))

    asyncio.run(fill())
    weight = np.full(draws, 1 / draws)
    decisions = []
    for scores, bought in found:
        of_items = enumerate(len(item.responses) for item in arm.items)
        random = 0 if arm.as_bought else draws
        decisions.append([Decisions(scores[:, i, :n], weight, random, bought[:, i]) for i, n in of_items])
        tick(len(arm.items))
    return decisions


async def _fill_by_replay(
    arm: Arm,
    strategy: Strategy,
    ks: Sequence[int],
    pools: Sequence[Pools],
    tick: Tick,
    decisions: list[list[Decisions]],
    book: Scorebook | None,
) -> None:
    found: list[dict[int, Decisions]] = [{} for _ in ks]  # by the item's place
    countable = [_is_countable(arm, strategy, of_item) for of_item in pools]
    # a live run drew its lots item by item
    alone = [[place] for place in range(len(pools))] if arm.as_bought else None
    replays = min(arm.draws, max(SLOW_DRAWS, SLOW_REPLAYS // len(pools))) if strategy.slow else arm.draws
    for places in alone or batch_items(arm.items, pools, replays, countable):
        items, of_items = [arm.items[i] for i in places], [pools[i] for i in places]
        counted, shelf = countable[places[0]], Shelf.fill(of_items, arm.costs)
        if counted:
            kinds = [_find_kinds(take_only_pool(p)) if strategy.plain_vote else None for p in of_items]
        elif arm.as_bought:  # the strategy asks just what it asked when it was live
            orders = [np.arange(shelf.size.max())[None, None].repeat(shelf.size.shape[1], axis=1)]
        else:
            orders = [
                draw_orders(of_item, replays, make_rng(arm.seed, "pool", item.id), arm.shares, arm.queue)
                for item, of_item in zip(items, of_items, strict=True)
            ]
        for j, k in enumerate(ks):
            shares: list[np.ndarray | None] = [None] * len(items)  # of the subsets, where they are all there
            if counted:
                chosen = [
                    _choose_subsets(arm, item, size, kind, k)
                    for item, size, kind in zip(items, shelf.size[:, 0].tolist(), kinds, strict=True)
                ]
                orders, shares = [subsets[:, None] for subsets, _ in chosen], [share for _, share in chosen]
            rng = make_rng(arm.seed, strategy.name, *(item.id for item in items))
            replay = Replay(shelf, orders)
            counts = np.array([len(order) for order in orders])  # the replays of each item
            firsts = np.cumsum(counts) - counts
            noted = book if k == arm.k else None
            ask: Ask = noted.watch(replay, np.array(places), firsts) if noted else replay
            try:
                scores = await strategy.at(k)(ask, len(items[0].responses), rng)
            except KeyError:
                data = arm.judgments.data
                other, same = ("seed, k or rule", ", k and rule") if strategy.stops else ("seed or k", " and k")
                raise JudgescaleError(
                    f"set {data.name}, item {items[0].id}: another {other} asks what was not bought; only the"
                    f" seed={data.meta['live']['strategy_seed']}{same} of that run can be replayed"
                ) from None
            if noted:
                noted.note_decisions(np.array(places), scores[firsts], counts)
            bought, spent, begin = replay.bought, replay.spent, 0
            for place, order, share in zip(places, orders, shares, strict=True):
                own = slice(begin, begin := begin + len(order))
                weight = np.full(len(order), 1 / len(order)) if share is None else share
                draws = 0 if arm.as_bought or share is not None else len(order)
                price = None if spent is None else float(weight @ spent[own] / (weight @ bought[own]))
                found[j][place] = Decisions(scores[own], weight, draws, bought[own] if strategy.stops else None, price)
                tick(1)
    for at_k, of_k in zip(decisions, found, strict=True):
        at_k += (of_k[place] for place in range(len(pools)))


def _is_countable(arm: Arm, strategy: Strategy, pools: Pools) -> bool:
    """Tell whether subsets of an item's only pool may be counted: only where nothing but the subset is left to chance.

    Whether they are few enough is another question.
    """
    if arm.as_bought or arm.shares or strategy.random or len(pools) > 1:
        return False
    return strategy.meta_rm is None or not any(map(has_equal_ranks, pools.values()))


def _find_kinds(pool: Pool) -> np.ndarray:
    """Find which judgments say the same: (n,) whole numbers from 0."""
    given = ~np.isnan(pool.scores)
    said = np.column_stack([given, np.where(given, pool.scores, 0.0)])
    return np.unique(said, axis=0, return_inverse=True)[1].reshape(-1)


def _choose_subsets(
    arm: Arm, item: Item, size: int, kinds: np.ndarray | None, k: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return subsets of k of a pool's judgments, (D, k), and their shares (D,); None where they are a random sample.

    kinds: which of its judgments are interchangeable; None where each counts as another one.
    """
    if kinds is not None and (found := count_distinct_subsets(kinds, k, arm.draws)):
        return found
    subsets, all_of_them = subset_indices(size, k, arm.draws, make_rng(arm.seed, "subsets", item.id))
    return subsets, np.full(len(subsets), 1 / len(subsets)) if all_of_them else None


def has_equal_ranks(pool: Pool) -> bool:
    """Tell whether judgments that say different things have equal meta scores, so that their order matters."""
    ranks = np.where(pool.usable & ~np.isnan(pool.meta), pool.meta, -np.inf)[:, None]
    said = np.where(np.isnan(pool.scores), np.inf, pool.scores)
    return len(np.unique(ranks)) < len(np.unique(np.column_stack([ranks, said]), axis=0))
