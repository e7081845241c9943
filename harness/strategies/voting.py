"""voting@k: k judgments of all the responses at once, summed (arXiv 2504.02495, section 4; arXiv 2505.14674, 3.3).

The sum of 1-10 scores is DeepSeek-GRM's vote; of one-hot verdicts it is the majority vote. What may stand in its place
is in stats/aggregate.py; at k=1 all of them put the same responses first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.aggregate import AGGREGATES, BY_ORDER, aggregate_scores
from judgescale.harness.stats.counting import Curve, plurality_curve, vote_curve
from judgescale.harness.stats.votes import vote
from judgescale.harness.types import JudgescaleError


@dataclass(frozen=True)
class Voting(Strategy):
    """Take k judgments and put together what they say."""

    name: ClassVar[str] = "voting"
    random: ClassVar[bool] = False
    plain_vote: ClassVar[bool] = True
    next_try: ClassVar[str] = "meta_voting"

    unusable: str = "abstain"  # or "plurality": unusable judgments win where they outnumber every verdict
    aggregate: str = field(default="sum", metadata={"signed_by_default": False})  # a name of AGGREGATES

    def __post_init__(self) -> None:
        """Raise JudgescaleError for an unknown aggregate, and for one that knows no verdicts to outnumber."""
        if self.aggregate not in list(AGGREGATES):
            raise JudgescaleError(f"strategy.aggregate={self.aggregate}: choose one of {', '.join(AGGREGATES)}")
        if self.unusable == "plurality" and self.aggregate not in ("sum", "plurality"):
            raise JudgescaleError(
                f"strategy.aggregate={self.aggregate}: counts no verdicts that unusable judgments could outnumber"
                " (unusable=plurality); add strategy.unusable=abstain"
            )

    @property
    def closed_form(self) -> bool:
        """Tell whether a pair's vote depends on the judgments' margins alone: a median of each response's does not."""
        return self.aggregate not in ("median", "trimmed_mean")

    @property
    def one_scale(self) -> bool:
        """Tell whether it adds z-scores."""
        return self.aggregate == "zscore"

    @property
    def mixes_scales(self) -> bool:
        """Tell whether it may put judges together who score on scales of their own: it adds z-scores, or no scores."""
        return self.one_scale or self.aggregate in BY_ORDER

    @property
    def printed_as(self) -> str:
        """Name it: papers' votes are sums and majorities."""
        return self.name if self.aggregate == "sum" else f"{self.name} by {self.aggregate}"

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
        """Ask k times about all the responses, and put together what the judgments say of each."""
        answers = await ask(np.arange(n)[None], self.k or 0)
        scores = answers.scores[:, 0]
        if self.aggregate == "sum":
            return vote(scores, self.unusable)
        decision = aggregate_scores(scores, self.aggregate)
        outvoted = self.unusable == "plurality" and np.isnan(vote(scores, self.unusable))
        return np.where(outvoted, np.nan, decision)

    def exact(
        self, margins: Sequence[np.ndarray], meta: Sequence[np.ndarray], ks: Sequence[int], draws: int, seed: int
    ) -> Curve | None:
        """Count the whole curve; None where unusable judgments are verdicts and the usable ones are graded scores.

        Of two responses the best by order is the one that more judgments put first, whoever counts them.
        """
        if self.aggregate in BY_ORDER:
            margins = [np.sign(m) for m in margins]
        if self.unusable == "plurality" and any(np.isnan(m).any() for m in margins):
            return plurality_curve(margins, ks)
        return vote_curve(margins, ks, draws, seed)
