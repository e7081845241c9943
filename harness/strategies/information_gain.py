"""Active pairing: the next match is the one whose outcome is expected to tell most about who is best.

What is known is a Bradley-Terry model's posterior in Laplace's approximation, as in Hybrid-MST (arXiv 1810.08851). What
a judgment tells is the mutual information of its verdict and the identity of the best, as in Entropy Search (JMLR 13,
2012), over samples of the posterior. A pair meets once; the strongest at the posterior's mode wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.strategies.elo import award_points
from judgescale.harness.strategies.swiss import Swiss

SAMPLES = 100  # of the posterior, before each match


@dataclass(frozen=True)
class InformationGain(Strategy):
    """Let that pair meet next whose match tells most."""

    name: ClassVar[str] = "information_gain"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    next_try: ClassVar[str] = "elo"

    matches: int | None = None  # at most all pairs; None = as many as `swiss` plays

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))

    def judgments(self, n: int) -> int:
        """Count k judgments for each match."""
        return (self.k or 0) * min(self.matches or Swiss(1).judgments(n), n * (n - 1) // 2)

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Play one match of k judgments after the other; return the log strengths, (D, n)."""
        pairs, replay, k = np.array(self.questions(n)), np.arange(ask.draws), self.k or 0
        met, won = np.zeros((ask.draws, len(pairs)), bool), np.zeros((ask.draws, n, n))
        mode, precision = fit_posterior(won)
        for _ in range(self.at(1).judgments(n)):
            noise = rng.standard_normal((ask.draws, n, SAMPLES))
            samples = mode[..., None] + np.linalg.solve(np.linalg.cholesky(precision).transpose(0, 2, 1), noise)
            match = np.where(met, -np.inf, expect_gain(samples)).argmax(axis=1)
            met[replay, match], (first, second) = True, pairs[match].T
            points = award_points((await ask(pairs[match][:, None], k)).scores[:, 0])  # (D, k)
            won[replay, first, second], won[replay, second, first] = np.nansum([points, 1 - points], axis=2)
            mode, precision = fit_posterior(won)
        return np.where((won.sum(axis=(1, 2)) > 0)[:, None], mode.round(6), np.nan)


def fit_posterior(won: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mode (D, n) and precision (D, n, n) of the log strengths, N(0, 1) before any win (D, n, n), by Newton."""
    games, mode = won + won.transpose(0, 2, 1), np.zeros(won.shape[:2])
    for _ in range(100):  # a handful does it
        chance = 1 / (1 + np.exp(mode[:, None] - mode[:, :, None]))  # that i beats j
        information = games * chance * (1 - chance)
        precision = np.eye(won.shape[1]) * (1 + information.sum(axis=2))[:, None] - information
        step = np.linalg.solve(precision, ((won - games * chance).sum(axis=2) - mode)[..., None])[..., 0]
        mode = mode + step
        if np.abs(step).max() < 1e-9:
            break
    return mode, precision


def expect_gain(strengths: np.ndarray) -> np.ndarray:
    """Return what a verdict on each pair is expected to tell about who is best: (D, n, SAMPLES) to (D, Q), in nats."""
    power, gains = np.exp(strengths).astype(np.float32), []
    best = np.eye(power.shape[1], dtype=np.float32)[strengths.argmax(axis=1)]  # (D, samples, n)
    times = best.sum(axis=1)[:, None]  # (D, 1, n)
    for first in range(power.shape[1] - 1):  # all its pairs at once; with those of the others, memory takes the time
        chance = power[:, first, None] / (power[:, first, None] + power[:, first + 1 :])  # that it wins
        given = chance @ best / np.maximum(times, 1)  # the same by who is best
        gains.append(entropy(chance.mean(axis=2)) - (entropy(given) * times).sum(axis=2) / SAMPLES)
    return np.concatenate(gains, axis=1)


def entropy(p: np.ndarray) -> np.ndarray:
    """Return the entropy of a coin with this chance, in nats."""
    return -sum(q * np.log(q) for q in (p.clip(1e-7), (1 - p).clip(1e-7)))
