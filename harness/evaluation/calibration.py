"""Whether a vote is right as often as it is clear, and a judgment as often as the meta RM says (stats/calibration.py).

The confidence of a vote is the share of an item's judgments that are for what their sum decides, a judgment that ties
m responses being 1/m for each. Votes that tie decide nothing and are left out, but where a tie is a verdict. The share
is taken of all judgments of a question that there are, and it is they that decide: of few judgments it is coarse and,
being the largest of several, more often too high than too low.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credit_each import Credited
from judgescale.harness.evaluation.meta import find_decisive_judgments, find_right_judgments
from judgescale.harness.recorded.pools import Pools, take_only_pool
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.calibration import measure_calibration
from judgescale.harness.stats.intervals import Units
from judgescale.harness.stats.means import find_beta_intervals, find_mean_intervals
from judgescale.harness.stats.spread import measure_spread
from judgescale.harness.stats.votes import put_unscored_last, share_votes
from judgescale.harness.types import OWN_TIE

FEWEST = 20  # votes below which nothing is said
LEAST = 3  # judgments of a vote: a share of two that do not tie is always all of them


class Shares(NamedTuple):
    """Hold how sure N votes are, and whether they are right, each (N,)."""

    item: np.ndarray
    confidence: np.ndarray
    right: np.ndarray


def calibrate_votes(arm: Arm, credited: Sequence[Credited], cluster: np.ndarray) -> dict[str, Any] | None:
    """Measure whether votes are right as often as they are clear; None where there are too few.

    Adds "votes", how many judgments one has on average, and "responses", how many one is about.
    """
    parts = [_find_shares(arm, of_width) for of_width in credited]
    if sum(len(part.item) for part in parts) < FEWEST:
        return None
    shares = Shares(*map(np.concatenate, zip(*parts, strict=True)))
    found = _calibrate(arm, "votes", shares, cluster)
    votes = [c.asked.sizes[c.asked.sizes >= LEAST] for c in credited]
    questions = sum(map(len, votes))
    responses = sum(len(sizes) * c.sum.shape[1] for sizes, c in zip(votes, credited, strict=True)) / questions
    return {"votes": float(sum(int(sizes.sum()) for sizes in votes) / questions), "responses": responses} | found


def _find_shares(arm: Arm, credited: Credited) -> Shares:
    """Find for questions of one width which share of the usable judgments is for what they decide together.

    Left out are those of few judgments, those without a usable one, those that tie, and lone responses whose score is
    no probability.
    """
    often = credited.asked.sizes >= LEAST
    asked, sums, decided = credited.asked.take(often), credited.sum[often], credited.decided[often]
    if not len(asked.sizes):
        return Shares(np.zeros(0, dtype=int), np.zeros(0), np.zeros(0))
    scores, begin = asked.scores, np.cumsum(asked.sizes) - asked.sizes
    usable = ~np.isnan(scores).all(axis=1)
    count = np.add.reduceat(usable.astype(float), begin)
    if scores.shape[1] == 1:
        yes = np.add.reduceat(np.where(usable, scores[:, 0], 0.0), begin) / np.maximum(count, 1)
        share, decides = np.maximum(yes, 1 - yes), yes != 0.5
    else:
        top = sums == sums.max(axis=1, keepdims=True)
        best, decides = np.repeat(top, asked.sizes, axis=0), top.sum(axis=1) == 1
        votes = share_votes(put_unscored_last(scores))
        if arm.rules.tie == OWN_TIE:  # a tie is a verdict
            for_it, decides = ((votes > 0) == best).all(axis=1).astype(float), np.full(len(sums), True)
        else:
            for_it = np.where(best, votes, 0.0).sum(axis=1)
        share = np.add.reduceat(np.where(usable, for_it, 0.0), begin) / np.maximum(count, 1)
    rows = (share > 0) & (share <= 1) & decides  # where votes split, none may be for the tie
    return Shares(asked.place[rows], share[rows], decided[rows])


def calibrate_meta(arm: Arm, pools: Sequence[Pools], cluster: np.ndarray) -> dict[str, Any] | None:
    """Measure whether judgments that favour one response are right as often as the meta RM says.

    None where its scores are no probabilities: the oracle's and the random one's, and recorded ones beyond 0 and 1.
    """
    kind = arm.strategy.meta_rm
    if kind in (None, "oracle", "random"):
        return None
    item, said, right = [], [], []
    for i, (one, of_item) in enumerate(zip(arm.items, pools, strict=True)):
        pool = take_only_pool(of_item)
        rows = find_decisive_judgments(pool) & ~np.isnan(pool.meta)
        item += [np.full(rows.sum(), i)]
        said += [pool.meta[rows]]
        right += [find_right_judgments(arm.task, arm.rules, one, pool)[rows]]
    shares = Shares(*map(np.concatenate, (item, said, right)))
    if kind == "logistic":  # it scores by log-odds
        shares = shares._replace(confidence=1 / (1 + np.exp(-shares.confidence)))
    inside = (shares.confidence >= 0) & (shares.confidence <= 1)
    if len(shares.item) < FEWEST or not inside.all():
        return None
    return _calibrate(arm, "meta", shares, cluster)


def _calibrate(arm: Arm, what: str, found: Shares, cluster: np.ndarray) -> dict[str, Any]:
    """Measure an expected calibration error, and its bins.

    Returns "ece", "luck" and "luck_high" (of a perfectly calibrated judge of as many votes: mean, and what it exceeds
    one time in twenty), "over" (mean confidence minus the share that is right, {"value", "ci"}), "n", and "bins", each
    {"confidence", "right", "ci", "n"}.
    """
    n, off = len(found.item), found.confidence - found.right
    weight = np.bincount(found.item, minlength=len(cluster)).astype(np.float64)
    there = np.flatnonzero(weight)
    of_item = np.bincount(found.item, off, len(cluster))[there] / weight[there]
    units = Units(np.zeros(len(there), dtype=int), cluster[there], weight[there])
    (ends,) = find_mean_intervals(units, of_item[:, None], "items")
    single = Units(np.zeros(n, dtype=int), np.arange(n), np.ones(n))
    together = measure_spread(units, of_item[:, None], weight[there] / n)
    apart = measure_spread(single, off[:, None], np.full(n, 1 / n))
    effect = 1.0
    if together and apart and apart.variance[0] > 1e-18:
        effect = max(float(together.variance[0] / apart.variance[0]), 1.0)
    one = measure_calibration(
        found.confidence, found.right, effect, make_rng(arm.seed, "calibration", what), what == "votes"
    )
    intervals = find_beta_intervals(one.right, one.count / effect)
    columns = (one.confidence.tolist(), one.right.tolist(), intervals, one.count.tolist())
    return {
        "ece": one.error,
        "luck": one.luck,
        "luck_high": one.luck_high,
        "over": {"value": float(off.mean()), "ci": ends},
        "n": n,
        "bins": [dict(zip(("confidence", "right", "ci", "n"), row, strict=True)) for row in zip(*columns, strict=True)],
    }
