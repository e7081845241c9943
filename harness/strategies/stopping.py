"""Stopping: judgments of all the responses, one after the other, until a rule calls the vote clear; at most k.

The rules are in harness/stats/stopping_rules.py, each with its paper. They look at votes, a judgment's best response;
what decides in the end is the sum of the scores bought, as in `voting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from judgescale.harness.contracts import Ask, Strategy
from judgescale.harness.stats.stopping_rules import BOUNDS, RULES, cast_votes, settle_options
from judgescale.harness.stats.votes import vote
from judgescale.harness.types import Rules


@dataclass(frozen=True)
class Stopping(Strategy):
    """Ask until the verdict is clear. An option that is None has its rule's own value."""

    name: ClassVar[str] = "stopping"
    adaptive: ClassVar[bool] = True
    stops: ClassVar[bool] = True  # and `random`: when it stops depends on the order of the judgments

    rule: str = "lead"
    lead: float | None = None  # lead: votes between the two leading responses
    threshold: float | None = None  # adaptive_consistency: how likely the leader has more than half of the two's votes
    window: int | None = None  # esc: judgments in a row that agree
    p1: float | None = None  # sprt: the leader's share of the two's votes, where there is one
    prior: float | None = None  # msprt: Beta(prior, prior) on (1/2, 1); bayes_factor: Dirichlet(counts + prior)
    alpha: float | None = None  # sprt, msprt: Wald's alpha; anytime: the chance of ever stopping at a wrong leader
    beta: float | None = None  # sprt, msprt: Wald's beta
    factor: float | None = None  # bayes_factor: for "the leader is what the judge prefers most often"

    def __post_init__(self) -> None:
        """Fill in the rule's own options. Raises JudgescaleError for unknown rules, unread options and odd values."""
        given = {name: getattr(self, name) for name in BOUNDS}
        for name, value in settle_options(self.rule, given).items():
            object.__setattr__(self, name, value)

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List one question: all the responses at once."""
        return [tuple(range(n))]

    def judgments(self, n: int) -> int:
        """Return k, the most: there is one question."""
        return self.k or 0

    def caveats(self, rules: Rules) -> list[str]:
        """Tell that an order may be shown once more than its reverse."""
        if rules.order not in ("both", "balanced"):
            return []
        return [f"It may stop before every order was shown alike (protocol.order={rules.order})."]

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Ask once more wherever the rule does not say stop, and sum the scores that were bought, (D, n)."""
        is_clear, own = RULES[self.rule]
        options = {name: getattr(self, name) for name in own}
        everything = np.arange(n)[None]
        asked, going = np.zeros(ask.draws, int), np.ones(ask.draws, bool)
        while going.any():
            asked[going] += 1
            scores = (await ask(everything, asked)).scores[:, 0]  # (D, j, n); NaN beyond what each has asked
            going[going] = ~is_clear(cast_votes(scores[going]), **options)
            going &= asked < (self.k or 0)
        return vote(scores)
