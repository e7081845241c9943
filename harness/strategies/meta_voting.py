"""Meta-RM guided voting: of k judgments keep the k_meta a meta RM trusts most, then vote (arXiv 2504.02495, 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.counting import Curve, meta_curve
from judgescale.harness.stats.votes import vote
from judgescale.harness.strategies.voting import Voting


@dataclass(frozen=True)
class MetaVoting(Strategy):
    """Take k judgments and let those vote that a meta RM trusts most."""

    name: ClassVar[str] = "meta_voting"
    random: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True

    k_meta: int | None = None  # judgments that vote; None = k/2, at least 1
    meta: str = "logistic"  # who scores the judgments: see harness/evaluation/meta.py
    unusable: str = "abstain"

    def questions(self, n: int) -> list[tuple[int, ...]]:
        return [tuple(range(n))]

    def abstaining(self) -> Strategy:
        return replace(self, unusable="abstain")

    def judgments(self, n: int) -> int:
        return self.k or 0

    @property
    def meta_rm(self) -> str | None:
        return self.meta

    def baseline(self) -> Strategy | None:
        return Voting(self.k, self.unusable)

    def kept(self, k: int) -> int:
        return min(k, self.k_meta or max(1, k // 2))

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        k = self.k or 0
        answers = await ask(np.arange(n)[None], k)
        scores, meta = answers.scores[:, 0], answers.meta[:, 0]
        trust = np.where(np.isnan(scores).any(axis=2) | np.isnan(meta), -np.inf, meta)
        top = np.argsort(-trust, axis=1, kind="stable")[:, : self.kept(k)]
        return vote(np.take_along_axis(scores, top[..., None], axis=1), self.unusable)

    def exact(
        self, margins: Sequence[np.ndarray], meta: Sequence[np.ndarray], ks: Sequence[int], draws: int, seed: int
    ) -> Curve | None:
        """The whole curve in closed form, for items of one or two responses."""
        if self.unusable == "plurality" and any(np.isnan(m).any() for m in margins):
            return None
        return meta_curve(margins, meta, ks, self.kept, draws, seed)
