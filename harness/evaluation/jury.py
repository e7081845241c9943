"""What the vote of each judge of a jury should weigh: learned from labels of other items, or from no label at all.

`logistic` regresses "this response is right" on the share of each judge's votes that it has; a judge's coefficient, in
log-odds for all of its votes, is what it weighs, given what the others say. It is fitted in five folds of clusters: no
item is weighed by a fit that saw a label of its cluster. (Were every cluster left out by itself, then where there is
nothing to learn a weight would hang on the one label left out, and point away from it.)

`dawid_skene` looks at no label (stats/dawid_skene.py): a judge who agrees with what most make likely weighs more. It
takes judges for independent, so each is one observer, whose vote is shared as its judgments are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from judgescale.harness.arm import Arm
from judgescale.harness.recorded.pools import Pools, take_only_pool
from judgescale.harness.stats.aggregate import cast_shares
from judgescale.harness.stats.dawid_skene import fit_reliability, weigh_votes
from judgescale.harness.stats.logistic import score_left_out
from judgescale.harness.types import Item, JudgescaleError

FOLDS = 5  # each is weighed by what the others taught


@dataclass(frozen=True)
class Weights:
    """Hold what each judgment's vote weighs, and what the judges weigh on average over items."""

    weights: Sequence[np.ndarray]  # an array (n,) an item
    of_judges: Mapping[str, float]
    notes: Sequence[str] = ()


def weigh_judgments(fit: str, arm: Arm, pools: Sequence[Pools]) -> Weights:
    """Weigh every judgment of the arm by the fit of that name, logistic or dawid_skene.

    A judge's weight is for all of its votes. So that one who gives more of the judgments bought than another has no
    more say by that, each of its judgments weighs less in proportion.

    Raises JudgescaleError where there are too few clusters to cross-fit.
    """
    judges = arm.judgments.judges
    votes, options = collect_votes(pools, judges)
    if len(judges) == 1:
        weight = np.ones((len(pools), 1))
    elif fit == "logistic":
        weight = fit_logistic(arm.items, votes, options)
    else:
        weight = weigh_votes(fit_reliability(votes, options)[0], options)
    notes = []
    if len(judges) == 1:
        notes.append("One judge alone: all of its votes weigh alike.")
    elif fit == "dawid_skene" and len(judges) == 2:
        notes.append("Two judges whom no label tells apart weigh nearly alike: dawid_skene is for three or more.")
    place, found = {judge: j for j, judge in enumerate(judges)}, []
    for i, p in enumerate(pools):
        judge = np.array([place[name] for name in take_only_pool(p).judges])
        given = (
            np.array([arm.shares[name] for name in judges]) if arm.shares else np.bincount(judge, minlength=len(judges))
        )
        found.append(weight[i, judge] * given.sum() / (len(judges) * given[judge]))
    return Weights(found, dict(zip(judges, weight.mean(axis=0).tolist(), strict=True)), notes)


def collect_votes(pools: Sequence[Pools], judges: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Collect how each judge's votes about each item are shared: (N, J, M), and how many options it has, (N,).

    The options are the responses; of a lone response they are yes and no. All 0 where a judge said nothing usable.
    """
    sizes = [take_only_pool(p).scores.shape[1] for p in pools]
    votes = np.zeros((len(pools), len(judges), max(2, *sizes)))
    for i, p in enumerate(pools):
        pool = take_only_pool(p)
        scores = pool.scores if sizes[i] > 1 else np.hstack([pool.scores, 1 - pool.scores])
        shares, scored = cast_shares(scores)
        names = np.array(pool.judges)
        for j, judge in enumerate(judges):
            if (voted := scored.any(axis=1) & (names == judge)).any():
                votes[i, j, : shares.shape[1]] = shares[voted].mean(axis=0)
    return votes, np.maximum(sizes, 2)


def fit_logistic(items: Sequence[Item], votes: np.ndarray, options: np.ndarray) -> np.ndarray:
    """Fit the judges' weights for every item without its cluster: (N, J), log-odds of a whole vote.

    votes, options: as `collect_votes` gives them. Raises JudgescaleError where all items are of one cluster.
    """
    clusters, cluster = np.unique([item.cluster for item in items], return_inverse=True)
    if len(clusters) < 2:
        raise JudgescaleError("strategy.weights=logistic needs items of at least 2 clusters; use dawid_skene")
    judges, fold = votes.shape[1], cluster % FOLDS
    item, option = np.nonzero(np.arange(votes.shape[2]) < options[:, None])
    spoke = votes.sum(axis=2)
    x = votes[item, :, option] - spoke[item] / options[item, None]  # a guess expects 1/m
    right = np.array([_is_right(items[i], o) for i, o in zip(item.tolist(), option.tolist(), strict=True)])
    some = np.bincount(item, right, len(items))
    told = (some > 0) & (some < options)  # a label that names no better response teaches nothing
    # What a fit gives to a row of one judge's vote alone, less that of none, is its weight; it learns from neither.
    folds = np.unique(fold)
    probes = np.tile(np.vstack([np.zeros(judges), np.eye(judges)]), (len(folds), 1))
    score = score_left_out(
        sparse.csr_matrix(np.vstack([x, probes])),
        np.concatenate([right, np.zeros(len(probes), bool)]),
        np.concatenate([told[item], np.zeros(len(probes), bool)]),
        np.concatenate([fold[item], np.repeat(folds, judges + 1)]),
    )[len(x) :].reshape(len(folds), judges + 1)
    weights: np.ndarray = (score[:, 1:] - score[:, :1])[np.searchsorted(folds, fold)]
    return weights


def _is_right(item: Item, option: int) -> bool:
    """Tell whether an option is right: a response; of a lone one, yes (0) or no (1)."""
    if len(item.responses) == 1:
        return (item.gold[0] >= 1) == (option == 0)
    return item.gold[option] >= 1
