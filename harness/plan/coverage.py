"""Which items a judge is evaluated on: those it judged. The judges of one set need not have judged the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from judgescale.harness.contracts import Strategy
from judgescale.harness.plan.items import note_missing_sections
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.types import Item, JudgescaleError, MisfitError, Rules, Task


class Coverage(NamedTuple):
    """Hold the items that an arm is evaluated on, what to tell of the others, and the sections that lack some."""

    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    partial: frozenset[str] = frozenset()


def keep_judged_items(
    judgments: RecordedJudgments, strategy: Strategy, task: Task, rules: Rules, items: Sequence[Item]
) -> Coverage:
    """Keep the items of which the judge answered every question that the strategy may ask, k times where k is given.

    Of a panel, which votes together, every judge must have answered. What is only scored together is kept or left out
    together. Under partial=leave_out every response must have a score, too, be it from one judgment only.

    Raises JudgescaleError where no item is left.
    """
    unjudged = [item for item in items if not was_judged(judgments, strategy, item)]
    short = find_short_items(judgments, strategy, items, unjudged)
    unscored = find_unscored_items(judgments, strategy, rules, items, (*unjudged, *short))
    if not unjudged and not short and not unscored:
        return Coverage(tuple(items))
    lacking = {task.unit(item) for item in (*unjudged, *short, *unscored)}
    kept = tuple(item for item in items if task.unit(item) not in lacking)
    if not kept:
        if unscored:
            raise JudgescaleError(
                f"protocol.partial=leave_out: set {judgments.data.name} has no item of which every response has a"
                " score; use protocol.partial=use"
            )
        raise explain_none_left(judgments, strategy, unjudged, short)
    others = [item for item in items if task.unit(item) in lacking]
    told = tell_why(judgments, strategy, len(unjudged), len(short), len(unscored), len(others))
    of = f"{len(kept):,} of {len(items):,} items"
    note = f"Evaluated on {of} only: {told}. The figures are not to be held against others of all items."
    sections = note_missing_sections(task, rules, kept, items)
    return Coverage(kept, (note, *sections), frozenset(map(task.section, others)))


def was_judged(judgments: RecordedJudgments, strategy: Strategy, item: Item) -> bool:
    """Tell whether every judge answered every question that a strategy may ask about an item."""
    questions = strategy.questions(len(item.responses))
    if len(judgments.judges) == 1:
        return all(judgments.has_judgments(item, question) for question in questions)
    return not any(judgments.find_silent_judges(item, question) for question in questions)


def find_short_items(
    judgments: RecordedJudgments, strategy: Strategy, items: Sequence[Item], unjudged: Sequence[Item]
) -> list[Item]:
    """Find the items that were judged, yet less often than the k that was asked for."""
    if strategy.k is None:
        return []
    without = {item.id for item in unjudged}
    return [item for item in items if item.id not in without and count_each(judgments, strategy, item) < strategy.k]


def find_unscored_items(
    judgments: RecordedJudgments, strategy: Strategy, rules: Rules, items: Sequence[Item], left_out: Sequence[Item]
) -> list[Item]:
    """Find the items, besides those left out anyway, of which a response has no score: under partial=leave_out."""
    if rules.partial != "leave_out" or not judgments.pointwise:
        return []
    without = {item.id for item in left_out}
    return [item for item in items if item.id not in without and lacks_scores(judgments, strategy, item)]


def lacks_scores(judgments: RecordedJudgments, strategy: Strategy, item: Item) -> bool:
    """Tell whether no judgment has a score of some response that a question is about."""
    pools = (judgments.find_pool(item, question) for question in strategy.questions(len(item.responses)))
    return any(bool(np.isnan(pool.scores).all(axis=0).any()) for pool in pools)


def count_each(judgments: RecordedJudgments, strategy: Strategy, item: Item) -> int:
    """Count the judgments of an item's question that has fewest."""
    questions = strategy.questions(len(item.responses))
    return min((len(judgments.find_pool(item, question)) for question in questions), default=strategy.k or 0)


def explain_none_left(
    judgments: RecordedJudgments, strategy: Strategy, unjudged: Sequence[Item], short: Sequence[Item]
) -> JudgescaleError:
    """Make the error for judgments that make no item whole, of the one that is nearest to it."""
    try:
        if short:
            nearest = max(short, key=lambda item: count_each(judgments, strategy, item))
            for question in strategy.questions(len(nearest.responses)):
                judgments.require_judgments(nearest, question, strategy.k or 0)
        for question in strategy.questions(len(unjudged[0].responses)):
            judgments.find_pool(unjudged[0], question)
    except JudgescaleError as error:
        return error
    return MisfitError(
        f"set {judgments.data.name}: no item was judged by each of the {len(judgments.judges)} judges, so they cannot"
        " vote together; use judge.pool=false, or judge.names=[…]"
    )


def tell_why(
    judgments: RecordedJudgments, strategy: Strategy, unjudged: int, short: int, unscored: int, left_out: int
) -> str:
    """Say why items are left out, by how many of them."""
    one = len(judgments.judges) == 1
    who = f"{judgments.judges[0]} did not judge" if one else f"not all of the {len(judgments.judges)} judges judged"
    reasons = [f"{who} {unjudged:,} in full"] * bool(unjudged)
    reasons += [f"{short:,} have fewer judgments than strategy.k={strategy.k}"] * bool(short)
    reasons += [f"{unscored:,} have a response without any score"] * bool(unscored)
    if others := left_out - unjudged - short - unscored:
        reasons.append(f"{others:,} are only scored together with these")
    return ", ".join(reasons)
