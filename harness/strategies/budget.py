"""A budget for all items: k judgments an item on average, each where it is expected to help most.

Every item is judged once. Then, round by round, the next judgments go where one more is expected to raise the mean of
the response that is best after it (stats/allocation.py), until k judgments an item are spent. What is right is never
looked at. A judge that scores each response alone (`apart`) is asked about the contenders only; one such score is
1/n of a judgment of n responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import AskAll, Strategy
from judgescale.harness.stats.allocation import choose_best, describe_scores, expect_gain, expect_gain_together
from judgescale.harness.stats.votes import put_unscored_last
from judgescale.harness.types import JudgescaleError, Rules


@dataclass(frozen=True)
class Budget(Strategy):
    """Spend k judgments an item on average; which items get more depends on the verdicts."""

    name: ClassVar[str] = "budget"
    adaptive: ClassVar[bool] = True
    across: ClassVar[bool] = True

    apart: bool = False  # ask about single responses; for judges that score each one alone
    most: int | None = None  # judgments that one item may get; None = 4 times k, or all that were recorded
    share: float = 0.05  # of all items, or of their responses, asked in one round: more keeps an engine busier

    def __post_init__(self) -> None:
        """Raise JudgescaleError for options that allow nothing."""
        if type(self.share) in (int, float) and not 0 < self.share <= 1:  # other types: see options.check_types
            raise JudgescaleError(f"strategy.share={self.share}: must be above 0 and at most 1")
        if type(self.k) is type(self.most) is int and self.k > self.most:
            raise JudgescaleError(f"strategy.k={self.k}: the mean cannot be above strategy.most={self.most}")

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List one question, all the responses; or each response alone. Of a lone response none is ahead."""
        if n < 2:
            return []
        return [(i,) for i in range(n)] if self.apart else [tuple(range(n))]

    def judgments(self, n: int) -> int:
        """Return k, the mean over all items."""
        return self.k or 0

    def caveats(self, rules: Rules) -> list[str]:
        """Tell what k is."""
        return ["Budget: k is a mean; items that are clear after one judgment leave theirs to the others."]

    async def decide_all(
        self, ask: AskAll, ks: Sequence[int], rng: np.random.Generator
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Spend the budget, and return at each of the ks the mean score of every response, and what each item took."""
        there = np.arange(ask.sizes.max()) < ask.sizes[:, None]  # (N, n): items of fewer responses have no more
        units = there if self.apart else there[:, :1]  # what can be asked about
        price = np.where(units, 1 / (ask.sizes[:, None] if self.apart else 1), 0.0)  # of asking once more, in judgments
        at_once = max(1, round(self.share * len(units)))
        counts = np.tile(units.astype(int), (ask.draws, 1, 1))  # (D, N, units) that were asked
        most = min(ask.most, self.most or 4 * max(ks))
        decisions = []
        for k in ks:
            while True:
                scores = describe_scores(await ask(counts), counts)
                gain = expect_gain(scores) if self.apart else expect_gain_together(scores)
                gain[~units | (counts >= most)] = -np.inf
                left = k * len(units) - (counts * price).sum(axis=(1, 2))
                chosen = choose_best(gain, price, np.maximum(left, 0), at_once, rng)
                if not chosen.any():
                    break
                counts = counts + chosen
            decisions.append((put_unscored_last(scores.mean), (counts * price).sum(axis=2)))
        return decisions
