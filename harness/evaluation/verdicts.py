"""What every judgment of an arm says, as arrays: which responses it puts on top, and which of them was shown first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.recorded.pools import Pool, Pools


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
    asked: dict[int, list[tuple[int, tuple[int, ...], Pool]]] = {}  # by how many responses: item, question, judgments
    for i, (item, of_item) in enumerate(zip(arm.items, pools, strict=True)):
        for question, pool in of_item.items():
            if len(question) > 1 or len(item.responses) == 1:  # a score of one of several says nothing alone
                asked.setdefault(len(question), []).append((i, question, pool))
    begin, found = 0, []
    for of_width in asked.values():
        found.append(_join_pools(arm, of_width, begin))
        begin += len(of_width)
    return found


def _join_pools(arm: Arm, asked: Sequence[tuple[int, tuple[int, ...], Pool]], begin: int) -> Verdicts:
    """Join the judgments of questions about equally many responses, which are numbered from `begin`."""
    number = {judge: j for j, judge in enumerate(arm.judgments.judges)}
    sizes = [len(pool) for _, _, pool in asked]
    gold = np.array([[arm.items[i].gold[r] for r in question] for i, question, _ in asked])
    if arm.judgments.pointwise:
        first = np.full(sum(sizes), -1)
    else:
        first = np.array(
            [
                place[shown[0]]
                for i, question, pool in asked
                if (place := {arm.items[i].responses[r]: p for p, r in enumerate(question)})
                for shown in pool.shown
            ]
        )
    every = Verdicts(
        item=np.repeat([i for i, _, _ in asked], sizes),
        question=np.repeat(np.arange(begin, begin + len(asked)), sizes),
        judge=np.array([number[judgment.judge] for _, _, pool in asked for judgment in pool.judgments]),
        scores=np.concatenate([pool.scores for _, _, pool in asked]),
        first=first,
        gold=np.repeat(gold, sizes, axis=0),
        responses=np.repeat([question for _, question, _ in asked], sizes, axis=0),
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
