"""Meta RMs for recorded judgments: how far to trust each judgment of a pool (arXiv 2504.02495, section 4.2).

`logistic` leaves out every cluster in turn: no judgment is scored by a model that saw a label of its question. Its
features come from the judgment alone (who judged, with which template, which place it favoured and by how much, how
long it wrote); the place is left out where the set itself gives the right answer away by it. Agreement with the pool is
left out on purpose, because a vote of k=2 would then know what all the others said.
`oracle` ranks by how far a judgment favours the right answer and `random` by nothing: a perfect and a blind meta RM.
`recorded` takes the scores stored in the set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from judgescale.harness.evaluation.rules import mark_right
from judgescale.harness.recorded.pools import Pool
from judgescale.harness.stats.classification import rank
from judgescale.harness.stats.logistic import score_left_out
from judgescale.harness.types import Item, JudgescaleError, Judgment, MisfitError, Rules, Task

KINDS = ("logistic", "oracle", "random", "recorded")
FOLDS = 200  # more clusters than these are left out several at a time
EVEN = 0.1  # the right answer may stand in one place this much more often than by chance


@dataclass(frozen=True)
class MetaScores:
    """Hold a meta RM's scores of every judgment of every pool, and how well they tell right from wrong."""

    scores: Sequence[np.ndarray]  # an array (n,) a pool, NaN where it has none
    auc: float | None  # over the decisive judgments that have a score; None unless some are right and some wrong
    influence: np.ndarray  # (N,), what each item moves it by (stats/classification.py)
    notes: Sequence[str] = ()


def find_right_judgments(task: Task, rules: Rules, item: Item, pool: Pool) -> np.ndarray:
    """Mark each judgment that alone would earn the item full credit with 1.0, the others with 0.0: (n,)."""
    return mark_right(task, rules, item, pool.scores).astype(float)


def find_decisive_judgments(pool: Pool) -> np.ndarray:
    """Find the judgments that favour one response, booleans (n,): the others are neither right nor wrong."""
    if pool.scores.shape[1] == 1:
        return pool.usable & (pool.scores[:, 0] != 0.5)
    ranked = np.sort(pool.scores, axis=1)
    favours: np.ndarray = pool.usable & (ranked[:, -1] > ranked[:, -2])
    return favours


def score_judgments(kind: str, items: Sequence[Item], pools: Sequence[Pool], right: Sequence[np.ndarray]) -> MetaScores:
    """Score every judgment of every pool by the meta RM of this kind (one of KINDS).

    right: which judgments of each item would earn it full credit alone (`find_right_judgments`).

    Raises JudgescaleError for an unknown kind, a set without meta scores, or too few clusters to cross-fit.
    """
    notes: list[str] = []
    fold = np.zeros(len(pools), dtype=np.int64)
    if kind == "oracle":
        scores = [_measure_lead_of_gold(item, pool) for item, pool in zip(items, pools, strict=True)]
    elif kind == "random":
        scores = [np.zeros(len(p)) for p in pools]  # of equal scores any is as likely kept
    elif kind == "recorded":
        scores = [p.meta for p in pools]
        lacking, every = sum(int(np.isnan(s).sum()) for s in scores), sum(map(len, scores))
        if lacking == every:
            raise MisfitError("strategy.meta=recorded: this set holds no meta scores; use strategy.meta=logistic")
        if lacking:
            notes.append(f"{lacking:,} of {every:,} judgments have no meta score and vote last.")
    elif kind == "logistic":
        scores, fold, notes = _cross_fit(items, pools, right)
    else:
        raise JudgescaleError(f"strategy.meta={kind}: choose one of {', '.join(KINDS)}")
    return MetaScores(scores, *_rank_judgments(pools, scores, right, fold), notes)


def _rank_judgments(
    pools: Sequence[Pool], scores: Sequence[np.ndarray], right: Sequence[np.ndarray], fold: np.ndarray
) -> tuple[float | None, np.ndarray]:
    """Compute how well scores tell right from wrong among the decisive judgments: ROC-AUC, and its influences (N,).

    Pairs are compared within a fold, which is nearly always one cluster: where more are right than elsewhere, a model
    fitted elsewhere expects fewer, so that scores of different folds would be worse than a guess.
    """
    given = [find_decisive_judgments(p) & ~np.isnan(s) for p, s in zip(pools, scores, strict=True)]
    item = np.repeat(np.arange(len(pools)), [g.sum() for g in given])
    rows = np.concatenate(given)
    label, score = np.concatenate(right)[rows] >= 1, np.concatenate(scores)[rows]
    area, pairs, influence = 0.0, 0, np.zeros(len(pools))
    for number in np.unique(fold):
        part = fold[item] == number
        here, moves, *_ = rank(label[part], np.arange(part.sum()), np.ones(part.sum()), score[part])
        if size := int(label[part].sum() * (~label[part]).sum()):
            area, pairs = area + size * here, pairs + size
            influence += size * np.bincount(item[part], moves, len(pools))
    return (area / pairs, influence / pairs) if pairs else (None, influence)


def _measure_lead_of_gold(item: Item, pool: Pool) -> np.ndarray:
    """Measure by how much each judgment favours the right answer: (n,)."""
    gold, scores = np.asarray(item.gold) >= 1, pool.scores
    if len(gold) == 1:
        return scores[:, 0] if gold[0] else -scores[:, 0]
    if gold.all() or not gold.any():  # a tie is right: the closer the better
        return scores.min(axis=1) - scores.max(axis=1)
    return scores[:, gold].max(axis=1) - scores[:, ~gold].max(axis=1)


def extract_features(judgment: Judgment, place: bool) -> dict[str, float]:
    """Extract what one judgment shows of itself, crossed with who made it.

    place: whether the features may tell which place the judgment favoured. Without it the variant is left out too,
    since an arrangement of the responses may be recorded as one.
    """
    who = f"{judgment.judge}/{judgment.variant}" if place else judgment.judge
    scores = judgment.scores or ()
    ranked = sorted((score for score in scores if not isnan(score)), reverse=True)  # a partial one lacks some
    lead = ranked[0] - ranked[1] if len(ranked) > 1 else abs(2 * ranked[0] - 1) if len(scores) == 1 else 0.0
    length = float(np.log1p(judgment.chars)) if judgment.chars is not None else 0.0
    shows = {f"who={who}": 1.0, "lead": lead, "length": length, f"who={who},length": length}
    if place or lead == 0:
        where = "tie" if lead == 0 else str(scores.index(ranked[0])) if len(scores) > 1 else str(round(scores[0]))
        shows |= {f"place={where}": 1.0, f"who={judgment.judge},place={where}": 1.0}
    return shows


def find_evenly_shown_judges(items: Sequence[Item], pools: Sequence[Pool]) -> set[str]:
    """Find the judges who saw the right answer in every place about equally often, whatever the template.

    For the others the favoured place would tell the label itself: in a set that always shows the right answer first,
    "prefers the first" and "is right" are the same.
    """
    places: dict[str, dict[tuple[str, int], Counter[int]]] = {}
    for item, pool in zip(items, pools, strict=True):
        right = {name for name, gold in zip(item.responses, item.gold, strict=True) if gold >= 1}
        for judgment, shown in zip(pool.judgments, pool.shown, strict=True):
            of_judge = places.setdefault(judgment.judge, {})
            if len(shown) > 1 and len(right) == 1:
                stood = next(i for i, name in enumerate(shown) if name in right)
                of_judge.setdefault((judgment.variant, len(shown)), Counter())[stood] += 1
    return {
        judge
        for judge, layouts in places.items()
        if all(max(c.values()) / c.total() <= 1 / size + EVEN for (_, size), c in layouts.items())
    }


def _cross_fit(
    items: Sequence[Item], pools: Sequence[Pool], right: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """Score each judgment by a logistic regression fitted on other clusters.

    Returns the scores, which items were left out together (N,), and what to tell.
    """
    from sklearn.feature_extraction import DictVectorizer

    even = find_evenly_shown_judges(items, pools)
    uneven = sorted({judge for p in pools for judge in p.judges} - even)
    rows = [extract_features(j, j.judge in even) for p in pools for j in p.judgments]
    clusters, cluster = np.unique([item.cluster for item in items], return_inverse=True)
    if len(clusters) < 2:
        raise JudgescaleError("strategy.meta=logistic needs items of at least 2 clusters; use strategy.meta=recorded")
    fold, sizes = cluster % FOLDS, [len(p) for p in pools]
    x = DictVectorizer().fit_transform(rows)  # only names the columns: it learns nothing from labels
    usable = np.concatenate([p.usable for p in pools])
    scores = score_left_out(x, np.concatenate(right) >= 1, usable, np.repeat(fold, sizes))
    notes = []
    if uneven:
        notes.append(
            f"The meta RM does not see which place {', '.join(uneven[:3])}{', …' if len(uneven) > 3 else ''} favoured,"
            " nor the variant: the right answer is not shown evenly in every place, so they would give it away."
        )
    return np.split(scores, np.cumsum(sizes)[:-1]), fold, notes
