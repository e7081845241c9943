"""How far a live run is: of every arm and of the whole, what is done, how fast it goes and how long the rest takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from judgescale.harness.live.meter import Meter, Tally
from judgescale.harness.watching.pace import Pace


@dataclass(frozen=True)
class Plan:
    """Say what an arm is and what it has to do."""

    name: str  # what tells it from the other arms
    items: int
    judgments: int
    at_most: bool = False  # the verdicts decide how many of the judgments it asks for


@dataclass(frozen=True)
class View:
    """Hold how far an arm, or the whole run, is."""

    plan: Plan
    items: int
    judgments: int
    bought: int  # answers
    reused: int
    rate: float | None  # judgments a second, over the last while
    tokens_rate: float | None  # tokens a second
    seconds_left: float | None  # None where it cannot be known yet; with plan.at_most the most it may be

    @property
    def state(self) -> str:
        """Tell whether it is waiting, at work or done."""
        if self.items >= self.plan.items:
            return "done"
        return "at work" if self.judgments or self.bought or self.reused else "waiting"


@dataclass(frozen=True)
class Progress:
    """Hold how far a live run is at a moment."""

    seconds: float  # since it began
    whole: View
    arms: Sequence[View]
    deferred: int  # items whose answers are to come by a batch file
    tokens: float
    dollars: float
    unusable: Mapping[str, int]  # judgments that cannot be used, by status
    faults: Mapping[str, int]
    in_flight: int
    stopped: str | None  # why it asks no more


@dataclass
class Follower:
    """Follow a meter: called a few times a second, it says how far the run is."""

    plans: Sequence[Plan]
    clock: Callable[[], float] = time.monotonic
    begun: float | None = None
    _paces: list[Pace] = field(default_factory=list)

    def look(self, meter: Meter) -> Progress:
        """Look at the meter's counters."""
        now = self.clock()
        if self.begun is None:
            self.begun = now
            self._paces = [Pace() for _ in (*self.plans, "whole")]
        arms = [self._view(*each, now) for each in zip(self.plans, meter.arms, self._paces)]
        whole = Tally(
            meter.items,
            meter.deferred,
            meter.judgments,
            meter.bought,
            meter.reused,
            int(meter.tokens.prompt + meter.tokens.completion),
        )
        plan = Plan(
            "",
            sum(plan.items for plan in self.plans),
            sum(plan.judgments for plan in self.plans),
            any(plan.at_most and view.state != "done" for plan, view in zip(self.plans, arms)),
        )
        return Progress(
            seconds=now - self.begun,
            whole=self._view(plan, whole, self._paces[-1], now, rest=sum(map(count_rest, arms))),
            arms=arms,
            deferred=meter.deferred,
            tokens=whole.tokens,
            dollars=meter.spent.dollars,
            unusable={status: count for status, count in meter.statuses.items() if status != "ok"},
            faults=dict(meter.faults),
            in_flight=meter.in_flight,
            stopped=None if meter.stopped is None else str(meter.stopped),
        )

    def _view(self, plan: Plan, tally: Tally, pace: Pace, now: float, rest: float | None = None) -> View:
        pace.add(now, tally.judgments, tally.tokens)
        view = View(
            plan=plan,
            items=tally.items,
            judgments=tally.judgments,
            bought=tally.bought,
            reused=tally.reused,
            rate=pace.find_rate(),
            tokens_rate=pace.find_rate(1),
            seconds_left=None,
        )
        left = pace.find_seconds_left(count_rest(view) if rest is None else rest)
        return replace(view, seconds_left=None if tally.deferred else left)


def count_rest(view: View) -> float:
    """Count the judgments that are still to come, at most: an item that stopped early leaves nothing to do."""
    plan = view.plan
    rest = max(0, plan.judgments - view.judgments)
    return min(rest, plan.judgments * (1 - view.items / plan.items)) if plan.at_most and plan.items else rest
