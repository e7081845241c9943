"""What judgments cost: tokens, floating-point operations, dollars; and what some k of them would have cost.

Prompts are counted once for all answers that were sampled together (one prefill, one bill), and an answer that serves
several judgments is counted once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from judgescale.harness.types import Call, JudgescaleError, Output


class Tokens(NamedTuple):
    """Count tokens. prompt: all that were read, cached ones included; completion: all written, reasoning included."""

    prompt: float = 0.0
    cached: float = 0.0
    completion: float = 0.0
    reasoning: float = 0.0

    def plus(self, other: Tokens, share: float = 1.0) -> Tokens:
        """Add `share` times other tokens."""
        return Tokens(
            self.prompt + share * other.prompt,
            self.cached + share * other.cached,
            self.completion + share * other.completion,
            self.reasoning + share * other.reasoning,
        )


@dataclass(frozen=True)
class Price:
    """Price tokens in dollars a million; cached prompt tokens cost what the others do unless said otherwise."""

    input: float
    output: float
    cached: float | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
            if value is not None and not number:
                raise JudgescaleError(f"judge.price.{name}={value}: must be dollars a million tokens, 0 or more")

    def times(self, share: float) -> Price:
        """Return this share of the price, as of a batch."""
        return Price(self.input * share, self.output * share, None if self.cached is None else self.cached * share)

    def dollars(self, tokens: Tokens) -> float:
        """Return what these tokens cost."""
        cached = self.input if self.cached is None else self.cached
        fresh = tokens.prompt - tokens.cached
        return (fresh * self.input + tokens.cached * cached + tokens.completion * self.output) / 1e6


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Hold what a live run did and paid, for all of its arms together, once it is over."""

    prices: Mapping[str, Price | None]  # of every model that was asked, by role
    active_parameters: Mapping[str, float | None]
    seconds: float | None  # that this arm took; None where other arms or runs had a part in it
    run_seconds: float  # from the first request to the last answer
    bought: int  # answers that the run paid for
    reused: int  # answers that the store had
    tokens: Tokens  # of the answers bought
    dollars: float  # the most that it may have been, where an engine does not count
    uncounted: int  # of the answers bought, those whose tokens the engine did not count
    trouble: str | None  # why an engine gave up on an answer, the last time
    faults: Mapping[str, int]  # of the engines
    store: Path | None  # where the answers are; None = they are not kept
    notes: tuple[str, ...] = ()


def sum_known(numbers: Sequence[float | None]) -> float | None:
    """Sum numbers; None where one of them is unknown."""
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def flops(active_parameters: float, tokens: Tokens) -> float:
    """Return 2 x active parameters x tokens (Kaplan et al., arXiv 2001.08361, section 2.1), without cached ones."""
    return 2 * active_parameters * (tokens.prompt - tokens.cached + tokens.completion)


def count_call_tokens(call: Call | Output) -> Tokens | None:
    """Count one answer's tokens; None where the engine does not. An answer that shared a prompt paid for none of it."""
    if call.prompt_tokens is None or call.completion_tokens is None:
        return None
    prompt, cached = (0, 0) if call.shared else (call.prompt_tokens, call.cached_tokens or 0)
    return Tokens(prompt, cached, call.completion_tokens, call.reasoning_tokens or 0)


def expect_tokens(pools: Iterable[Sequence[Sequence[Call]]], k: int) -> dict[str, Tokens] | None:
    """Return the mean tokens of an item, by model's role, when k random judgments of each question are bought at once.

    pools: question -> judgment -> its calls. A prompt is paid once where any of the k needs it, if the engine samples
    several answers to one prompt, and each answer once; the chance that none of k of n judgments needs one that g of
    them do is C(n - g, k) / C(n, k). None where an engine does not count.
    """
    price: dict[tuple[object, ...], Tokens] = {}  # what is paid once -> its tokens
    spared: dict[tuple[object, ...], float] = {}  # … -> the chance that none of the judgments bought needs it
    for pool in pools:
        together = {call.key for calls in pool for call in calls if call.shared}
        needing: dict[tuple[object, ...], set[int]] = {}
        for row, calls in enumerate(pool):
            for call in calls:
                if call.prompt_tokens is None or call.completion_tokens is None:
                    return None
                read = (call.role, "read", call.key, None if call.key in together else call.rank)
                wrote = (call.role, "wrote", call.key, call.rank)
                if not call.shared or read not in price:  # the one that paid says how much of it was cached
                    paid = Tokens(call.prompt_tokens, 0 if call.shared else call.cached_tokens or 0)
                    price[read] = paid if read not in price or price[read].cached > paid.cached else price[read]
                price[wrote] = Tokens(0, 0, call.completion_tokens, call.reasoning_tokens or 0)
                needing.setdefault(read, set()).add(row)
                needing.setdefault(wrote, set()).add(row)
        n = len(pool)
        for what, rows in needing.items():
            chance = math.comb(n - len(rows), k) / math.comb(n, k) if k <= n else 0.0
            spared[what] = spared.get(what, 1.0) * chance
    total: dict[str, Tokens] = {}
    for what, tokens in price.items():
        role = str(what[0])
        total[role] = total.get(role, Tokens()).plus(tokens, 1 - spared[what])
    return total
