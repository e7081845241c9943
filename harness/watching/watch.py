"""Watch a run: one look at its counters goes to the terminal, to the log and to a tracker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from judgescale.harness.contracts import RunInfo
from judgescale.harness.live.buying import ModelSpec, Purchase, SpendingLimits, list_asked
from judgescale.harness.live.meter import Meter
from judgescale.harness.report.files import list_versions
from judgescale.harness.report.readings import group_by_task, name_arms
from judgescale.harness.report.text import format_interval, format_percent
from judgescale.harness.types import JudgescaleError, Result, Unfinished
from judgescale.harness.watching.display import print_plain, show_buying
from judgescale.harness.watching.log import NAME, RunLog
from judgescale.harness.watching.progress import Follower, Plan, Progress
from judgescale.harness.watching.tracking import Feed, Told


@dataclass(frozen=True)
class Order:
    """Name a purchase as people call it: judge, how it decides ("voting@8"), task."""

    purchase: Purchase
    names: tuple[str, str, str]


@dataclass(frozen=True)
class RunAbout:
    """Say what is to be watched."""

    folder: Path
    orders: Sequence[Order]  # what it buys
    limits: SpendingLimits
    command: str | None  # the command line, where there was one
    sweep: str | None  # the sweep that it is a job of


@dataclass
class Watch:
    """Hold what watches a run."""

    folder: Path
    plans: Sequence[Plan]
    log: RunLog | None = None  # of a live run
    feed: Feed | None = None  # to a tracker
    sweep: str | None = None

    @contextmanager
    def watch_buying(self) -> Iterator[Callable[[Meter], None]]:
        """Watch the run buy, and yield what is to be called a few times a second meanwhile."""
        follower, last = Follower(self.plans), list[Progress]()
        with show_buying(name=self.folder.name if self.sweep else "") as show:

            def look(meter: Meter) -> None:
                """Look at what was done, and let all see it."""
                last[:] = [progress := follower.look(meter)]
                show(progress)
                if self.log:
                    self.log.look(meter, progress)
                if self.feed:
                    self.feed.log_progress(progress)

            try:
                yield look
            finally:
                if self.log and last:
                    self.log.end_buying(last[0])
                if self.feed and last:
                    self.feed.log_progress(last[0], last=True)

    def tell_results(self, results: Sequence[Result]) -> None:
        """Tell what was found, once it is written."""
        names = name_results(results)
        if self.log:
            for name, r in zip(names, results, strict=True):
                value = f"{format_percent(r.headline.value)} {format_interval(r.headline.ci)}"
                self.log.write(f"result: {name}, k={r.k}: {r.headline.metric} {value}")
            self.log.write(f"finished; the results are beside this file, in {self.folder.name}")
        if self.feed:
            self.feed.log_results(results, names)


def name_results(results: Sequence[Result]) -> list[str]:
    """Give each result a name of its own: its arm's, after its task where there are several."""
    grouped = group_by_task(results)
    names = {task: iter(name_arms(of_task)) for task, of_task in grouped.items()}
    return [f"{r.task}, {next(names[r.task])}" if len(grouped) > 1 else next(names[r.task]) for r in results]


@contextmanager
def watch_run(about: RunAbout, told: Told | None) -> Iterator[Watch]:
    """Watch a run from before it buys until its results are written. A run that buys keeps a log.

    told: which tracker is told of it, if any. Where the run fails, the log says why, and the error where the log is.
    """
    folder, plans, command = about.folder, list_plans(about.orders), about.command or "from Python"
    watch = Watch(folder, plans, RunLog(folder / NAME) if plans else None, None, about.sweep)

    def warn(line: str) -> None:
        """Say once what a tracker's trouble is."""
        print_plain(line)
        if watch.log:
            watch.log.write(line)

    if watch.log:
        watch.log.begin(command, describe_start(about, plans))
    if told:
        facts = {name: str(value) for name, value in list_versions().items()} | {"command": command}
        watch.feed = Feed(told, RunInfo(folder.name, about.sweep, told.read_config(), facts), warn)
    failed = True
    try:
        yield watch
        failed = False
    except BaseException as error:
        if watch.log:
            note_end(watch.log, error)
        raise
    finally:
        if watch.feed:
            watch.feed.finish(folder, failed)
        if watch.log:
            watch.log.close()


def note_end(log: RunLog, error: BaseException) -> None:
    """Write why a run ends early, and let its error say where the log is."""
    if isinstance(error, Unfinished):
        log.write(f"to be continued: {error}")
        return
    what = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    said = str(error) or type(error).__name__
    log.write(said if said.startswith(what) else f"{what}: {said}")
    if log.had_work and str(error) and isinstance(error, JudgescaleError | KeyboardInterrupt):
        error.args = (f"{error}; the log is {log.path}",)


def list_plans(orders: Sequence[Order]) -> list[Plan]:
    """List what every arm has to do, each under what tells it from the others."""
    plans = []
    for number, (order, name) in enumerate(zip(orders, name_apart([order.names for order in orders])), 1):
        strategy, counts = order.purchase.strategy, dict[int, int]()
        for n in map(len, (item.responses for item in order.purchase.items)):
            if n not in counts:
                counts[n] = count_judgments(order.purchase, n)
        total = sum(counts[len(item.responses)] for item in order.purchase.items)
        unnamed = name or f"arm {number}"
        plans.append(Plan(unnamed, len(order.purchase.items), total, strategy.measured))
    return plans


def count_judgments(purchase: Purchase, n: int) -> int:
    """Count the judgments that an arm asks for about n responses; the most where the verdicts decide."""
    strategy = purchase.strategy
    if strategy.adaptive or strategy.across:
        return strategy.judgments(n)
    most: dict[tuple[int, ...], int] = {}
    for question, k in asyncio.run(list_asked(strategy, n)):
        most[question] = max(k, most.get(question, 0))
    return sum(most.values())


def name_apart(names: Sequence[tuple[str, ...]]) -> list[str]:
    """Name each by what not all have in common; where some are alike even so, by its number too."""
    differ = [len(set(column)) > 1 for column in zip(*names)]
    if not any(differ):
        differ = [True] * len(differ)
    told = [", ".join(part for part, tells in zip(each, differ) if tells) for each in names]
    return [f"{name} ({i})" if told.count(name) > 1 else name for i, name in enumerate(told, 1)]


def describe_start(about: RunAbout, plans: Sequence[Plan]) -> list[str]:
    """Describe in a line each what was started: versions, models, arms and limits."""
    orders, limits = about.orders, about.limits
    lines = [", ".join(f"{name} {version}" for name, version in list_versions().items() if version)]
    models = [describe_model(role, spec) for order in orders for role, spec in order.purchase.models.items()]
    lines += dict.fromkeys(models)
    for order, plan in zip(orders, plans):
        most = "at most " if plan.at_most else ""
        what = f"{plan.items:,} items, {most}{plan.judgments:,} judgments"
        lines.append(f"arm: {', '.join(order.names)}: {what}")
    tokens, dollars = limits.budget
    budget = [] if tokens is None else [f"{tokens:,.0f} tokens"]
    budget += [] if dollars is None else [f"${dollars:,.2f}"]
    told = f"store: {limits.store}; budget: {' and '.join(budget) or 'none'}; max_failures: {limits.max_failures:,}"
    lines.append(told)
    return lines


def describe_model(role: str, spec: ModelSpec) -> str:
    """Describe a model, what runs it, and the sampling options that are set."""
    revision = f"@{spec.engine.revision}" if spec.engine.revision else ""
    set_ = {} if spec.sampling is None else vars(spec.sampling)
    options = [f"{name} {value}" for name, value in set_.items() if value is not None]
    return ", ".join([f"{role}: {spec.engine.model}{revision}", f"engine={spec.engine.name}", *options])
