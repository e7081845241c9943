"""Meta-RM guided voting: of k judgments the k_meta that a meta RM trusts most vote (arXiv 2504.02495, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.counting import Curve, meta_curve
from judgescale.harness.stats.votes import vote
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Rules


@dataclass(frozen=True)
class MetaVoting(Strategy):
    """Take k judgments and let those vote that a meta RM trusts most."""

    name: ClassVar[str] = "meta_voting"
    random: ClassVar[bool] = False

    k_meta: int | None = None  # judgments that vote; None = k/2, at least 1
    meta: str = "logistic"  # who scores the judgments: see harness/evaluation/meta.py
    unusable: str = "abstain"

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List one question: all the responses at once."""
        return [tuple(range(n))]

    def let_unusable_abstain(self) -> Strategy:
        """Return the same vote, from which unusable judgments abstain."""
        return replace(self, unusable="abstain")

    def judgments(self, n: int) -> int:
        """Return k: there is one question, and those that do not vote are paid for too."""
        return self.k or 0

    @property
    def closed_form(self) -> bool:
        """Say that its curve can be counted for items of one or two responses."""
        return True

    @property
    def meta_rm(self) -> str | None:
        """Return which meta RM ranks the judgments."""
        return self.meta

    def baseline(self) -> Strategy | None:
        """Return the vote of all k judgments."""
        return Voting(self.k, self.unusable)

    def count_voters(self, k: int) -> int:
        """Count how many of k judgments vote: k_meta, or half of them."""
        return min(k, self.k_meta or max(1, k // 2))

    def caveats(self, rules: Rules) -> list[str]:
        """Warn where the meta RM has nothing to choose."""
        if self.k is None or self.k_meta is None or self.k_meta < self.k:
            return []
        return [f"strategy.k_meta={self.k_meta} lets all {self.k} judgments vote: the meta RM chooses nothing."]

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Ask k times about all the responses, and sum the scores of the k_meta most trusted judgments."""
        k = self.k or 0
        answers = await ask(np.arange(n)[None], k)
        scores, meta = answers.scores[:, 0], answers.meta[:, 0]
        trust = np.where(np.isnan(scores).all(axis=2) | np.isnan(meta), -np.inf, meta)
        most_trusted = np.argsort(-trust, axis=1, kind="stable")[:, : self.count_voters(k)]
        return vote(np.take_along_axis(scores, most_trusted[..., None], axis=1), self.unusable)

    def exact(
        self, margins: Sequence[np.ndarray], meta: Sequence[np.ndarray], ks: Sequence[int], draws: int, seed: int
    ) -> Curve | None:
        """Count the whole curve; None where unusable judgments are verdicts of their own."""
        if self.unusable == "plurality" and any(np.isnan(m).any() for m in margins):
            return None
        return meta_curve(margins, meta, ks, self.count_voters, draws, seed)
