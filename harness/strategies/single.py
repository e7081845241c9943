"""One judgment, taken as it comes: the baseline every other strategy has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Strategy
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import JudgescaleError


@dataclass(frozen=True)
class Single(Voting):
    """Take one judgment."""

    name: ClassVar[str] = "single"
    fixed_k: ClassVar[int | None] = 1
    next_try: ClassVar[str] = "voting"

    k: int | None = 1

    def __post_init__(self) -> None:
        """Set k to 1, whatever count was given, so that one sweep over k serves every strategy.

        Raises JudgescaleError for an aggregate: there is nothing to put together.
        """
        if self.aggregate != "sum":
            raise JudgescaleError(
                f"strategy.aggregate={self.aggregate}: strategy={self.name} takes one judgment as it"
                " comes; leave it out"
            )
        if self.k is None or type(self.k) is int and self.k > 0:  # anything else is left to the check of options
            object.__setattr__(self, "k", 1)

    def make_buyer(self, samples: int) -> Strategy:
        """Return a vote of all samples: of several judgments, this takes each as it comes."""
        return Voting(samples, self.unusable)
