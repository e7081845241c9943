"""What every judgment of an arm says, as arrays: which responses it puts on top, and which of them was shown first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.recorded.pools import Asked, Pools, join_questions


@dataclass(frozen=True)
class Verdicts:
    """Hold M usable judgments of questions about m responses each; those that lack the score of one are left out."""

    item: np.ndarray  # (M,), its place among the arm's
    question: np.ndarray  # (M,), its number among all questions of the arm
    judge: np.ndarray  # (M,), its number among the arm's
    scores: np.ndarray  # (M, m), in the question's order
    first: np.ndarray  # (M,), the response shown first; -1 where responses were scored alone
    gold: np.ndarray  # (M, m)
    responses: np.ndarray  # (M, m), each response's place in the item

    @property
    def top(self) -> np.ndarray:
        """Return which responses have the best score, (M, m) booleans; of a lone one, whether it says yes or no."""
        if self.scores.shape[1] == 1:
            return np.column_stack([self.scores[:, 0] >= 0.5, self.scores[:, 0] <= 0.5])
        best: np.ndarray = self.scores == self.scores.max(axis=1, keepdims=True)
        return best


def list_verdicts(arm: Arm, pools: Sequence[Pools]) -> list[Verdicts]:
    """List the verdicts of an arm's judgments, those of questions about equally many responses together."""
    begin, found = 0, []
    for asked in join_questions(pools):
        if asked.scores.shape[1] == 1:  # a score of one of several responses says nothing alone
            lone = [len(arm.items[place].responses) == 1 for place in asked.place.tolist()]
            asked = asked.take(np.array(lone))
        if len(asked.sizes):
            found.append(_find_verdicts(arm, asked, begin))
            begin += len(asked.sizes)
    return found


def number_judges(arm: Arm) -> np.ndarray:
    """Return the number among the arm's judges of each judge of its set; -1 for others."""
    number = {judge: j for j, judge in enumerate(arm.judgments.judges)}
    return np.array([number.get(judge, -1) for judge in arm.judgments.data.columns.judges])


def _find_verdicts(arm: Arm, asked: Asked, begin: int) -> Verdicts:
    """Find what the judgments of questions say, which are numbered from `begin`."""
    columns, places = arm.judgments.data.columns, asked.place.tolist()
    of_items = list(zip([arm.items[place] for place in places], asked.questions, strict=True))
    gold = np.array([[item.gold[r] for r in question] for item, question in of_items])
    if arm.judgments.pointwise:
        first = np.full(len(asked.rows), -1)
    else:
        # the responses' places in the set's item, which may have others, or another order
        begins = asked.rows[np.cumsum(asked.sizes) - asked.sizes]
        known = [columns.items[item].responses for item in columns.item[begins].tolist()]
        own = [
            question if names == item.responses else [names.index(item.responses[r]) for r in question]
            for names, (item, question) in zip(known, of_items, strict=True)
        ]
        shown_first = columns.layout[columns.order[asked.rows], :1]
        first = (np.repeat(np.array(own), asked.sizes, axis=0) == shown_first).argmax(axis=1)
    every = Verdicts(
        item=asked.item,
        question=begin + asked.number,
        judge=number_judges(arm)[columns.judge[asked.rows]],
        scores=asked.scores,
        first=first,
        gold=np.repeat(gold, asked.sizes, axis=0),
        responses=np.repeat(np.array(asked.questions), asked.sizes, axis=0),
    )
    whole = ~np.isnan(every.scores).any(axis=1)
    return every if whole.all() else Verdicts(*(getattr(every, f.name)[whole] for f in fields(every)))


def number_answers(verdicts: Verdicts) -> tuple[np.ndarray, np.ndarray]:
    """Number what verdicts say by the set of responses on top: (M,), equal where they say the same; and its size."""
    top = verdicts.top
    if not len(top):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    packed = np.packbits(top, axis=1)
    answer = np.unique(packed, axis=0, return_inverse=True)[1].reshape(-1)
    return answer, top.sum(axis=1)


def list_decided(every: Sequence[Verdicts]) -> Iterator[tuple[Verdicts, np.ndarray, np.ndarray]]:
    """Yield the verdicts about two responses or more that favour a single one: their rows, and which response it is."""
    for verdicts in every:
        if verdicts.scores.shape[1] > 1:
            top = verdicts.top
            rows = np.flatnonzero(top.sum(axis=1) == 1)
            yield verdicts, rows, top[rows].argmax(axis=1)
