"""Count what a set holds: for `show`, and for the sentence a set says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.long_columns import join_keys
from judgescale.harness.recorded.columns import Columns
from judgescale.harness.types import HUMAN, STATUSES


@dataclass(frozen=True)
class JudgeSummary:
    """Hold what a set has of one judge."""

    judge: str
    items: int
    judgments: int
    per_item: tuple[int, int]  # fewest and most judgments of one item
    variants: int
    orders: int  # most orders in which one question was asked
    samples: int  # most repeats of one question in one order
    statuses: dict[str, int]


def summarise_judges(columns: Columns) -> list[JudgeSummary]:
    """Count what there is of each judge; human labels come last."""
    judges = sorted(columns.list_judges(), key=lambda judge: (judge == HUMAN, judge))
    return [_summarise(judge, columns.take(columns.find_judges([judge]))) for judge in judges]


def _summarise(judge: str, own: Columns) -> JudgeSummary:
    per_item, statuses = np.unique(own.item, return_counts=True)[1], np.unique(own.status, return_counts=True)
    # an arrangement is an order under another name: count the orders over all variants only where they differ
    asked = np.unique(join_keys(own.item, own.variant, own.sets[1][own.order], own.order)) // _count(own.order)
    return JudgeSummary(
        judge=judge,
        items=len(per_item),
        judgments=len(own),
        per_item=(int(per_item.min()), int(per_item.max())),
        variants=len(np.unique(own.variant)),
        orders=int(np.unique(asked, return_counts=True)[1].max()),
        samples=int(np.unique(join_keys(own.item, own.variant, own.order), return_counts=True)[1].max()),
        statuses=dict(sorted((STATUSES[code], int(count)) for code, count in zip(*statuses, strict=True))),
    )


def describe_variation(summaries: Sequence[JudgeSummary]) -> str:
    """Say in one sentence what differs between the judgments of a question, and whether that is repeated sampling."""
    judges = [summary for summary in summaries if summary.judge != HUMAN]
    if not judges:
        return "human labels only"
    most = {name: max(getattr(s, name) for s in judges) for name in ("variants", "orders", "samples")}
    parts = [f"{len(judges)} judge{'s' * (len(judges) > 1)}"]
    parts += [f"{most[name]} {name}" for name in ("variants", "orders") if most[name] > 1]
    sentence = " x ".join(parts)
    if most["samples"] > 1:
        sentence += f", up to {most['samples']} samples each: repeated sampling"
    elif len(parts) > 1 or len(judges) > 1:
        sentence += ", one sample each: an ensemble, not repeated sampling"
    else:
        sentence += ", one sample each: nothing to vote over"
    if len(judges) < len(summaries):
        sentence += "; human labels beside them"
    return sentence


def classify_order(columns: Columns) -> str:
    """Say in which orders the judges saw the responses.

    as_is: in item order; both: every pair equally often in both orders; arrangements: of more than two responses in
    several orders; mixed: anything else.
    """
    own = columns.take(~columns.find_judges([HUMAN]))
    if all(own.orders[code] == tuple(sorted(own.orders[code])) for code in np.unique(own.order).tolist()):
        return "as_is"
    widths = own.widths[own.order]
    question = np.unique(join_keys(own.item, own.judge, own.variant, own.sets[1][own.order]), return_inverse=True)[1]
    asked, times = np.unique(join_keys(question.reshape(-1), own.order), return_counts=True)
    _, first, orders = np.unique(asked // _count(own.order), return_index=True, return_counts=True)
    if (widths == 2).all() and (orders == 2).all() and (times[first] == times[first + 1]).all():
        return "both"
    return "arrangements" if (widths > 2).any() else "mixed"


def _count(codes: np.ndarray) -> int:
    """Count the codes from 0 to the largest: what the last column of `join_keys` takes of a key."""
    return int(codes.max()) + 1
