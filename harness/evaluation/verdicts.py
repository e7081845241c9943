"""What every judgment of an arm says, as arrays: which responses it puts on top, and which of them was shown first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.recorded.pools import Pools


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
    number = {judge: j for j, judge in enumerate(arm.judgments.judges)}
    parts: dict[int, list[tuple[np.ndarray, ...]]] = {}
    questions = 0
    for i, (item, of_item) in enumerate(zip(arm.items, pools, strict=True)):
        gold = np.asarray(item.gold, dtype=np.float64)
        for question, pool in of_item.items():
            if len(question) == 1 < len(item.responses):  # a score of one of several says nothing alone
                continue
            rows = np.flatnonzero(~np.isnan(pool.scores).any(axis=1))
            judge = np.fromiter((number[pool.judgments[row].judge] for row in rows), np.int64, len(rows))
            first = np.full(len(rows), -1)
            if not arm.judgments.pointwise:
                place = {item.responses[r]: p for p, r in enumerate(question)}
                first = np.fromiter((place[pool.shown[row][0]] for row in rows), np.int64, len(rows))
            asked = np.array(question)
            same = (np.full(len(rows), i), np.full(len(rows), questions), judge, pool.scores[rows], first)
            each = (
                np.broadcast_to(gold[asked], (len(rows), len(asked))),
                np.broadcast_to(asked, (len(rows), len(asked))),
            )
            parts.setdefault(len(question), []).append((*same, *each))
            questions += 1
    return [Verdicts(*map(np.concatenate, zip(*of_width, strict=True))) for of_width in parts.values()]


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
