"""Forecast what k votes a question would give, from a pilot of a few: two models, and an interval.

Both keep what was measured and predict only what changes beyond the pilot: with k0 judgments an item, voting@k is the
measured voting@k0 (a mean over all subsets) plus the model's own step from k0 to k.

- votes: each judgment is right, tied or wrong. Every item has its own chances of the three; how items are distributed
  over them is estimated by maximum likelihood, without assuming a shape (Kiefer and Wolfowitz, 1956; Lord, 1969, for
  mixtures of binomials), by EM on a grid. EM is stopped early, where the distribution is still smooth: a pilot tells
  the first k0 moments of it, and no more. The vote of k follows from the multinomial. Items whose judgments are wrong
  more often than right lose by voting, and the mixture holds them.
- scores: each judgment scores every response, and the sums decide. An item's mean scores, as contrasts (right against
  wrong, and within either), are shrunk so that they vary over items as the true means do (Louis, 1984), and the mean of
  k judgments strays from them by a normal error of one size for all items.

The interval holds the sampling of items and judgments (a jackknife over groups of clusters, with a t quantile), and a
share of what voting moves on the way from k0 to k, upward and downward alike: MODEL_ERROR, and PER_DOUBLING of the way
(PICKS times that, of judgments that pick one of several responses). It was measured, not derived:
benchmarks/forecast.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations
from math import comb, isinf

import numpy as np
from scipy import special, stats

from judgescale.harness.stats.means import find_beta_intervals

MODEL_ERROR, PER_DOUBLING = 0.3, 0.1  # of what voting moves beyond the pilot, upward and downward
DOUBLINGS = 5  # beyond the pilot, as many as its share grows with
PICKS = 2.0  # times the share where judgments pick one of several responses, whose errors are far from normal
ORDER = 10  # judgments of an item that the mixture looks at together; more tell it little
STEPS = 100  # of EM
GROUPS = 40  # of clusters, each left out once
NODES = 21  # of the integral over a normal error
SUBSETS = 200  # of a pilot's scores, at each k
RIGHT, TIED, WRONG = range(3)


@dataclass(frozen=True)
class Forecast:
    """Hold a forecast of voting@k for K values of k; k = inf is the limit.

    moved: by how much single items' chances change beyond the pilot, on average. discordant: the mean squared
    difference of two votes of k each about the same item, which is how often they differ where nothing ties.
    """

    model: str  # "votes" or "scores"
    pilot: int  # judgments an item, k0
    ks: tuple[float, ...]
    value: np.ndarray  # (K,); as measured up to k0
    low: np.ndarray  # (K,)
    high: np.ndarray  # (K,)
    moved: np.ndarray  # (K,)
    discordant: np.ndarray  # (K,)
    items: int
    clusters: float  # as how many equal, equally weighted ones
    model_error: np.ndarray  # (K,), the share of `moved` that the interval holds


@dataclass(frozen=True)
class VotePilot:
    """Hold what a pilot's judgments of two responses, or of a lone one, were worth: right, tied or wrong.

    counts: (N, 3), rows of the same sum k0; a judgment without a verdict abstains and counts as tied. tie: (N,), what
    a tied vote earns. weight: (N,), each item's share in the accuracy. cluster: (N,), names: items that stand or fall
    together share one.
    """

    counts: np.ndarray
    tie: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray

    @property
    def size(self) -> int:
        """Return k0."""
        return int(self.counts[0].sum())


@dataclass(frozen=True)
class ScorePilot:
    """Hold a pilot's scores of all responses.

    scores: (N, k0, n), NaN where an item has fewer responses than n; a judgment without a verdict is a row of NaN.
    right: (N, n) booleans. tie, weight, cluster: as in VotePilot; tie is that of all responses together.
    """

    scores: np.ndarray
    right: np.ndarray
    tie: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray

    @property
    def size(self) -> int:
        """Return k0."""
        return int(self.scores.shape[1])


Pilot = VotePilot | ScorePilot
Prediction = tuple[np.ndarray, np.ndarray, np.ndarray]  # value, moved, discordant: (K,) each


def forecast(pilot: Pilot, ks: Sequence[float], level: float = 0.95) -> Forecast:
    """Forecast voting@k at every k of `ks`, and its interval."""
    predict: Callable[[np.ndarray], Prediction]  # from the items' weights
    within = [k for k in ks if k <= pilot.size] + [pilot.size]
    if isinstance(pilot, VotePilot):
        cells = count_cells(pilot, min(pilot.size, ORDER))
        predict = partial(_predict_votes, pilot, ks, measure_pilot(pilot, within), cells)
    else:
        predict = partial(_predict_scores, pilot, ks, measure_pilot(pilot, within))
    error = find_model_error(pilot, ks)
    whole = pilot.weight / pilot.weight.sum()
    value, moved, discordant = predict(whole)
    names, cluster = np.unique(pilot.cluster, return_inverse=True)
    groups, clusters = min(GROUPS, len(names)), float(1 / (np.bincount(cluster.reshape(-1), whole) ** 2).sum())
    low, high = np.zeros(len(ks)), np.ones(len(ks))
    if groups > 1:
        group = (np.random.default_rng(0).permutation(len(names)) % groups)[cluster.reshape(-1)]
        kept = [np.where(group == g, 0.0, whole) for g in range(groups)]
        left_out = np.array([predict(weight / weight.sum())[0] for weight in kept])
        variance = (groups - 1) / groups * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
        trials = np.divide(value * (1 - value), variance, out=np.full(len(ks), clusters), where=variance > 1e-12)
        tail = (1 + level) / 2
        trials *= (stats.norm.ppf(tail) / stats.t.ppf(tail, groups - 1)) ** 2
        ends = np.array(find_beta_intervals(value, trials, level), dtype=float)
        low = value - np.hypot(value - ends[:, 0], error * moved)
        high = value + np.hypot(ends[:, 1] - value, error * moved)
    return Forecast(
        "votes" if isinstance(pilot, VotePilot) else "scores",
        pilot.size,
        tuple(ks),
        value,
        np.clip(low, 0, 1),
        np.clip(high, 0, 1),
        moved,
        discordant,
        len(whole),
        clusters,
        error,
    )


def find_model_error(pilot: Pilot, ks: Sequence[float]) -> np.ndarray:
    """Find the share of what voting moves that an interval holds, (K,): the more, the further k is from the pilot."""
    doublings = np.clip(np.log2(np.array(ks) / pilot.size), 0, DOUBLINGS)
    picks = isinstance(pilot, ScorePilot) and are_picks(pilot.scores)
    return np.asarray((MODEL_ERROR + PER_DOUBLING * doublings) * (PICKS if picks else 1.0))


def measure_pilot(pilot: Pilot, ks: Sequence[float]) -> dict[float, np.ndarray]:
    """Measure each item's credit at k <= k0, over its subsets of k judgments: (N,) by k."""
    return measure_votes(pilot, ks) if isinstance(pilot, VotePilot) else measure_scores(pilot, ks)


# ------------------------------------------------------------------------------------------------------------- votes


def list_cells(k: int) -> np.ndarray:
    """List every way in which k judgments can be right, tied and wrong, (cells, 3)."""
    return np.array([(right, tied, k - right - tied) for right in range(k + 1) for tied in range(k + 1 - right)])


def make_grid(decided: int = 21, tied: int = 9) -> np.ndarray:
    """Make a grid of chances to be right, tied and wrong, (G, 3), closer where the decided ones are all right or wrong.

    It has a point on one half, and one where everything is tied.
    """
    share = np.sin(np.pi / 2 * np.linspace(0, 1, decided)) ** 2
    points = [(q * (1 - t), t, (1 - q) * (1 - t)) for q in share for t in np.linspace(0, 0.95, tied)]
    return np.array([*points, (0.0, 1.0, 0.0)])


def count_cells(pilot: VotePilot, k: int) -> np.ndarray:
    """Count how likely k of each item's judgments, drawn without replacement, fall in every cell: (N, cells)."""
    cells = list_cells(k)
    distinct, which = np.unique(pilot.counts, axis=0, return_inverse=True)
    ways = special.comb(distinct[:, None], cells[None]).prod(axis=2)
    found: np.ndarray = (ways / ways.sum(axis=1, keepdims=True))[which.reshape(-1)]
    return found


def weigh_cells(points: np.ndarray, k: int) -> np.ndarray:
    """Compute how likely every cell of k judgments is at each point (G, 3): (G, cells)."""
    cells = list_cells(k)
    ways = special.gammaln(k + 1) - special.gammaln(cells + 1).sum(axis=1)
    return np.asarray(np.exp(ways + special.xlogy(cells[None], points[:, None]).sum(axis=2)))


def vote_at(points: np.ndarray, k: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute how likely the majority of k is right, and how likely it ties, at each point (G, 3): (G,) each."""
    right, tied, wrong = points.T
    if isinf(k):
        even = np.isclose(right, wrong)
        return np.asarray((right > wrong) & ~even, dtype=float), even.astype(float)
    cells, chance = list_cells(int(k)), weigh_cells(points, int(k))
    return chance @ (cells[:, RIGHT] > cells[:, WRONG]), chance @ (cells[:, RIGHT] == cells[:, WRONG])


def measure_votes(pilot: VotePilot, ks: Sequence[float]) -> dict[float, np.ndarray]:
    """Measure each item's credit at k <= k0, over all subsets: (N,) by k."""
    found = {}
    for k in ks:
        cells, chance = list_cells(int(k)), count_cells(pilot, int(k))
        even = chance @ (cells[:, RIGHT] == cells[:, WRONG])
        found[k] = chance @ (cells[:, RIGHT] > cells[:, WRONG]) + even * pilot.tie
    return found


def fit_mixture(likelihood: np.ndarray, share: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Fit how much of the items lies at each point of a grid, (G,), by `steps` of EM from an even start.

    likelihood: (G, cells). share: (cells,), of the items.
    """
    mass = np.full(len(likelihood), 1 / len(likelihood))
    for _ in range(steps):
        mass = mass * (likelihood @ (share / np.maximum(mass @ likelihood, 1e-300)))
    return mass / mass.sum()


@lru_cache(maxsize=256)
def _vote_on_grid(k: float) -> tuple[np.ndarray, np.ndarray]:
    return vote_at(make_grid(), k)


@lru_cache(maxsize=32)
def _weigh_on_grid(k: int) -> np.ndarray:
    return weigh_cells(make_grid(), k)


def _predict_votes(
    pilot: VotePilot, ks: Sequence[float], measured: dict[float, np.ndarray], cells: np.ndarray, weight: np.ndarray
) -> Prediction:
    """Predict from each item's posterior over the grid: an item's tie is worth what it is worth to that item."""
    likelihood = _weigh_on_grid(min(pilot.size, ORDER))
    joint = fit_mixture(likelihood, weight @ cells)[:, None] * likelihood
    posterior = joint / np.maximum(joint.sum(axis=0), 1e-300)
    classes = {float(tie): posterior @ (weight * (pilot.tie == tie) @ cells) for tie in np.unique(pilot.tie)}
    right0, tied0 = _vote_on_grid(pilot.size)
    base = float(weight @ measured[pilot.size])
    value, moved, discordant = np.zeros(len(ks)), np.zeros(len(ks)), np.zeros(len(ks))
    for j, k in enumerate(ks):
        right, tied = _vote_on_grid(k)
        for tie, mass in classes.items():
            credit = right + tie * tied
            discordant[j] += mass @ (2 * (right + tie**2 * tied - credit**2))
            if k > pilot.size:
                step = credit - right0 - tie * tied0
                value[j] += mass @ step
                moved[j] += mass @ np.abs(step)
        value[j] = value[j] + base if k > pilot.size else weight @ measured[k]
    return np.clip(value, 0, 1), moved, discordant


# ------------------------------------------------------------------------------------------------------------ scores


def credit_sums(totals: np.ndarray, pilot: ScorePilot) -> np.ndarray:
    """Credit each item's summed scores (N, n), NaN where there is no such response, with its ties: (N,)."""
    best = np.nanmax(np.where(np.isnan(totals), -np.inf, totals), axis=1, keepdims=True)
    top = ~np.isnan(totals) & (totals >= best - 1e-9 * np.maximum(np.abs(best), 1))
    share = (top & pilot.right).sum(axis=1) / np.maximum(top.sum(axis=1), 1)
    all_share = pilot.right.sum(axis=1) / np.maximum(_has_response(pilot).sum(axis=1), 1)
    by_share = np.isclose(pilot.tie, all_share)
    return np.where((share > 0) & (share < 1), np.where(by_share, share, pilot.tie), share)


def measure_scores(pilot: ScorePilot, ks: Sequence[float]) -> dict[float, np.ndarray]:
    """Measure each item's credit at k <= k0, over all subsets or SUBSETS random ones: (N,) by k."""
    rng, found = np.random.default_rng(0), {}
    known, silent = np.nan_to_num(pilot.scores), np.isnan(pilot.scores).all(axis=2)
    absent = ~_has_response(pilot)
    for k in map(int, ks):
        every = list(combinations(range(pilot.size), k)) if comb(pilot.size, k) <= SUBSETS else None
        chosen = every or [tuple(rng.permutation(pilot.size)[:k]) for _ in range(SUBSETS)]
        credit = np.zeros(len(known))
        for subset in chosen:
            rows = list(subset)
            totals = np.where(absent, np.nan, known[:, rows].sum(axis=1))
            credit += np.where(silent[:, rows].all(axis=1), pilot.tie, credit_sums(totals, pilot))
        found[float(k)] = credit / len(chosen)
    return found


def _has_response(pilot: ScorePilot) -> np.ndarray:
    """Tell which responses an item has, (N, n); all of them where no judgment says."""
    there = ~np.isnan(pilot.scores).all(axis=1)
    return np.where(there.any(axis=1, keepdims=True), there, True)


def are_picks(scores: np.ndarray) -> bool:
    """Tell whether every judgment of all (N, k, n) shares one vote evenly among the responses that it picks."""
    known = scores[~np.isnan(scores).all(axis=2)]
    if not len(known):
        return False
    top = np.nanmax(known, axis=1, keepdims=True)
    return bool(
        np.isclose(np.nansum(known, axis=1), 1).all() and (np.isnan(known) | (known == 0) | (known == top)).all()
    )


def find_step(scores: np.ndarray) -> float:
    """Find the step of the lattice that scores lie on: 1, 1/2 or 1/10; 0 where they lie on none of these."""
    known = scores[~np.isnan(scores)]
    return next((step for step in (1.0, 0.5, 0.1) if np.allclose(known / step, np.rint(known / step))), 0.0)


def _predict_scores(
    pilot: ScorePilot, ks: Sequence[float], measured: dict[float, np.ndarray], weight: np.ndarray
) -> Prediction:
    """Predict from each item's shrunken means and a normal error."""
    rows = weight > 0
    means, noise = _shrink_means(pilot, weight)
    strict = rows & (pilot.tie == 0)
    step = find_step(pilot.scores) if strict.any() else 0.0

    def win(k: float) -> np.ndarray:
        """Compute each item's chance that a right response has the largest sum of k."""
        if isinf(k) or noise == 0:
            return credit_sums(means, pilot)
        # of sums on a lattice, those nearer than half a step tie; where a tie earns nothing, that is a loss
        short = np.where(strict, step / (2 * k), 0.0)
        return _win_normal(means, pilot.right, np.sqrt(noise / k), short)

    base, start = float(weight @ measured[pilot.size]), win(pilot.size)
    value, moved, discordant = np.zeros(len(ks)), np.zeros(len(ks)), np.zeros(len(ks))
    for j, k in enumerate(ks):
        chance = win(k)
        discordant[j] = weight @ (2 * chance * (1 - chance)) if not isinf(k) else 0.0
        if k > pilot.size:
            value[j], moved[j] = base + weight @ (chance - start), weight @ np.abs(chance - start)
        else:
            value[j] = weight @ measured[k]
    return np.clip(value, 0, 1), moved, discordant


def _shrink_means(pilot: ScorePilot, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Return every item's mean scores, (N, n), shrunk to vary as the true means do, and the variance of one judgment.

    The variance is that of a response's score around its mean, with what moves all responses alike taken out.
    """
    there = _has_response(pilot)
    usable = ~np.isnan(pilot.scores).all(axis=2)
    count = usable.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = np.nansum(pilot.scores, axis=1) / np.maximum(count, 1)[:, None]
        rest = np.where(usable[..., None] & there[:, None], np.nan_to_num(pilot.scores) - mean[:, None], 0.0)
        rest -= np.where(there[:, None], rest.sum(axis=2, keepdims=True) / there.sum(axis=1)[:, None, None], 0.0)
    free = np.maximum(count - 1, 0) * (there.sum(axis=1) - 1)
    whole = weight @ free
    noise = float(weight @ (rest**2).sum(axis=(1, 2)) / whole) if whole else 0.0
    sides = [there & pilot.right, there & ~pilot.right]
    sizes = [side.sum(axis=1) for side in sides]
    middle = [
        (np.where(side, mean, 0)).sum(axis=1) / np.maximum(size, 1) for side, size in zip(sides, sizes, strict=True)
    ]
    lead = middle[0] - middle[1]
    error = noise / np.maximum(count, 1)
    of_lead = error * (1 / np.maximum(sizes[0], 1) + 1 / np.maximum(sizes[1], 1))
    centre = float(weight @ lead)
    spread = max(float(weight @ ((lead - centre) ** 2 - of_lead)), 0.0)
    lead = centre + (lead - centre) * np.sqrt(spread / np.maximum(spread + of_lead, 1e-300))
    within = [np.where(side, mean - m[:, None], 0.0) for side, m in zip(sides, middle, strict=True)]
    freedom = np.maximum(sizes[0] - 1, 0) + np.maximum(sizes[1] - 1, 0)
    squares = sum((part**2).sum(axis=1) for part in within)
    between = max(float(weight @ (squares - freedom * error)) / max(float(weight @ freedom), 1e-300), 0.0)
    keep = np.sqrt(between / np.maximum(between + error, 1e-300))[:, None]
    means = np.where(pilot.right, lead[:, None], 0.0) + keep * (within[0] + within[1])
    return np.where(there, means, np.nan), noise


def _win_normal(means: np.ndarray, right: np.ndarray, spread: float, short: np.ndarray) -> np.ndarray:
    """Compute the chance that a right response is above all wrong ones by `short`, under normal errors: (N,).

    A right response wins where it is the best of all; only wrong ones must be `short` (N,) below it.
    """
    nodes, share = np.polynomial.hermite_e.hermegauss(NODES)
    share = share / share.sum()
    total = np.zeros(len(means))
    for r in range(means.shape[1]):
        rows = np.flatnonzero(right[:, r] & ~np.isnan(means[:, r]))
        chance = np.ones((len(rows), len(nodes)))
        for other in range(means.shape[1]):
            if other == r:
                continue
            ahead = means[rows, r] - means[rows, other] - np.where(right[rows, other], 0.0, short[rows])
            apart = special.ndtr(ahead[:, None] / spread + nodes)
            chance *= np.where(np.isnan(ahead)[:, None], 1.0, apart)
        total[rows] += chance @ share
    return np.clip(total, 0, 1)
