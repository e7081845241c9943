"""Count what a set holds: for `show`, and for the sentence a set says about itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from judgescale.harness.types import HUMAN, Judgment, Record


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


def summarise_judges(rows: Iterable[tuple[str, Judgment]]) -> list[JudgeSummary]:
    """Count what there is of each judge in judgments and the prompts they are about; human labels come last."""
    by_judge: dict[str, list[tuple[str, Judgment]]] = defaultdict(list)
    for prompt, judgment in rows:
        by_judge[judgment.judge].append((prompt, judgment))
    return [_summarise(judge, rows) for judge, rows in sorted(by_judge.items(), key=lambda x: (x[0] == HUMAN, x[0]))]


def _summarise(judge: str, rows: Sequence[tuple[str, Judgment]]) -> JudgeSummary:
    per_item = Counter(prompt for prompt, _ in rows)
    orders: dict[tuple[str, str, frozenset[int]], set[tuple[int, ...]]] = defaultdict(set)
    samples: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    for prompt, judgment in rows:
        shown, variant = judgment.shown, judgment.variant
        # an arrangement is an order under another name: count the orders over all variants only where they differ
        orders[prompt, variant, frozenset(shown)].add(shown)
        samples[prompt, variant, shown] += 1
    return JudgeSummary(
        judge=judge,
        items=len(per_item),
        judgments=len(rows),
        per_item=(min(per_item.values()), max(per_item.values())),
        variants=len({judgment.variant for _, judgment in rows}),
        orders=max(map(len, orders.values())),
        samples=max(samples.values()),
        statuses=dict(sorted(Counter(judgment.status for _, judgment in rows).items())),
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


def classify_order(records: Sequence[Record]) -> str:
    """Say in which orders the judges saw the responses.

    as_is: in item order; both: every pair equally often in both orders; arrangements: of more than two responses in
    several orders; mixed: anything else.
    """
    shown: dict[tuple[str, str, str, frozenset[int]], Counter[tuple[int, ...]]] = defaultdict(Counter)
    for record in records:
        judgment = record.judgment
        if judgment.judge != HUMAN:
            shown[record.prompt, judgment.judge, judgment.variant, frozenset(judgment.shown)][judgment.shown] += 1
    if all(each == tuple(sorted(each)) for orders in shown.values() for each in orders):
        return "as_is"
    if all(len(o) == len(question[3]) == 2 and len(set(o.values())) == 1 for question, o in shown.items()):
        return "both"
    return "arrangements" if any(len(question[3]) > 2 for question in shown) else "mixed"
