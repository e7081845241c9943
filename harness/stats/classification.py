"""Measures of a classifier (F1, precision, recall, ROC-AUC), and what they are expected to be of random decisions.

A measure is no mean over items, so the measure of average decisions is not the average measure. Items decide
independently of each other, so the average is exact all the same: counts of decisions are sums of independent zeros and
ones, whose distribution is a product of polynomials, and a ROC-AUC is a mean over pairs of items.

Decisions are flat here: M of them, each with the item it is about and its probability; those of one item add up to 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import stats

from judgescale.harness.stats.intervals import Interval, Units
from judgescale.harness.stats.means import find_beta_intervals
from judgescale.harness.stats.spread import measure_spread

NEGLIGIBLE = 1e-20  # probability of a count that is left out at either end of a distribution

Classes = Callable[[np.ndarray, np.ndarray], Sequence[tuple[np.ndarray, np.ndarray]]]
Measure = Callable[[Any, Any, Any], np.ndarray]


class Expectation(NamedTuple):
    """Hold what a metric is expected to be, and what moves it.

    influence: (N,), by how much it changes as an item begins to count more than once; they add up to 0.
    slope: (M,), by how much it changes with the probability of each decision; only differences within an item matter.
    trials: how many right-or-wrong trials it is worth at most, for where hardly anything is wrong, or hardly anything
    right, influences say too little of how it would vary.
    """

    value: float
    influence: np.ndarray
    slope: np.ndarray
    trials: float


class ExpectedMetric(ABC):
    """Say what a metric is expected to be where every item's decision is random.

    It is a function of gold (N, n) and decisions (N, n) too, as a task's plain metrics are.
    """

    needs_scores: ClassVar[bool] = True  # else which response is favoured is all it looks at, not by how much
    guess: ClassVar[float | None] = None  # what decisions that know nothing give, where one number says so

    @abstractmethod
    def __call__(self, gold: np.ndarray, decisions: np.ndarray) -> float:
        """Compute the metric of one decision an item."""

    @abstractmethod
    def expect(self, gold: np.ndarray, item: np.ndarray, weight: np.ndarray, decisions: np.ndarray) -> Expectation:
        """Compute its expectation over independent decisions.

        gold: (N, n). item: (M,), which of the N each decision is about. weight: (M,), how likely it is. decisions:
        (M, n).
        """


@dataclass(frozen=True)
class CountMetric(ExpectedMetric):
    """Measure how well decisions fall into classes, by counts alone: the mean of one measure over the classes.

    classes: gold and decisions to (label, said) booleans of every class. measure: how many are rightly said to be in a
    class, how many are said to be, how many are, to a number, array-wise.
    """

    needs_scores: ClassVar[bool] = False

    classes: Classes
    measure: Measure

    def __call__(self, gold: np.ndarray, decisions: np.ndarray) -> float:
        """Compute the metric of one decision an item."""
        classes = self.classes(gold, decisions)
        return float(np.mean([self.measure((label & said).sum(), said.sum(), label.sum()) for label, said in classes]))

    def expect(self, gold: np.ndarray, item: np.ndarray, weight: np.ndarray, decisions: np.ndarray) -> Expectation:
        """Compute its expectation from the distributions of the right and of the wrong decisions for each class.

        Its trials are those of a set in which every class has half an item more that is missed, and half an item more
        that is wrongly said to be in it.
        """
        value, influence, slope = 0.0, np.zeros(len(gold)), np.zeros(len(item))
        smooth, moves, more = 0.0, np.zeros(len(gold)), 0.0
        classes = self.classes(gold[item], decisions)
        for label_of_row, said in classes:
            label = np.zeros(len(gold), dtype=bool)
            label[item] = label_of_row
            likely = np.bincount(item, weight * said, len(gold))
            likely = np.where(np.abs(likely - likely.round()) < 1e-12, likely.round(), likely)  # 0 and 1, but rounding
            (hit, hits), (miss, misses) = count_successes(likely[label]), count_successes(likely[~label])
            value += float(hits @ self.measure(hit[:, None], hit[:, None] + miss, label.sum()) @ misses)
            counts = np.array([likely[label].sum(), likely.sum(), label.sum()])
            by_hit, by_said, by_label = self._differentiate(counts)
            influence += label * (by_hit * likely + by_label) + by_said * likely
            slope += said * (by_hit * label_of_row + by_said)
            counts += 0, 0.5, 0.5
            smooth += float(self.measure(*counts))
            by_hit, by_said, by_label = self._differentiate(counts)
            moves += label * (by_hit * likely + by_label) + by_said * likely
            more += (by_said**2 + by_label**2) / 2
        smooth, variance = smooth / len(classes), float(moves @ moves + more) / len(classes) ** 2
        trials = smooth * (1 - smooth) / variance if variance else np.inf
        return Expectation(value / len(classes), influence / len(classes), slope / len(classes), trials)

    def _differentiate(self, counts: np.ndarray) -> np.ndarray:
        """Differentiate the measure by each of its three counts: (3,)."""
        steps = 1e-5 * np.maximum(counts, 1) * np.eye(3)
        high, low = (self.measure(*(counts + sign * steps).T) for sign in (1, -1))
        slopes: np.ndarray = (high - low) / (2 * steps.sum(axis=1))
        return slopes


@dataclass(frozen=True)
class RankMetric(ExpectedMetric):
    """Measure by ROC-AUC how well scores rank what is in a class above what is not: one half is a guess.

    label: gold to (N,) booleans. score: decisions to (N,) numbers, NaN nowhere.
    """

    guess: ClassVar[float | None] = 0.5

    label: Callable[[np.ndarray], np.ndarray]
    score: Callable[[np.ndarray], np.ndarray]

    def __call__(self, gold: np.ndarray, decisions: np.ndarray) -> float:
        """Compute the metric of one decision an item."""
        return auc(self.label(gold), self.score(decisions))

    def expect(self, gold: np.ndarray, item: np.ndarray, weight: np.ndarray, decisions: np.ndarray) -> Expectation:
        """Compute its expectation: the mean over pairs of items of how likely the positive one scores higher."""
        return rank(self.label(gold), item, weight, self.score(decisions))


def is_counted(metric: Callable[[np.ndarray, np.ndarray], float]) -> bool:
    """Tell whether a metric needs no more of an item than how often each response is favoured."""
    return isinstance(metric, ExpectedMetric) and not metric.needs_scores


def rank(label: np.ndarray, item: np.ndarray, weight: np.ndarray, score: np.ndarray) -> Expectation:
    """Compute the expected ROC-AUC of (M,) scores of N items with (N,) boolean labels; NaN unless both classes occur.

    The influences are the placements of DeLong et al., Biometrics 44, 1988. The fewer items are ranked wrongly, the
    more its trials go by the variance of Hanley and McNeil, Radiology 143, 1982, which counts as half an item.
    """
    if label.all() or not label.any():
        return Expectation(float("nan"), np.zeros(len(label)), np.zeros(len(item)), np.inf)
    positive, number = label[item], np.where(label, label.sum(), (~label).sum())
    place = np.empty(len(item))  # the share of the other class that a score is on the right side of
    for ours, sign in ((positive, 1), (~positive, -1)):
        order = np.argsort(sign * score[~ours], kind="stable")
        others = sign * score[~ours][order]
        below = np.concatenate([[0.0], np.cumsum(weight[~ours][order])])
        ends = [below[np.searchsorted(others, sign * score[ours], side)] for side in ("left", "right")]
        place[ours] = (ends[0] + ends[1]) / 2 / below[-1]
    mean = np.bincount(item, weight * place, len(label))
    value = float(mean[label].mean())
    influence, sizes = (mean - value) / number, (int(label.sum()), int((~label).sum()))
    return Expectation(value, influence, place / number[item], _count_ranking_trials(value, influence, sizes))


def _count_ranking_trials(value: float, influence: np.ndarray, sizes: tuple[int, int]) -> float:
    """Count the right-or-wrong trials that a ROC-AUC of so many positive and negative items is worth at most."""
    # as Newcombe, Statistics in Medicine 25, 2006, has it: both classes count as their mean
    others = (sum(sizes) / 2 - 1) * ((1 - value) / (2 - value) + value / (1 + value))
    trials = sizes[0] * sizes[1] / (1 + others)
    known = value * (1 - value)
    if not known:
        return trials
    share = 0.5 / (0.5 + min(value, 1 - value) * min(sizes))
    return float(known / ((1 - share) * influence @ influence + share * known / trials))


def count_successes(likely: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many of N independent events may happen, and how likely each number is, from their probabilities (N,).

    Numbers less likely than NEGLIGIBLE at either end are left out.
    """
    start = int((likely == 1).sum())
    parts = [np.array([1 - p, p]) for p in likely[(likely > 0) & (likely < 1)].tolist()] or [np.ones(1)]
    while len(parts) > 1:
        pairs = [_trim(np.convolve(a, b)) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        start += sum(cut for cut, _ in pairs)
        parts = [part for _, part in pairs] + parts[len(parts) - len(parts) % 2 :]
    return start + np.arange(len(parts[0])), parts[0]


def _trim(distribution: np.ndarray) -> tuple[int, np.ndarray]:
    """Cut negligible ends off a distribution; return how many numbers the lower end lost, and the rest."""
    kept = np.flatnonzero(distribution > NEGLIGIBLE)
    return int(kept[0]), distribution[kept[0] : kept[-1] + 1]


def find_metric_interval(
    units: Units, value: float, influence: np.ndarray, trials: float = np.inf, level: float = 0.95
) -> Interval:
    """Find the interval of a metric between 0 and 1 for new units like these, from each unit's influence (U,).

    To first order a metric is the mean of its pseudo-values, whose variance over clusters makes it worth so many
    right-or-wrong trials (stats/means.py), at most `trials`. Where nothing varies each cluster is one. None where
    nothing tells the variance.
    """
    size = len(influence)
    spread = measure_spread(units, value + size * influence[:, None], np.full(size, 1 / size))
    if np.isnan(value) or spread is None:
        return None
    varies = spread.variance[0] > 1e-18 and 0 < value < 1
    most = value * (1 - value) / spread.variance[0] + 1 if varies else float(spread.clusters)
    tail = (1 + level) / 2
    cut = (stats.norm.ppf(tail) / stats.t.ppf(tail, spread.freedom)) ** 2
    return find_beta_intervals(np.array([value]), np.array([min(most, trials)]) * cut, level)[0]


def f1_of_counts(hits: Any, said: Any, labelled: Any) -> np.ndarray:
    """Return F1, 2 hits / (said + labelled) (van Rijsbergen 1979); 0 where nothing is, or is said, in the class."""
    return _divide(2 * hits, said + labelled)


def precision_of_counts(hits: Any, said: Any, labelled: Any) -> np.ndarray:
    """Return precision, hits / said; 0 where nothing is said to be in the class."""
    return _divide(hits, said)


def recall_of_counts(hits: Any, said: Any, labelled: Any) -> np.ndarray:
    """Return recall, hits / labelled; 0 where nothing is in the class."""
    return _divide(hits, labelled + 0 * said)  # of their common shape


def _divide(a: Any, b: Any) -> np.ndarray:
    """Divide, with 0 where there is nothing to divide by."""
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    quotient: np.ndarray = np.divide(a, b, out=np.zeros(a.shape), where=b > 0)
    return quotient


def f1(label: np.ndarray, predicted: np.ndarray) -> float:
    """Return the F1 of one class from (N,) booleans; 0 where nothing is, or is said to be, in it."""
    return float(f1_of_counts((label & predicted).sum(), predicted.sum(), label.sum()))


def auc(label: np.ndarray, score: np.ndarray) -> float:
    """Return the ROC-AUC of (N,) scores against (N,) boolean labels; NaN unless both classes occur.

    Computed as the Mann-Whitney statistic: the share of (positive, negative) pairs in which the positive scores
    higher, a tie counting one half.
    """
    return rank(label, np.arange(len(label)), np.ones(len(label)), score).value
