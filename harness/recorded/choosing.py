"""Take part of a recorded set: some judges, variants or samples, and another rule for the score of step scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import nan

from judgescale.harness.errors import list_some
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.recorded.sets import RecordedSet
from judgescale.harness.stats.steps import OF_PROBABILITIES, RULES
from judgescale.harness.types import HUMAN, JudgescaleError, Record


def take_part(
    data: RecordedSet,
    judges: Sequence[str],
    variants: Sequence[str] | None = None,
    steps: str | None = None,
    samples: int | None = None,
) -> RecordedSet:
    """Return the set with the judgments of these judges and variants only, or as it is; its human labels stay.

    variants: None = all. steps: the rule by which the step scores of a response make its score (stats/steps.py); None =
    the scores as they were recorded. samples: of each judge's judgments of a question, the first so many; None = all.

    Raises JudgescaleError for a variant that these judges do not have, for a rule where they have no step scores, and
    for as many samples as there are at most.
    """
    if variants is None and steps is None and samples is None:
        return data
    records = [r for r in data.records if r.judgment.judge in judges or r.judgment.judge == HUMAN]
    chosen: dict[str, str] = {}
    if variants is not None:
        known = {r.judgment.variant for r in records if r.judgment.judge != HUMAN}
        if missing := [name for name in variants if name not in known]:
            raise JudgescaleError(
                f"judge.variants: {missing[0]!r} is not among those of these judges in set {data.name}; it has"
                f" {list_some(sorted(map(repr, known)), 20)}"
            )
        records = [r for r in records if r.judgment.judge == HUMAN or r.judgment.variant in variants]
        chosen["variants"] = ",".join(variants)
        _require_judges(data, records, judges, chosen["variants"])
    if samples is not None:
        records = _take_first(data, records, samples)
        chosen["samples"] = str(samples)
    if steps is not None:
        records = [_score_by_steps(data, r, steps) for r in records]
        chosen["steps"] = steps
    return replace(data, columns=make_columns(records), chosen=chosen)


def _take_first(data: RecordedSet, records: Sequence[Record], samples: int) -> list[Record]:
    """Return the first judgments of each judge about each question, so many, in their order; and the human labels."""
    asked: dict[tuple[str, str, frozenset[str]], list[int]] = {}
    for place, r in enumerate(records):
        if r.judgment.judge != HUMAN:
            shown = frozenset(r.responses[i] for i in r.judgment.shown)
            asked.setdefault((r.judgment.judge, r.prompt, shown), []).append(place)
    most = max(map(len, asked.values()), default=0)
    if samples >= most:
        raise JudgescaleError(
            f"judge.samples={samples}: leaves nothing out, as set {data.name} has at most {most} judgment(s) of these"
            " judges about a question; leave it out, or take fewer"
        )
    late = {place for places in asked.values() for place in sorted(places, key=lambda i: _order(records[i]))[samples:]}
    return [r for place, r in enumerate(records) if place not in late]


def _order(record: Record) -> tuple[int, str, tuple[int, ...]]:
    """Return what the judgments of one judge about a question are ordered by."""
    return record.judgment.sample, record.judgment.variant, record.judgment.shown


def _require_judges(data: RecordedSet, records: Sequence[Record], judges: Sequence[str], variants: str) -> None:
    """Raise JudgescaleError where a judge has no judgment of the variants."""
    left = {r.judgment.judge for r in records}
    if without := [judge for judge in judges if judge not in left]:
        raise JudgescaleError(
            f"judge.variants: {without[0]} has no judgment of {variants} in set {data.name}; leave it out with"
            " judge.names=[…]"
        )


def _score_by_steps(data: RecordedSet, record: Record, rule: str) -> Record:
    """Return a record whose judgment has the scores that a rule makes of its step scores."""
    judgment = record.judgment
    if judgment.judge == HUMAN or judgment.scores is None:
        return record
    if judgment.steps is None:
        raise JudgescaleError(
            f"judge.steps={rule}: {judgment.judge} has no step scores in set {data.name}; leave the option out, or name"
            " the process reward models with judge.names=[…]"
        )
    outside = [p for of_response in judgment.steps for p in of_response if not 0 <= p <= 1]
    if outside and rule in OF_PROBABILITIES:
        others = ", ".join(name for name in RULES if name not in OF_PROBABILITIES)
        raise JudgescaleError(
            f"judge.steps={rule}: takes step scores from 0 to 1, and set {data.name}, item {record.prompt} has"
            f" {outside[0]:g} of {judgment.judge}; use one of {others}"
        )
    combine = RULES[rule]
    scores = tuple(float(combine(of_response)) if of_response else nan for of_response in judgment.steps)
    return replace(record, judgment=replace(judgment, scores=scores))
