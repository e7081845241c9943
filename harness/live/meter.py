"""What a live run has done and spent so far, and whether it may go on."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from judgescale.harness.contracts import Faults
from judgescale.harness.cost import Price, Tokens, count_call_tokens
from judgescale.harness.types import Call, JudgescaleError, Output


class Stop(JudgescaleError):
    """Say that the run must ask no more; what is in flight may still arrive."""


class Spending(NamedTuple):
    """Hold tokens read and written, and dollars."""

    tokens: float = 0.0
    dollars: float = 0.0

    def plus(self, other: Spending, sign: int = 1) -> Spending:
        """Add another spending, or with sign=-1 take it away."""
        return Spending(self.tokens + sign * other.tokens, self.dollars + sign * other.dollars)


@dataclass
class Tally:
    """Count what a live run does for one of its arms. It is read a few times a second, and made of counters alone."""

    items: int = 0
    deferred: int = 0  # items whose answers are to come by a batch file
    judgments: int = 0
    bought: int = 0  # answers that this arm had bought
    reused: int = 0  # answers that were in the store, or that another arm had bought
    tokens: int = 0  # read and written, of those bought

    def count_answers(self, asked: Iterable[tuple[Output, Call]], reused: int) -> None:
        """Count answers: those asked for, but for the failed ones, and how many were there already."""
        self.reused += reused
        for output, call in asked:
            if output.finish != "failed":
                self.bought += 1
                self.tokens += (call.completion_tokens or 0) + (0 if call.shared else call.prompt_tokens or 0)


@dataclass
class Meter:
    """Count what a live run does, for those who watch it, the budget and the result."""

    max_failures: int
    budget: tuple[float | None, float | None] = (None, None)  # tokens, dollars
    arms: list[Tally] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    failed: int = 0  # answers that an engine gave up on
    trouble: str | None = None  # why, the last time
    first_trouble: str | None = None  # … and the first time
    bought: int = 0  # answers that this run paid for
    uncounted: int = 0  # of these, those whose tokens the engine did not count
    reused: int = 0  # answers that the store had
    tokens: Tokens = Tokens()
    spent: Spending = Spending()  # the most that it may have been, where an engine does not count
    reserved: Spending = Spending()  # what the requests in flight may cost at most
    in_flight: int = 0
    stopped: Exception | None = None
    first: float | None = None  # when the first answer was asked for, and the last one came
    last: float | None = None
    faults: Faults = field(default_factory=Faults)  # of all engines, as they were when `watch` was last called
    told: list[str] = field(default_factory=list)  # what was printed while it went on, one line each
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def set_aside(self, most: Spending) -> None:
        """Set aside what a request may cost at most, waiting for others to end where the budget would not cover it.

        Raises: what the run was stopped by; `Stop` where no request in flight could free enough.
        """
        while True:
            if self.stopped:
                raise self.stopped
            short = [
                i
                for i, limit in enumerate(self.budget)
                if limit is not None and self.spent[i] + self.reserved[i] + most[i] > limit
            ]
            if not short:
                break
            if not self.in_flight:
                name = Spending._fields[short[0]]
                self.stop(
                    f"run.budget.{name}={self.budget[short[0]]:g}: {self.spent.tokens:,.0f} tokens"
                    f" (${self.spent.dollars:.4f}) are spent, and the next request may cost up to"
                    + (f" {most.tokens:,.0f} tokens" if name == "tokens" else f" ${most.dollars:.4f}")
                    + " (every run has a budget of its own)"
                )
                continue
            self._ended.clear()
            await self._ended.wait()
        self.reserved = self.reserved.plus(most)
        self.in_flight += 1
        self.first = self.first or time.monotonic()

    def release(self, most: Spending) -> None:
        """Free what was set aside for a request that has ended."""
        self.reserved = self.reserved.plus(most, -1)
        self.in_flight -= 1
        self.last = time.monotonic()
        self._ended.set()

    def stop(self, why: str) -> None:
        """Stop the run for this reason; the first reason stays."""
        self.stopped = self.stopped or Stop(why)

    def record_payment(self, answer: Output, price: Price | None, most: Spending) -> None:
        """Add an answer's tokens and dollars to what is spent; `most`, its upper bound, where nobody counts them."""
        if (tokens := count_call_tokens(answer)) is None:
            self.spent = self.spent.plus(most)
            self.uncounted += 1
        else:
            self.tokens = self.tokens.plus(tokens)
            dollars = price.dollars(tokens) if price else 0.0
            before = self.spent
            self.spent = Spending(before.tokens + (tokens.prompt + tokens.completion), before.dollars + dollars)

    def record_failure(self, why: str | None) -> None:
        """Count an answer that an engine gave up on; stop the run where there are too many."""
        if self.stopped:  # it was told to give up
            return
        self.failed += 1
        self.trouble = why
        self.first_trouble = self.first_trouble or why
        if self.failed > self.max_failures:
            self.stop(
                f"{self.failed} answer{'s' * (self.failed != 1)} failed, more than"
                f" run.max_failures={self.max_failures}; the last: {why or 'no reason given'}"
            )

    def tell(self, line: str) -> None:
        """Print what a person who waits should know, and keep it for the log."""
        print(line, file=sys.stderr)
        self.told.append(line)

    @property
    def items(self) -> int:
        """Return how many items are done, over all arms."""
        return sum(arm.items for arm in self.arms)

    @property
    def deferred(self) -> int:
        """Return how many items wait for a batch file."""
        return sum(arm.deferred for arm in self.arms)

    @property
    def judgments(self) -> int:
        """Return how many judgments there are, bought or not."""
        return sum(arm.judgments for arm in self.arms)

    @property
    def seconds(self) -> float:
        """Return the time from the first request to the last answer; 0 where nothing was asked."""
        return (self.last or 0.0) - (self.first or 0.0)
