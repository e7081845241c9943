"""Meta RMs for recorded judgments: how much to trust each judgment of a pool (arXiv 2504.02495, section 4.2).

`logistic` is cross-fitted by cluster: no judgment is scored by a model that saw a label of its question. Its features
come from the judgment alone (who judged, with which template, which place it favoured and by how much, how long it
wrote): agreement with the pool is left out on purpose, because a vote of k=2 would then know what all the others said.
`oracle` knows the label and `random` knows nothing: the upper and the lower bound of any meta RM. `recorded` takes the
scores stored in the set.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from harness.engines.recorded import Pool
from harness.seeding import seeded
from harness.types import Item, JudgescaleError, Judgment

KINDS = ("logistic", "oracle", "random", "recorded")
FOLDS = 5


def trust(
    kind: str, items: Sequence[Item], pools: Sequence[Pool], right: Sequence[np.ndarray], seed: int
) -> tuple[list[np.ndarray], float | None]:
    """Scores of every judgment of every pool, and how well they tell right from wrong (ROC-AUC over usable ones).

    `right[i]` is 1.0 where a judgment alone would earn item i full credit.
    """
    if kind == "oracle":
        scores = [np.asarray(r, float) for r in right]
    elif kind == "random":
        scores = [seeded(seed, "meta", i.id).random(len(p)) for i, p in zip(items, pools, strict=True)]
    elif kind == "recorded":
        if all(np.isnan(p.meta).all() for p in pools):
            raise JudgescaleError("strategy.meta=recorded: this set holds no meta scores; use strategy.meta=logistic")
        scores = [p.meta for p in pools]
    elif kind == "logistic":
        scores = _cross_fitted(items, pools, right, seed)
    else:
        raise JudgescaleError(f"strategy.meta={kind}: choose one of {', '.join(KINDS)}")
    return scores, _auc(scores, pools, right)


def features(judgment: Judgment) -> dict[str, float]:
    """What one judgment shows of itself, crossed with who made it."""
    who = f"{judgment.judge}/{judgment.variant}"
    scores = judgment.scores or ()
    ranked = sorted(scores, reverse=True)
    lead = ranked[0] - ranked[1] if len(ranked) > 1 else abs(2 * ranked[0] - 1) if ranked else 0.0
    place = "tie" if lead == 0 else str(scores.index(ranked[0])) if len(scores) > 1 else str(round(scores[0]))
    length = np.log1p(judgment.chars) if judgment.chars is not None else 0.0
    return {
        f"who={who}": 1.0,
        f"place={place}": 1.0,
        f"who={who},place={place}": 1.0,
        "lead": lead,
        "length": length,
        f"who={who},length": length,
    }


def _cross_fitted(
    items: Sequence[Item], pools: Sequence[Pool], right: Sequence[np.ndarray], seed: int
) -> list[np.ndarray]:
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [features(j) for p in pools for j in p.judgments]
    label = np.concatenate(right) >= 1
    usable = np.concatenate([~np.isnan(p.scores).any(axis=1) for p in pools])
    cluster = np.repeat([i.cluster for i in items], [len(p) for p in pools])
    folds = min(FOLDS, len(set(cluster)))
    if folds < 2:
        raise JudgescaleError("strategy.meta=logistic needs items of at least 2 clusters; use strategy.meta=recorded")
    x = DictVectorizer().fit_transform(rows)  # only names the columns: it learns nothing from labels
    scores = np.zeros(len(rows))
    for train, test in GroupKFold(folds, shuffle=True, random_state=seed).split(rows, groups=cluster):
        train = train[usable[train]]
        if len(set(label[train])) < 2:
            continue  # all right or all wrong: nothing to tell apart
        model = make_pipeline(StandardScaler(with_mean=False), LogisticRegression(C=0.1, max_iter=1000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(x[train], label[train])
        scores[test] = model.decision_function(x[test])
    return np.split(scores, np.cumsum([len(p) for p in pools])[:-1])


def _auc(scores: Sequence[np.ndarray], pools: Sequence[Pool], right: Sequence[np.ndarray]) -> float | None:
    from sklearn.metrics import roc_auc_score

    usable = np.concatenate([~np.isnan(p.scores).any(axis=1) for p in pools])
    label, score = np.concatenate(right)[usable] >= 1, np.concatenate(scores)[usable]
    if not 0 < label.mean() < 1:
        return None
    return float(roc_auc_score(label, np.where(np.isnan(score), np.nanmin(score) - 1, score)))
