"""An arm: one judge with one strategy on one task, all that is needed to evaluate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from judgescale.harness.contracts import Strategy
from judgescale.harness.cost import Bill
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.stats.intervals import Rollup
from judgescale.harness.types import Item, Rules, Task


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Hold one thing to evaluate: a judge (one, or several pooled), a strategy with its k, a task with its rules."""

    judge: str
    judgments: RecordedJudgments
    strategy: Strategy
    task: Task
    rules: Rules
    owners_rules: tuple[Rules, ...] = ()  # the protocols that the benchmark's owners score by
    items: tuple[Item, ...]
    ks: tuple[int, ...]  # where the curve is read off
    k: int  # the headline's, one of them
    seed: int
    draws: int  # replays of a pool where no closed form exists
    digest: str = ""  # which version of the set the judgments come from, or of the items that a live judge saw
    origin: Mapping[str, Any] = field(default_factory=dict)  # where the items come from
    subsets: tuple[str, ...] = ()  # that the items were chosen by; empty = all
    limit: int | None = None  # of a sample of the items
    partial: frozenset[str] = frozenset()  # sections that are not the official ones, whatever their size
    left_out: int = 0  # items that its judge did not judge, or not often enough
    about: tuple[str, ...] = ()  # what a reader must know about the items there were
    shares: Mapping[str, float] = field(default_factory=dict)  # of k judgments, that each judge gives; empty = by lot
    queue: tuple[tuple[str, int], ...] = ()  # judges who are asked one after the other, and how many times each
    costs: Mapping[str, float] = field(default_factory=dict)  # dollars a judgment of each judge, where they are known
    as_bought: bool = False  # the strategy chose its questions by the verdicts: only those it asked have judgments
    bill: Bill | None = None  # of judgments that were bought live; None for those of a recorded set

    @property
    def rollup(self) -> Rollup:
        """Return how the headline is made of the sections."""
        return self.task.rollups.get(self.rules.rollup, self.rules.rollup)

    @property
    def metric(self) -> str:
        """Return the headline's name: accuracy, or its own where it is not the first of the task's rollups."""
        return self.rules.rollup if self.rules.rollup in list(self.task.rollups)[1:] else "accuracy"
