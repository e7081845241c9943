"""How progress is put into words: on the terminal, in a pipe and in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.watching.progress import Progress, View

STATES = ("done", "at work", "waiting")


def write_duration(seconds: float) -> str:
    """Write how long something takes, no more exactly than anybody can know: 12 min, 3 h 20 min, 2 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return "under 1 min"
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(5 * round(minutes / 5), 60)
    if hours < 36:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def write_elapsed(seconds: float) -> str:
    """Write how long something took: 12 s, 5 min."""
    return f"{seconds:.0f} s" if seconds < 90 else write_duration(seconds)


def write_left(view: View) -> str:
    """Write how long the rest takes; "" as long as nobody can know."""
    if view.seconds_left is None or view.state == "done":
        return ""
    told = write_duration(view.seconds_left)
    about = "" if told.startswith("under") else "at most " if view.plan.at_most else "about "
    return f"{about}{told} left"


def write_rate(number: float | None) -> str:
    """Write how many a second; "" as long as nothing is known."""
    if number is None:
        return ""
    return f"{number:,.0f}" if number >= 100 else f"{number:,.1f}" if number >= 0.1 or not number else f"{number:.2g}"


def write_counts(counts: Mapping[str, int]) -> str:
    """Write how many there are of each kind, the most frequent first; names come from servers."""
    return ", ".join(f"{count:,} {flatten_text(kind)}" for kind, count in Counter(dict(counts)).most_common() if count)


def list_rates(view: View) -> list[str]:
    """List how fast an arm or a run goes."""
    parts = [f"{rate} judgments/s"] if (rate := write_rate(view.rate)) else []
    return parts + ([f"{write_rate(view.tokens_rate)} tokens/s"] if view.tokens_rate else [])


def fold_states(progress: Progress) -> str:
    """Write how many arms are done, at work and waiting; "" where there is but one."""
    counts = Counter(view.state for view in progress.arms)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return f"{len(progress.arms)} arms: {told}" if len(progress.arms) > 1 else ""


def describe_view(view: View) -> str:
    """Describe in a line how far an arm or a run is."""
    most = "at most " if view.plan.at_most else ""
    share = f" ({view.items / view.plan.items:.0%})" if view.plan.items else ""
    parts = [
        f"{view.items:,} of {view.plan.items:,} items{share}",
        f"{view.judgments:,} of {most}{max(view.plan.judgments, view.judgments):,} judgments",
        f"{view.bought:,} answers bought",
        f"{view.reused:,} reused",
        *list_rates(view),
        write_left(view),
    ]
    return ", ".join(filter(None, parts))


def describe_total(progress: Progress) -> str:
    """Describe in a line what was done in all; rates are those of the whole time."""
    whole, seconds = progress.whole, max(progress.seconds, 1e-9)
    whole = replace(whole, rate=whole.judgments / seconds, tokens_rate=progress.tokens / seconds)
    return f"in {write_elapsed(seconds)}: {describe_progress(replace(progress, whole=whole))}"


def describe_progress(progress: Progress) -> str:
    """Describe in a line how far a run is, without its arms."""
    dollars = f"${progress.dollars:,.2f}" if progress.dollars else ""
    deferred = f"{progress.deferred:,} items wait for a batch file" if progress.deferred else ""
    stopping = f"stopping, {progress.in_flight:,} still to arrive" if progress.stopped else ""
    faults = f"faults on the way: {told}" if (told := write_counts(progress.faults)) else ""
    parts = [describe_view(progress.whole), dollars, write_counts(progress.unusable), deferred, faults, stopping]
    return "; ".join(filter(None, [*parts, fold_states(progress)]))
