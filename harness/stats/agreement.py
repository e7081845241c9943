"""How far raters agree about the same items, and how far beyond chance: kappa.

Raw agreement is the share of pairs of answers about one item that are alike, averaged over items. Chance is what pairs
of answers about different items would agree by: sum q² over the answers' shares q, so that

    kappa = (agreement - chance) / (1 - chance)

of several samples of one rater is that of Fleiss (Psychological Bulletin 76, 1971), and between raters, each with
shares of its own, that of Conger (Psychological Bulletin 88, 1980), which is Cohen's (1960) of two raters.

Where answers have no meaning across items (which of an item's responses is best: their order is nobody's), answers of
one *kind* are interchangeable: a kind of w answers adds q² / w. That is Fleiss' kappa averaged over all relabellings of
every item's responses; it does not move with the order in which a data set lists them, nor does it fall where the data
set always lists the right one first. Two who guess have a kappa of 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Hold how far answers about N items agree, and what each item moves kappa by."""

    raw: float
    chance: float
    kappa: float | None  # None where chance alone would always agree
    items: np.ndarray  # (N,), which of the items have a pair of answers
    alike: np.ndarray  # (N,), the share of each item's pairs that agree
    influence: np.ndarray  # (N,): what each item adds to (kappa - its mean) (1 - chance), to first order


def measure_agreement(
    item: np.ndarray,
    rater: np.ndarray,
    answer: np.ndarray,
    kind: np.ndarray,
    ways: np.ndarray,
    group: np.ndarray,
    across: bool,
) -> Agreement | None:
    """Measure how far M answers agree; None where no item has a pair.

    item, rater: (M,) whole numbers from 0. answer: (M,), whole numbers from 0 that are equal where answers about one
    item are. kind: (M,), of K kinds. ways: (K,), how many answers a kind has that nothing but their names tells apart.
    group: (K,), whole numbers from 0, which kinds may be given about one item (items of three responses have others
    than items of two). across: whether pairs of different raters are compared, or pairs of one.
    """
    size, raters, kinds = int(item.max(initial=-1)) + 1, int(rater.max(initial=-1)) + 1, len(ways)
    by_rater = np.bincount(item * raters + rater, minlength=size * raters).reshape(size, raters)
    own_alike = _count_equal_pairs(item, rater, answer)
    if across:
        pairs = by_rater.sum(axis=1) ** 2 - (by_rater**2).sum(axis=1)
        alike = _count_equal_pairs(item, np.zeros_like(rater), answer) - own_alike
        counted = by_rater > 0
    else:
        pairs = (by_rater * (by_rater - 1)).sum(axis=1)
        # an answer's pair with itself is none
        alike = own_alike - by_rater.sum(axis=1)
        counted = by_rater > 1
    items = np.flatnonzero(pairs)
    if not len(items):
        return None
    share = alike[items] / pairs[items]
    of_kind = np.bincount((item * raters + rater) * kinds + kind, minlength=size * raters * kinds)
    given = of_kind.reshape(size, raters, kinds)[items] / np.maximum(by_rater[items], 1)[..., None]
    counted = counted[items]
    asked = np.maximum(counted.sum(axis=0), 1)  # items of each rater
    off = np.where(counted[..., None], given, 0.0)
    mean = off.sum(axis=0) / asked[:, None]  # (raters, kinds)
    off = np.where(counted[..., None], given - mean, 0.0) * (len(items) / asked)[:, None]
    of_group = np.bincount(group, mean[counted.any(axis=0)].mean(axis=0))
    scale = 1 / (ways * np.where(of_group > 0, of_group, 1.0)[group])
    if across:
        others = mean[counted.any(axis=0)].sum(axis=0) - mean  # what all other raters say
        many = int(counted.any(axis=0).sum())
        each = others / (many * (many - 1))
    else:
        part = (by_rater * (by_rater - 1))[items] / pairs[items][:, None]
        each = mean * part.mean(axis=0)[:, None]
    chance = float((mean * each) @ scale @ np.ones(raters))
    moved = 2 * np.einsum("ijk,jk,k->i", off, each, scale)
    raw = float(share.mean())
    kappa = (raw - chance) / (1 - chance) if 1 - chance > 1e-12 else None
    influence = share - raw - (1 - kappa) * moved if kappa is not None else np.zeros(len(items))
    return Agreement(raw, chance, kappa, items, share, influence)


def _count_equal_pairs(item: np.ndarray, rater: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Count the ordered pairs of equal answers of one rater about each item, each with itself included: (items,)."""
    if not len(item):
        return np.zeros(0, dtype=np.int64)
    answers = int(answer.max()) + 1
    cell = (item * (int(rater.max()) + 1) + rater) * answers + answer
    cells, first, count = np.unique(cell, return_index=True, return_counts=True)
    return np.bincount(item[first], count**2).astype(np.int64)
