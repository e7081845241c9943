"""Active pairing: the next match is the one whose outcome is expected to tell most about who is best.

What is known is the posterior of a Bradley-Terry model with a normal prior, in Laplace's approximation, as in Hybrid-MST
(arXiv 1810.08851); what a judgment tells is the mutual information of its verdict and the identity of the best, as in
Entropy Search (JMLR 13, 2012), over samples of the posterior. A pair meets once; the strongest at the mode wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.strategies.elo import award_points
from judgescale.harness.strategies.swiss import Swiss
from judgescale.harness.types import JudgescaleError

SAMPLES = 100  # of the posterior, before each match


@dataclass(frozen=True)
class InformationGain(Strategy):
    """Let that pair meet next whose match tells most."""

    name: ClassVar[str] = "information_gain"
    adaptive: ClassVar[bool] = True  # who meets whom depends on the verdicts
    next_try: ClassVar[str] = "elo"

    matches: int | None = None  # at most all pairs; None = as many as `swiss` plays

    def __post_init__(self) -> None:
        """Raise JudgescaleError for less than one match."""
        if self.matches is not None and self.matches < 1:
            raise JudgescaleError(f"strategy.matches={self.matches}: must be at least 1, or null for swiss's number")

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))

    def judgments(self, n: int) -> int:
        """Count k judgments for each match."""
        return (self.k or 0) * min(self.matches or Swiss(1).judgments(n), n * (n - 1) // 2)

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Play one match of k judgments after the other; return the log strengths, (D, n)."""
        pairs, replay, k = np.array(self.questions(n)), np.arange(ask.draws), self.k or 0
        open_, won = np.ones((ask.draws, len(pairs)), bool), np.zeros((ask.draws, n, n))
        mode, precision = fit_posterior(won)
        for _ in range(self.at(1).judgments(n)):
            gain = expect_gain(draw_strengths(mode, precision, rng), pairs)
            match = np.where(open_, gain, -np.inf).argmax(axis=1)
            open_[replay, match], (first, second) = False, pairs[match].T
            points = award_points((await ask(pairs[match][:, None], k)).scores[:, 0])  # (D, k)
            won[replay, first, second], won[replay, second, first] = np.nansum([points, 1 - points], axis=2)
            mode, precision = fit_posterior(won)
        return np.where(won.any(axis=(1, 2))[:, None], mode.round(6), np.nan)


def fit_posterior(won: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mode (D, n) and precision (D, n, n) of log strengths, a priori N(0, 1), by Newton's method (elo.win_matrix)."""
    games, mode, step = won + won.transpose(0, 2, 1), np.zeros(won.shape[:2]), np.ones(1)
    while np.abs(step).max() > 1e-9:
        chance = 1 / (1 + np.exp(mode[:, None] - mode[:, :, None]))  # that i beats j
        information = games * chance * (1 - chance)
        precision = np.eye(won.shape[1]) * (1 + information.sum(axis=2))[:, None] - information
        step = np.linalg.solve(precision, ((won - games * chance).sum(axis=2) - mode)[..., None])[..., 0]
        mode = mode + step
    return mode, precision


def draw_strengths(mode: np.ndarray, precision: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw samples of the posterior: (D, n, SAMPLES)."""
    root = np.linalg.cholesky(precision).transpose(0, 2, 1)
    return mode[..., None] + np.linalg.solve(root, rng.standard_normal((*mode.shape, SAMPLES)))


def expect_gain(strengths: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the information, in nats, that a verdict on each pair is expected to give about the best one: (D, Q)."""
    best = np.eye(strengths.shape[1], dtype=np.float32)[strengths.argmax(axis=1)]  # (D, samples, n)
    chance = 1 / (1 + np.exp((strengths[:, pairs[:, 1]] - strengths[:, pairs[:, 0]]).astype(np.float32)))
    times = best.sum(axis=1)[:, None]  # (D, 1, n)
    given = chance @ best / np.maximum(times, 1)  # the chance that the first wins, by who is best: (D, Q, n)
    return entropy(chance.mean(axis=2)) - (entropy(given) * times).sum(axis=2) / SAMPLES


def entropy(p: np.ndarray) -> np.ndarray:
    """Return the entropy of a coin with this chance, in nats."""
    p = p.clip(1e-7, 1 - 1e-7)
    return -p * np.log(p) - (1 - p) * np.log1p(-p)
