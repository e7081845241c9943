"""Votes as arithmetic: sums of scores, margins between two options, and ties that are really ties."""

from __future__ import annotations

import numpy as np


def vote(scores: np.ndarray, unusable: str = "abstain") -> np.ndarray:
    """Sum (D, k, m) scores over the k judgments: (D, m); NaN where none was usable. A lone response is averaged.

    Where a judgment lacks the score of a response (NaN), the mean of the response's other scores stands for it: no
    response gains by having more of them (arXiv 2604.13717 votes by the mean of the scores there are). A response
    without any score is below all others.

    unusable: "abstain" ignores judgments that are NaN; "plurality" lets them win, as NaN, where they outnumber the
    judgments for every response.
    """
    lacks = np.isnan(scores)
    usable = ~lacks.all(axis=2)
    known = np.where(lacks, 0.0, scores)
    total = known.sum(axis=1)
    if lacks.any() and (partial := (lacks & usable[..., None]).any(axis=(1, 2))).any():
        total[partial] = _fill_sums(total[partial], (~lacks[partial]).sum(axis=1), usable[partial].sum(axis=1))
    top = total.argmax(axis=1)[:, None, None]
    total = round_off_noise(total, np.abs(np.take_along_axis(known, top, axis=2)).max(axis=1))
    count = usable.sum(axis=1)[:, None]
    if scores.shape[2] == 1:
        total = total / np.maximum(count, 1)
    none = count == 0
    if unusable == "plurality":
        most = np.maximum(*count_verdicts(scores))[:, None] if scores.shape[2] <= 2 else _count_top_votes(scores)
        none = none | (scores.shape[1] - count > most)
    return np.where(none, np.nan, total)


def _fill_sums(total: np.ndarray, given: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return the sums (D, m) of `given` scores (D, m) as if each of the `usable` judgments (D,) had given one."""
    whole = total * (usable[:, None] / np.maximum(given, 1))
    return put_unscored_last(np.where(given > 0, whole, np.nan))


def put_unscored_last(scores: np.ndarray) -> np.ndarray:
    """Return scores (…, m) with a number below all others of its row in place of NaN; rows of NaN stay as they are."""
    lacks = np.isnan(scores)
    none = lacks.all(axis=-1, keepdims=True)
    low = np.where(none, 0.0, np.where(lacks, np.inf, scores).min(axis=-1, keepdims=True))
    return np.where(lacks & ~none, low - np.maximum(np.abs(low), 1.0), scores)


def round_off_noise(total: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Round sums of numbers up to `largest` so that those which differ by rounding errors alone tie: .1 + .2 is .3."""
    step = np.exp2(np.floor(np.log2(largest, out=np.zeros_like(largest), where=largest > 0)) - 40)
    rounded: np.ndarray = np.rint(total / step) * step
    return rounded


def count_verdicts(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count how many of the k judgments favour the first option, and how many the second: (D,) each."""
    margins = margin(scores)
    return (margins > 0).sum(axis=1), (margins < 0).sum(axis=1)


def margin(scores: np.ndarray) -> np.ndarray:
    """Return by how much the first of two options is favoured: (…, m <= 2) to (…). A lone response's are yes and no."""
    return 2 * scores[..., 0] - 1 if scores.shape[-1] == 1 else scores[..., 0] - scores[..., 1]


def _count_top_votes(scores: np.ndarray) -> np.ndarray:
    """Count the judgments that have the most popular response on top, shared tops included: (D, 1)."""
    best = scores == np.nanmax(scores, axis=2, keepdims=True, initial=-np.inf)
    return best.sum(axis=1).max(axis=1)[:, None]
