"""Weighted voting: judgments of several judges, each with one vote, which weighs what its judge is worth.

The weights are fitted by evaluation (harness/evaluation/jury.py): `logistic` on labels of other items, `dawid_skene` on
no labels. Log-odds are the weights by which independent judges vote best (Nitzan and Paroush, 1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.aggregate import cast_shares
from judgescale.harness.stats.votes import round_off_noise
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import JudgescaleError

WEIGHTS = ("logistic", "dawid_skene")


@dataclass(frozen=True)
class WeightedVoting(Strategy):
    """Take k judgments, and let each vote weigh what its judge was found to be worth."""

    name: ClassVar[str] = "weighted_voting"
    random: ClassVar[bool] = False

    weights: str = "logistic"  # or dawid_skene

    def __post_init__(self) -> None:
        """Raise JudgescaleError for unknown weights."""
        if self.weights not in WEIGHTS:
            raise JudgescaleError(f"strategy.weights={self.weights}: choose {' or '.join(WEIGHTS)}")

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List one question: all the responses at once."""
        return [tuple(range(n))]

    def judgments(self, n: int) -> int:
        """Return k: there is one question."""
        return self.k or 0

    @property
    def unusable(self) -> str | None:
        """Say that unusable judgments have no vote."""
        return "abstain"

    @property
    def mixes_scales(self) -> bool:
        """Say that it adds votes, whatever scales they come from."""
        return True

    @property
    def weighed_by(self) -> str | None:
        """Return which fit gives the weights."""
        return self.weights

    def baseline(self) -> Strategy | None:
        """Return the vote in which the same judgments weigh alike."""
        return Voting(self.k, aggregate="plurality")

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Ask k times about all the responses, and add up the weights of the votes for each."""
        answers = await ask(np.arange(n)[None], self.k or 0)
        scores, weight = answers.scores[:, 0], np.nan_to_num(answers.meta[:, 0])[..., None]  # (D, k, n), (D, k, 1)
        shares, scored = cast_shares(np.concatenate([scores, 1 - scores], axis=2) if n == 1 else scores)
        total = (shares * weight).sum(axis=1)
        total = round_off_noise(total, np.abs(shares * weight).max(axis=1).max(axis=1, keepdims=True))
        if n == 1:  # from yes and no to how likely yes is: above 1/2 where yes weighs more
            most = np.maximum(np.abs(weight).sum(axis=1), 1e-300)
            total = (1 + (total[:, :1] - total[:, 1:]) / most) / 2
        return np.where(np.any(scored, axis=(1, 2))[:, None], total, np.nan)
