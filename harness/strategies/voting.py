"""voting@k: k judgments of all the responses at once, summed (arXiv 2504.02495, section 4; arXiv 2505.14674, 3.3).

The sum of 1-10 scores is DeepSeek-GRM's vote; of one-hot verdicts it is the majority vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.counting import Curve, plurality_curve, vote_curve
from judgescale.harness.stats.votes import vote


@dataclass(frozen=True)
class Voting(Strategy):
    """Take k judgments and add up what they say."""

    name: ClassVar[str] = "voting"
    random: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True
    plain_vote: ClassVar[bool] = True
    next_try: ClassVar[str] = "meta_voting"

    unusable: str = "abstain"  # or "plurality": unusable judgments win where they outnumber every verdict

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List one question: all the responses at once."""
        return [tuple(range(n))]

    def let_unusable_abstain(self) -> Strategy:
        """Return the same vote, from which unusable judgments abstain."""
        return replace(self, unusable="abstain")

    def judgments(self, n: int) -> int:
        """Return k: there is one question."""
        return self.k or 0

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Ask k times about all the responses, and sum the scores of each."""
        answers = await ask(np.arange(n)[None], self.k or 0)
        return vote(answers.scores[:, 0], self.unusable)

    def exact(
        self, margins: Sequence[np.ndarray], meta: Sequence[np.ndarray], ks: Sequence[int], draws: int, seed: int
    ) -> Curve | None:
        """Count the whole curve; None where unusable judgments are verdicts and the usable ones are graded scores."""
        if self.unusable == "plurality" and any(np.isnan(m).any() for m in margins):
            return plurality_curve(margins, ks)
        return vote_curve(margins, ks, draws, seed)
