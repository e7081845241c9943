"""What each judgment of a question would earn if it decided alone, each judge's sum of them, and the sum of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import group_alike
from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.evaluation.ties import credit_by_lot
from judgescale.harness.evaluation.verdicts import number_judges
from judgescale.harness.long_columns import join_keys
from judgescale.harness.recorded.pools import Asked, Pools, join_questions
from judgescale.harness.stats.votes import put_unscored_last, vote
from judgescale.harness.types import OWN_TIE, Item


@dataclass(frozen=True)
class Credited:
    """Hold P questions about m responses each, M judgments of them, and what these earn, ties shared."""

    asked: Asked
    judge: np.ndarray  # (M,), whose each judgment is
    alone: np.ndarray  # (M,), what each earns
    sum_of: np.ndarray  # (S,), to which question each judge's sum belongs
    sum_by: np.ndarray  # (S,), whose it is
    of_judges: np.ndarray  # (S,), what it earns
    sum: np.ndarray  # (P, m), of all judgments of a question
    decided: np.ndarray  # (P,), what that earns


def credit_pools(arm: Arm, pools: Sequence[Pools]) -> list[Credited]:
    """Credit the judgments of every question with two or more of them in which one response is better than another.

    Questions about equally many responses are credited together. Empty where how many judgments there are depends on
    what they said.
    """
    if (arm.judgments.data.meta.get("live") or {}).get("stopped_by"):
        return []
    number, columns, found = number_judges(arm), arm.judgments.data.columns, []
    for every in join_questions(pools):
        of_items = zip(every.place.tolist(), every.questions, strict=True)
        items = [_take_question(arm.items[place], question) for place, question in of_items]
        asked = every.take((every.sizes > 1) & np.array([item is not None for item in items]))
        if not len(asked.sizes):
            continue
        judge = number[columns.judge[asked.rows]]
        by_judge = np.lexsort((judge, asked.number))
        whose = join_keys(asked.number, judge)[by_judge]
        starts = np.flatnonzero(np.r_[True, np.diff(whose) != 0])
        sums = _sum_blocks(asked.scores[by_judge], starts)
        whole = _sum_blocks(asked.scores, np.cumsum(asked.sizes) - asked.sizes)
        of, by = asked.number[by_judge][starts], judge[by_judge][starts]
        kept = [item for item, size in zip(items, every.sizes.tolist(), strict=True) if item is not None and size > 1]
        of_rows = _credit_each(arm, asked, kept, np.concatenate([asked.number, of, np.arange(len(kept))]),
                               np.concatenate([asked.scores, sums, whole]))  # fmt: skip
        alone, of_judges, decided = np.split(of_rows, np.cumsum([len(judge), len(sums)]))
        found.append(Credited(asked, judge, alone, of, by, of_judges, whole, decided))
    return found


def _sum_blocks(scores: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sum the votes of each block of rows of scores (M, m), which begin at these rows: (blocks, m)."""
    sizes = np.diff(np.r_[starts, len(scores)])
    sums = np.empty((len(starts), scores.shape[1]))
    for size in np.unique(sizes):
        blocks = np.flatnonzero(sizes == size)
        sums[blocks] = vote(scores[starts[blocks][:, None] + np.arange(size)])
    return sums


def _take_question(item: Item, question: tuple[int, ...]) -> Item | None:
    """Return the item with the responses of a question only; None where none of them is better than another."""
    if len(question) == len(item.responses):
        return item
    gold = tuple(item.gold[i] for i in question)
    responses = tuple(item.responses[i] for i in question)
    return None if len(set(gold)) == 1 else dataclasses.replace(item, responses=responses, gold=gold, texts=())


def _credit_each(arm: Arm, asked: Asked, items: Sequence[Item], question: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Credit decisions about items, or about some of their responses, (D, n), with ties shared: (D,).

    items: what each of the P questions is about. question: (D,), which of them each decision is about.
    """
    scores, earned = put_unscored_last(scores), np.empty(len(scores))
    by_question = np.argsort(question, kind="stable")
    begin = np.searchsorted(question[by_question], np.arange(len(items) + 1))
    shared = dataclasses.replace(arm.rules, tie="share")
    # what is scored with others has no credit of its own
    own = [
        len(item.responses) == len(arm.items[place].responses) and arm.task.unit(item) == item.id
        for place, item in zip(asked.place.tolist(), items, strict=True)
    ]
    for alone in (True, False):
        some = [place for place, is_own in enumerate(own) if is_own == alone]
        if not some:
            continue
        rule = arm.task if alone else dataclasses.replace(arm.task, credit=credit_best, credit_by_lot=None)
        for alike in group_alike(rule, items, [[place] for place in some]):
            item = items[some[alike[0]]]
            rows = np.concatenate([by_question[begin[some[a]] : begin[some[a] + 1]] for a in alike])
            if not alone:
                earned[rows] = credit_best([item], [np.nan_to_num(scores[rows])], shared)
            elif arm.rules.tie == OWN_TIE and len(item.responses) > 1:  # a tie is a verdict
                earned[rows] = arm.task.credit([item], [scores[rows]], arm.rules)
            else:
                earned[rows] = credit_by_lot(arm.task, arm.rules, [item], [scores[rows]])
    return earned
