"""Juries and cascades: which judges of a set are asked together, how many judgments each gives, and what one costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from omegaconf import DictConfig

from judgescale.harness.contracts import Strategy
from judgescale.harness.cost import Price, Tokens
from judgescale.harness.options import make
from judgescale.harness.plan.prices import simplify_name
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.types import HUMAN, Item, JudgescaleError, MisfitError

EQUAL = "equal"  # of judge.pool: each judge gives as many of the judgments that vote together as any other
IN_ORDER = "in_order"  # of judge.pool: the judges are asked one after the other, as they are named
BY_COST = "by_cost"  # of judge.pool: each judge gives so many that all cost the same


def choose_judges(
    data: RecordedSet, names: str | Sequence[str] | None, pool: bool | str | None, strategy: Strategy
) -> dict[str, tuple[str, ...]]:
    """Group a set's judges under labels: each on its own, or all as one pool where `pool` or the set says so.

    names: which of them; None = all. pool: None = as the set says. Raises JudgescaleError for judges that are not
    there, and for a pool of those who score on scales of their own where the strategy adds up scores.
    """
    known = sorted(set(data.columns.list_judges()) - {HUMAN})
    listed = [] if names is None else [names] if isinstance(names, str) else names
    if not isinstance(listed, Sequence) or not all(isinstance(name, str) for name in listed):
        raise JudgescaleError(f"judge.names={names}: must be a list of names, or null for all; quote a number")
    chosen = known if names is None else sorted(set(listed))
    if pool not in (None, True, False, EQUAL, BY_COST, IN_ORDER):
        raise JudgescaleError(f"judge.pool={pool}: must be true, false, {EQUAL}, {BY_COST}, {IN_ORDER} or null")
    if strategy.calibrated and pool != IN_ORDER:
        raise MisfitError(
            f"strategy={strategy.name} asks judges one after the other: add judge.pool={IN_ORDER}, and name them, the"
            " cheapest first, with judge.names=[…]"
        )
    if pool == IN_ORDER and not strategy.calibrated:
        raise MisfitError(f"judge.pool={IN_ORDER}: strategy={strategy.name} does not ask judges one after the other")
    if pool == IN_ORDER and len(chosen := list(dict.fromkeys(listed))) < 2:
        raise JudgescaleError(f"judge.pool={IN_ORDER}: name two or more judges, the cheapest first: judge.names=[…]")
    for name in chosen:
        if name not in known:
            raise JudgescaleError(f"judge.names: {name!r} is not in set {data.name}; it has {', '.join(known)}")
    if not chosen:
        none = f"set {data.name} has no judge" + f", only annotators ({HUMAN!r})" * bool(len(data.columns))
        raise JudgescaleError("judge.names is empty" if known else none)
    together = bool(data.meta.get("pool", False)) if pool is None else bool(pool)
    if len(chosen) == 1 or not together:
        return {name: (name,) for name in chosen}
    if not strategy.mixes_scales:
        columns = data.columns
        beyond = ((columns.scores < 0) | (columns.scores > 1)).any(axis=1) & columns.find_judges(chosen)
        if beyond.any():
            judge = columns.judges[columns.judge[beyond.argmax()]]
            raise MisfitError(
                f"judge.pool=true: {judge} scores on a scale of its own, so votes of {len(chosen)} judges"
                " cannot be summed; use judge.pool=false or judge.names=[…], or strategy=voting"
                " strategy.aggregate=zscore"
            )
    return {f"{len(chosen)} judges pooled" if names is None else "+".join(chosen): tuple(chosen)}


def share_judgments(judges: Sequence[str], pool: bool | str | None, costs: Mapping[str, float]) -> dict[str, float]:
    """Return which share of the judgments bought each judge of a pool gives; empty where they are drawn alike.

    Raises JudgescaleError for shares by cost where a cost is not known.
    """
    if len(judges) == 1 or pool not in (EQUAL, BY_COST):
        return {}
    if pool == EQUAL:
        return dict.fromkeys(judges, 1.0)
    if unknown := [judge for judge in judges if judge not in costs]:
        raise JudgescaleError(
            f"judge.pool={BY_COST}: what one judgment costs is not known of {', '.join(unknown)} (it takes token counts"
            " in the set and a price in conf/prices); give dollars a judgment: judge.costs={"
            + ", ".join(f"{judge}: …" for judge in unknown)
            + "}"
        )
    cheapest = min(costs[judge] for judge in judges)
    return {judge: cheapest / costs[judge] for judge in judges}


def find_costs(
    given: Mapping[str, float] | None,
    pool: bool | str | None,
    prices: Mapping[str, Any],
    data: RecordedSet,
    part: RecordedSet,
) -> dict[str, float]:
    """Find what one judgment of each judge costs, in dollars: as judge.costs says it.

    Where judges share by cost, else by its mean tokens in the set and the price of the model of that name, where both
    are known.

    prices: dollars a million tokens by model, as conf/prices has them. part: the judges and variants chosen.

    Raises JudgescaleError for costs that are no amounts, or of nobody in the set.
    """
    if given is not None and not isinstance(given, Mapping | DictConfig):
        raise JudgescaleError(f"judge.costs={given}: must be dollars a judgment by judge's name, as in {{gpt4: 0.01}}")
    costs, known = dict[str, float](), sorted(set(data.columns.list_judges()) - {HUMAN})
    for name, value in (given or {}).items():
        if type(value) not in (int, float) or not 0 < value < inf:
            raise JudgescaleError(f"judge.costs: {name}={value}: must be dollars a judgment, above 0")
        if name not in known:
            raise JudgescaleError(f"judge.costs: {name!r} is not in set {data.name}; it has {', '.join(known)}")
        costs[str(name)] = float(value)
    if pool == BY_COST:
        of_names = {simplify_name(str(model)): price for model, price in prices.items()}
        for judge in part.columns.list_judges():
            price, own = of_names.get(simplify_name(judge)), part.columns.take(part.columns.find_judges([judge]))
            counts = np.column_stack([own.prompt_tokens, own.completion_tokens])
            if judge not in costs and price is not None and not np.isnan(counts).any():
                prompt, completion = counts.mean(axis=0).tolist()
                costs[judge] = make(Price, price, f"prices.{judge}").dollars(Tokens(prompt, 0, completion))
    return costs


def count_in_order(judgments: RecordedJudgments, strategy: Strategy, items: Sequence[Item], most: int) -> int:
    """Return the largest k for which every judge has as many judgments of every item as the strategy takes of it.

    most: that all of them together have. Raises JudgescaleError where that is less than strategy.k.
    """
    fewest = dict.fromkeys(judgments.judges, most)
    for item in items:
        for question in strategy.questions(len(item.responses)):
            count = Counter(judgments.find_pool(item, question).judges)
            fewest = {judge: min(least, count[judge]) for judge, least in fewest.items()}

    def find_short(k: int) -> list[str]:
        """Find the judges who have fewer judgments than k takes."""
        tiers = zip(fewest.items(), strategy.at(k).tiers(len(fewest)), strict=True)
        return [f"{judge} has {have} where {takes} are taken" for (judge, have), takes in tiers if have < takes]

    largest = next((k for k in range(most, 0, -1) if not find_short(k)), 0)
    if largest == 0 or (strategy.k is not None and strategy.k > largest):
        short = find_short(strategy.k or 1)[0]
        raise JudgescaleError(f"strategy.k={strategy.k}: of some item {short}; take fewer, or set strategy.first")
    return largest
