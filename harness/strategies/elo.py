"""Round robin and rating: every pair meets k times, the best-rated response wins (arXiv 2505.14674, section 3.3).

Three ratings: `elo` (Elo 1978; averaged over random passes, since the result depends on the order of the games),
`bradley_terry` (maximum likelihood by Hunter's MM algorithm, Annals of Statistics 32, 2004) and `wins` (points).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Games, Strategy
from judgescale.harness.types import JudgescaleError, Rules

START = 1000.0  # everybody's rating before the first game


@dataclass(frozen=True)
class Elo(Strategy):
    """Let every response meet every other one k times, and rate them all."""

    name: ClassVar[str] = "elo"
    next_try: ClassVar[str] = "knockout"

    rating: str = "elo"
    passes: int = 10  # random orders of the games that `elo` averages over, every replay its own
    step: float = 32.0  # Elo's K factor

    def __post_init__(self) -> None:
        """Raise JudgescaleError for an unknown rating, a step not above 0, and an option that it does not read."""
        if self.rating not in ("elo", "bradley_terry", "wins"):
            raise JudgescaleError(f"strategy.rating={self.rating}: choose elo, bradley_terry or wins")
        if self.step <= 0:
            raise JudgescaleError(f"strategy.step={self.step}: Elo's K factor must be above 0")
        for name, default in (("passes", Elo.passes), ("step", Elo.step)):
            if self.rating != "elo" and (given := getattr(self, name)) != default:
                raise JudgescaleError(f"strategy.{name}={given}: only strategy.rating=elo reads it, not {self.rating}")

    @property
    def games(self) -> Games:
        """Tell that judgments are counted, whatever their scores."""
        score = {"elo": "Elo rating", "bradley_terry": "log strength", "wins": "judgments won"}[self.rating]
        return Games(score, start=START if self.rating == "elo" else 0.0, by_verdicts=True)

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every pair."""
        return list(combinations(range(n), 2))

    def judgments(self, n: int) -> int:
        """Count k judgments for each of the n (n - 1) / 2 pairs."""
        return (self.k or 0) * n * (n - 1) // 2

    @property
    def breaks_ties(self) -> bool:
        """Tell whether the order of the games decides between equal records: in Elo's ratings it nearly always does."""
        return self.rating == "elo"

    def caveats(self, rules: Rules) -> list[str]:
        """Tell that the games' order matters to Elo's ratings."""
        if self.rating != "elo":
            return []
        return [f"ELO's ratings depend on the order of the games: each decision averages {self.passes} random orders."]

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Ask k times about every pair, and return the ratings, (D, n)."""
        pairs = np.array(self.questions(n))
        scores = (await ask(pairs, self.k or 0)).scores
        points = award_points(scores)  # (D, Q, k): 1 the first wins, 1/2 a tie, 0 the second wins, NaN unusable
        if self.rating == "elo":
            ratings = elo_ratings(pairs, points, n, self.passes, self.step, rng)
        else:
            won = win_matrix(pairs, points, n)
            ratings = bradley_terry(won) if self.rating == "bradley_terry" else won.sum(axis=2)
        return np.where(np.isnan(points).all(axis=(1, 2))[:, None], np.nan, ratings)


def award_points(scores: np.ndarray) -> np.ndarray:
    """Award the first of two its points in each game, 1 for a win and 1/2 for a tie: (…, 2) scores to (…)."""
    return (np.sign(scores[..., 0] - scores[..., 1]) + 1) / 2


def win_matrix(pairs: np.ndarray, points: np.ndarray, n: int) -> np.ndarray:
    """Return the points that i took from j in all of their games: (D, n, n)."""
    won = np.zeros((len(points), n, n))
    won[:, pairs[:, 0], pairs[:, 1]] = np.nansum(points, axis=2)
    won[:, pairs[:, 1], pairs[:, 0]] = np.nansum(1 - points, axis=2)
    return won


def elo_ratings(
    pairs: np.ndarray, points: np.ndarray, n: int, passes: int, step: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the Elo ratings after all games, starting from START and averaged over random orders of the games: (D, n).

    points: (D, Q, k) of the first of each pair (Q, 2). Each of the D has orders of its own, so that the chance that is
    left in them is part of how the D differ.
    """
    draws, games = len(points), points.shape[1] * points.shape[2]
    order = rng.random((games, draws * passes), dtype=np.float32).argsort(axis=0)
    first_game = np.repeat(np.arange(draws) * games, passes)  # of each replay
    unusable = np.isnan(points).any()
    # (n, games), +1 for who is first and -1 for who is second: sums over all are faster than picking two of each
    signs = np.repeat((np.eye(n)[pairs[:, 0]] - np.eye(n)[pairs[:, 1]]).T, points.shape[2], axis=1)
    ratings = np.zeros((n, draws * passes))
    for game in order:
        sign, won = signs.take(game, axis=1), points.take(first_game + game)
        lead = (sign * ratings).sum(axis=0)
        change = step * (won - 1 / (1 + np.exp(lead * (-math.log(10) / 400))))
        if unusable:
            change[np.isnan(won)] = 0.0
        ratings += sign * change
    return START + ratings.reshape(n, draws, passes).mean(axis=2).T


def bradley_terry(won: np.ndarray, prior: float = 0.1, tolerance: float = 1e-10) -> np.ndarray:
    """Return the maximum-likelihood log strengths, (D, n), of (D, n, n) points (`win_matrix`).

    `prior` points a side keep the unbeaten and the winless finite.
    """
    n = won.shape[1]
    won = won + prior * (1 - np.eye(n))
    games = won + won.transpose(0, 2, 1)
    strength = np.ones(won.shape[:2])
    for _ in range(10_000):
        new = won.sum(axis=2) / (games / (strength[:, :, None] + strength[:, None, :])).sum(axis=2)
        new /= np.exp(np.log(new).mean(axis=1, keepdims=True))
        done = np.abs(new - strength).max() < tolerance * new.max()
        strength = new
        if done:
            break
    # Equal records must tie: round away what the iteration leaves behind.
    return np.log(strength).round(6)
