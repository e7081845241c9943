"""Ways to put k judgments into one score a response, by name.

All take scores (D, k, m): k judgments of m responses in D replays. NaN says that a judgment did not score a response;
it is then left out of that response's mean, and compared with nothing. They return (D, m), NaN for a response of which
nothing was said; responses about which the same was said tie to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from judgescale.harness.stats.votes import put_unscored_last, round_off_noise, vote

TRIM = 4  # a trimmed mean leaves out the lowest and the highest 1 / TRIM of a response's scores, rounded down
PRIOR = 0.1  # wins that each of a pair is given over the other, so that nobody is unbeaten (as in strategies/elo.py)

Aggregate = Callable[[np.ndarray], np.ndarray]


def aggregate_scores(scores: np.ndarray, how: str) -> np.ndarray:
    """Put k judgments together by the aggregate of that name: (D, k, m) to (D, m); NaN where none was usable.

    A lone response, scored by how likely it is to have a property, stands against having it not (one less the score);
    what comes back is 1/2 where the judgments are split. A response of which nothing was said is below all others.
    """
    if how == "sum":
        return vote(scores)
    lone = scores.shape[2] == 1
    values = put_unscored_last(AGGREGATES[how](np.concatenate([scores, 1 - scores], axis=2) if lone else scores))
    return values[:, :1] if lone else values


def mean(scores: np.ndarray) -> np.ndarray:
    """Average each response's scores."""
    return _average_middle(scores, np.zeros_like)


def median(scores: np.ndarray) -> np.ndarray:
    """Take the middle one of each response's scores, or the mean of the middle two."""
    return _average_middle(scores, lambda count: np.maximum(count - 1, 0) // 2)


def trimmed_mean(scores: np.ndarray) -> np.ndarray:
    """Average each response's scores without its lowest and highest quarter, rounded down: all of three, 4 of 8."""
    return _average_middle(scores, lambda count: count // TRIM)


def plurality(scores: np.ndarray) -> np.ndarray:
    """Give each judgment one vote, which its best responses share; return the votes a judgment that compared them."""
    shares, scored = cast_shares(scores)
    votes = _divide(shares.sum(axis=1), scored.sum(axis=1))
    return round_off_noise(votes, np.ones_like(votes))


def cast_shares(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each judgment one vote, which its best responses share: (…, m) to (…, m), and which scores it compared."""
    scored = ~np.isnan(scores)
    scored &= scored.sum(axis=-1, keepdims=True) > 1  # one response alone is compared with nothing
    best = scored & (scores == np.max(scores, axis=-1, keepdims=True, initial=-np.inf, where=scored))
    return best / np.maximum(best.sum(axis=-1, keepdims=True), 1), scored


def borda(scores: np.ndarray) -> np.ndarray:
    """Rank the responses within each judgment, equal scores sharing their ranks; return the share of others beaten.

    With nothing missing this orders responses as their mean mid-rank does: a tie is half a win.
    """
    wins, ties = count_pairs(scores)
    games = wins + wins.transpose(0, 2, 1) + ties
    return _divide((wins + ties / 2).sum(axis=2), games.sum(axis=2))


def davidson(scores: np.ndarray) -> np.ndarray:
    """Fit Bradley and Terry's model with Davidson's ties to the pairs within each judgment; return shares of strength.

    Each share is a response's strength over all responses' sum.
    """
    wins, ties = count_pairs(scores)
    strength = np.exp(fit_davidson(wins, ties)[0])
    compared = (wins + wins.transpose(0, 2, 1) + ties).any(axis=2)
    strength = np.where(compared, strength, 0.0)
    return np.where(compared, strength / np.maximum(strength.sum(axis=1, keepdims=True), 1e-300), np.nan)


AGGREGATES: Mapping[str, Aggregate] = {
    "sum": vote,
    "plurality": plurality,
    "borda": borda,
    "median": median,
    "trimmed_mean": trimmed_mean,
    "zscore": mean,  # of scores that evaluation has put on one scale for all judges
    "davidson": davidson,
}
BY_ORDER = frozenset({"plurality", "borda", "davidson"})  # these look at the order within a judgment alone


def count_pairs(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count how many judgments score i above j, and how many alike: (D, m, m) each, 0 on the diagonal of both."""
    m = scores.shape[2]
    wins, ties = np.zeros((2, len(scores), m, m))
    for i in range(m):  # a column at a time: all at once may be large
        wins[:, i] = (scores[:, :, i, None] > scores).sum(axis=1)
        ties[:, i] = (scores[:, :, i, None] == scores).sum(axis=1)
        ties[:, i, i] = 0
    return wins, ties


def fit_davidson(wins: np.ndarray, ties: np.ndarray, prior: float = PRIOR) -> tuple[np.ndarray, np.ndarray]:
    """Fit Davidson's model of paired comparisons (JASA 65, 1970) by Newton's method: log strengths (D, m) and nu (D,).

    wins, ties: as `count_pairs` gives them. With strengths p_i and p_j, P(i beats j) : P(tie) : P(j beats i) are as
    p_i : nu sqrt(p_i p_j) : p_j. Log strengths have mean 0, and are rounded so that equal records tie. Where nothing
    tied, nu is 0 and the model is Bradley and Terry's (arXiv 2512.03019 fits it to counts of votes).

    prior: wins that each side of every pair is given, which keep the unbeaten and the winless finite.
    """
    draws, m = wins.shape[:2]
    wins = wins + prior * (1 - np.eye(m))
    games = wins + wins.transpose(0, 2, 1) + ties
    points, tied = (wins + ties / 2).sum(axis=2), ties.sum(axis=(1, 2)) / 2  # what the model must expect
    some = tied > 0
    log_strength, log_nu = np.zeros((draws, m)), np.zeros(draws)
    for _ in range(100):
        lead = log_strength[:, :, None] - log_strength[:, None, :]
        tie = np.where(some, np.exp(log_nu), 0.0)[:, None, None]
        total = np.exp(lead / 2) + np.exp(-lead / 2) + tie
        tie = tie / total
        expected = np.exp(lead / 2) / total + tie / 2  # points of i against j
        # The log-likelihood is concave: its gradient, and minus its matrix of second derivatives.
        gradient = np.empty((draws, m + 1))
        gradient[:, :m] = points - (games * expected).sum(axis=2)
        gradient[:, m] = np.where(some, tied - (games * tie).sum(axis=(1, 2)) / 2, 0.0)
        curvature = np.zeros((draws, m + 1, m + 1))
        spread = games * (expected * (1 - expected) - tie / 4)
        curvature[:, :m, :m] = np.eye(m) * spread.sum(axis=2)[:, :, None] - spread + 1 / m  # 1 / m: the mean stays 0
        cross = (games * tie * (0.5 - expected)).sum(axis=2)
        curvature[:, :m, m] = curvature[:, m, :m] = cross
        curvature[:, m, m] = np.where(some, (games * tie * (1 - tie)).sum(axis=(1, 2)) / 2, 1.0)
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        step /= np.maximum(np.abs(step).max(axis=1, keepdims=True), 1)  # no step multiplies anything by more than e
        log_strength += step[:, :m]
        log_nu += step[:, m]
        if np.abs(step).max(initial=0) < 1e-9:
            break
    return log_strength.round(6) + 0.0, np.where(some, np.exp(log_nu), 0.0)


def _average_middle(scores: np.ndarray, drop: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Average each response's scores without its `drop(count)` lowest and as many of its highest: (D, m)."""
    count = (~np.isnan(scores)).sum(axis=1)
    off = drop(count)
    place = np.arange(scores.shape[1])[:, None]
    kept = (place >= off[:, None]) & (place < (count - off)[:, None])
    known = np.where(kept, np.sort(scores, axis=1), 0.0)  # NaN comes last
    average = _divide(known.sum(axis=1), kept.sum(axis=1))
    size = np.abs(known).max(axis=1, initial=0)
    top = np.where(np.isnan(average), -np.inf, average).argmax(axis=1)[:, None]
    # z-scores near 0 have the rounding errors of those near 1
    largest = np.maximum(np.take_along_axis(size, top, axis=1), np.minimum(size.max(axis=1, keepdims=True), 1))
    return round_off_noise(average, largest)


def _divide(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Divide, and give NaN where there is nothing to divide by."""
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
