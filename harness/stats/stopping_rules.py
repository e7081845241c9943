"""When a vote is clear enough to stop asking: from the votes so far to yes or no, for D replays at once.

A rule sees the votes (D, j, n) of the j judgments that each replay has bought: a judgment has one vote, which its best
responses share, and NaN is an unusable judgment, which has none. Rules on counts look at f and s, the votes of the two
leading responses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaln, gammainc, gammaincinv, gammaln

from judgescale.harness.stats.votes import share_votes
from judgescale.harness.types import JudgescaleError

SLACK = 1e-9  # three thirds of a vote are one


def cast_votes(scores: np.ndarray) -> np.ndarray:
    """Turn scores (D, j, n) into votes (D, j, n); a lone response's into votes for yes and for no, (D, j, 2).

    A judgment that lacks the score of a response has no vote.
    """
    scores = np.where(np.isnan(scores).any(axis=2, keepdims=True), np.nan, scores)
    return share_votes(np.concatenate([scores, 1 - scores], axis=2) if scores.shape[2] == 1 else scores)


def count_leading(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the votes of the two leading responses, the most first: (D,) each."""
    counts = np.sort(np.nansum(votes, axis=1), axis=1)
    return counts[:, -1], counts[:, -2]


def has_lead(votes: np.ndarray, lead: float) -> np.ndarray:
    """Stop where the first is this many votes ahead of the second."""
    f, s = count_leading(votes)
    return f - s >= lead - SLACK


def is_consistent(votes: np.ndarray, threshold: float) -> np.ndarray:
    """Stop at 1 - I_1/2(f + 1, s + 1) >= threshold: that f and s come of p > 1/2, all p alike likely before.

    Adaptive-Consistency, arXiv 2305.11860, section 3 (its Beta criterion).
    """
    f, s = count_leading(votes)
    stop: np.ndarray = betainc(s + 1, f + 1, 0.5) >= threshold
    return stop


def agrees(votes: np.ndarray, window: int) -> np.ndarray:
    """Stop where the last `window` usable judgments have the same response alone on top (ESC, arXiv 2401.10480).

    The paper asks for a window at a time; here it slides, so that it never stops later.
    """
    if votes.shape[1] < window:
        return np.zeros(len(votes), bool)
    in_order = np.argsort(~np.isnan(votes).any(axis=2), axis=1, kind="stable")  # the usable ones last
    last = np.take_along_axis(votes, in_order[:, -window:, None], axis=1)
    stop: np.ndarray = (last == 1).all(axis=1).any(axis=1)
    return stop


def passes_ratio_test(votes: np.ndarray, p1: float, alpha: float, beta: float) -> np.ndarray:
    """Stop where f and s are likely enough under p = p1, or unlikely enough, as against p = 1/2: Wald's SPRT.

    On the two leading counts, as ConSol does (arXiv 2503.17587, section 2.3).
    """
    f, s = count_leading(votes)
    return _leaves_bounds(f * np.log(2 * p1) + s * np.log(2 * (1 - p1)), alpha, beta)


def passes_mixture_test(votes: np.ndarray, prior: float, alpha: float, beta: float) -> np.ndarray:
    """Stop as the SPRT does, with p from Beta(prior, prior) cut to (1/2, 1) in place of one p1 (2503.17587, 2.4)."""
    return _leaves_bounds(mix_likelihoods(*count_leading(votes), prior), alpha, beta)


def mix_likelihoods(f: np.ndarray, s: np.ndarray, prior: float) -> np.ndarray:
    """Return the log-likelihood ratio of f and s votes: p from Beta(prior, prior) on (1/2, 1) against p = 1/2."""
    a, b = f + prior, s + prior
    ratio: np.ndarray = betaln(a, b) - betaln(prior, prior) + np.log(2 * betainc(b, a, 0.5)) + (f + s) * np.log(2)
    return ratio


def _leaves_bounds(ratio: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    stop: np.ndarray = (ratio >= np.log((1 - beta) / alpha)) | (ratio <= np.log(beta / (1 - alpha)))
    return stop


def has_clear_mode(votes: np.ndarray, factor: float, prior: float) -> np.ndarray:
    """Stop where the Bayes factor for "the leader is the response most often preferred" is at least `factor`.

    It is the posterior odds, by a Dirichlet(counts + prior), over those before any vote, 1 to n - 1 (Best-of-infinity,
    arXiv 2509.21091, section 3).
    """
    counts = np.sort(np.nansum(votes, axis=1), axis=1)[:, ::-1].round(9)
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    chance = np.array([find_mode_probability(tuple(row), prior) for row in kinds.tolist()])[kind.reshape(-1)]
    stop: np.ndarray = chance * (votes.shape[2] - 1) >= factor * (1 - chance)
    return stop


@cache
def find_mode_probability(counts: tuple[float, ...], prior: float) -> float:
    """Return how likely the first of some options has the largest share under a Dirichlet(counts + prior).

    Shares are independent gamma variables over their sum: the integral of one's density times the others' distribution
    functions, over its logarithm, by the trapezoidal rule.
    """
    first, *others = np.asarray(counts) + prior
    low, high = np.log(gammaincinv(first, [1e-12, 1 - 1e-12]))
    log_x = np.linspace(low, high, 1001)
    density = np.exp(first * log_x - np.exp(log_x) - gammaln(first))
    return float(
        (log_x[1] - log_x[0]) * (density * np.prod([gammainc(a, np.exp(log_x)) for a in others], axis=0)).sum()
    )


def is_certain(votes: np.ndarray, alpha: float) -> np.ndarray:
    """Stop where one response has beaten each other one, at a level that holds whenever one looks.

    Between two responses, the judgments that prefer one to the other are bets against "it is preferred at most half of
    the time" (`mix_likelihoods`, p from Beta(1/2, 1/2) on (1/2, 1)). Where that is true, the gain ever reaches n/alpha
    with a chance of at most alpha/n (Ville's inequality). A response is named only where all its n - 1 gains got there,
    so that one which is not preferred to every other is ever named with a chance of at most alpha, whichever of the n
    it is, and also where several are equal.
    """
    wins = np.stack([(votes[:, :, [i]] > votes).sum(axis=1) for i in range(votes.shape[2])], axis=1)
    return has_beaten_all(wins, alpha)


def has_beaten_all(wins: np.ndarray, alpha: float) -> np.ndarray:
    """Stop as `is_certain` says, by how many judgments prefer i to j: (D, n, n) to (D,)."""
    n = wins.shape[1]
    gains = mix_likelihoods(wins, wins.transpose(0, 2, 1), 0.5)
    gains[:, np.arange(n), np.arange(n)] = np.inf
    stop: np.ndarray = (gains.min(axis=2) >= np.log(n / alpha)).any(axis=1)
    return stop


class Rule(NamedTuple):
    """Hold a rule and what its options are where nobody sets them."""

    is_clear: Callable[..., np.ndarray]  # (votes, **options) -> (D,) booleans
    options: Mapping[str, float]


RULES: Mapping[str, Rule] = {
    "lead": Rule(has_lead, {"lead": 2}),
    "adaptive_consistency": Rule(is_consistent, {"threshold": 0.95}),
    "esc": Rule(agrees, {"window": 3}),
    "sprt": Rule(passes_ratio_test, {"p1": 0.5001, "alpha": 0.05, "beta": 0.949976}),
    "msprt": Rule(passes_mixture_test, {"prior": 1e6, "alpha": 0.05, "beta": 0.94994}),
    "bayes_factor": Rule(has_clear_mode, {"factor": 10, "prior": 1}),
    "anytime": Rule(is_certain, {"alpha": 0.05}),
}
BOUNDS: Mapping[str, tuple[float, float]] = {  # of the options, neither end included
    "lead": (0, np.inf),
    "threshold": (0.5, 1),
    "window": (1, np.inf),
    "p1": (0.5, 1),
    "prior": (0, np.inf),
    "alpha": (0, 1),
    "beta": (0, 1),
    "factor": (1, np.inf),
}


def settle_options(rule: str, given: Mapping[str, float | None]) -> dict[str, float]:
    """Return the options that a rule reads: what was given of them, else its own value.

    given: every option of BOUNDS, None where nobody set it.

    Raises JudgescaleError for an unknown rule, an option that it does not read, and a value out of bounds.
    """
    if rule not in RULES:
        raise JudgescaleError(f"strategy.rule={rule}: choose {', '.join(RULES)}")
    own = RULES[rule].options
    for name, value in given.items():
        if value is not None and name not in own:
            readers = " or ".join(other for other, (_, options) in RULES.items() if name in options)
            raise JudgescaleError(f"strategy.{name}={value}: only strategy.rule={readers} reads it, not {rule}")
        least, most = BOUNDS[name]
        if isinstance(value, int | float) and not least < value < most:  # other types: see options.check_types
            bounds = f"above {least}" + f" and below {most}" * (most < np.inf)
            raise JudgescaleError(f"strategy.{name}={value}: must be {bounds}")
    settled = {name: own_value if (value := given[name]) is None else value for name, own_value in own.items()}
    alpha, beta = settled.get("alpha", 0), settled.get("beta", 0)
    if isinstance(alpha, int | float) and isinstance(beta, int | float) and alpha + beta >= 1:
        raise JudgescaleError(f"strategy.alpha={alpha} and beta={beta}: must add up to less than 1")
    return settled
