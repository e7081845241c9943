"""Who of several observers is right, and how often, from what they say alone: Dawid and Skene's model, one coin each.

Each item has one right answer, which nobody tells. Observer j names it with probability p_j, and else any of the other
answers, all alike likely (Dawid and Skene, Applied Statistics 28, 1979, section 3, with one parameter in place of each
observer's confusion matrix: items have differently many answers, which belong to no fixed classes). Expectation
maximisation finds the p_j and how likely each answer is.
"""

from __future__ import annotations

import numpy as np

ROUNDS = 1000  # of expectation and maximisation, at most
PRECISE = 1e-7  # change of every p_j in the last round
PRIOR = 1.0  # right and wrong answers that every observer is given beforehand, half each: p_j stays inside 0 and 1


def fit_reliability(votes: np.ndarray, options: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit how often each observer is right, (J,), and how likely each answer is the right one, (N, M).

    It begins with the answers' shares of the votes. Two observers cannot be told apart, nor is one who is right less
    often than by chance found out by less than a majority.

    votes: (N, J, M), the vote of each observer, which may be shared between answers and then counts in parts; all 0
    where an observer says nothing, and for answers beyond an item's own. options: (N,), how many an item has, at least
    2.
    """
    there = np.arange(votes.shape[2]) < options[:, None]
    spoke = votes.sum(axis=2)  # (N, J), 1 or 0
    cast = votes.sum(axis=1) + 1e-9 * there
    likely = cast / cast.sum(axis=1, keepdims=True)
    reliability = np.full(votes.shape[1], np.nan)
    for _ in range(ROUNDS):
        right = np.einsum("njm,nm->j", votes, likely)
        found = (right + PRIOR / 2) / (spoke.sum(axis=0) + PRIOR)
        if np.abs(found - reliability).max() < PRECISE:
            break
        reliability = found
        log_odds = np.einsum("njm,nj->nm", votes, weigh_votes(reliability, options))
        log_odds = np.where(there, log_odds - np.where(there, log_odds, -np.inf).max(axis=1, keepdims=True), -np.inf)
        likely = np.exp(log_odds)
        likely /= likely.sum(axis=1, keepdims=True)
    return found, likely


def weigh_votes(reliability: np.ndarray, options: np.ndarray) -> np.ndarray:
    """Return what a vote adds to the log-odds of the answer that it is for: log(p (m - 1) / (1 - p)), (N, J).

    0 for one who guesses, negative for one who is right less often than that.
    reliability: (J,). options: (N,), answers an item has.
    """
    weights: np.ndarray = np.log(reliability / (1 - reliability)) + np.log(options - 1)[:, None]
    return weights
