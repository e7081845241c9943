"""What a person sees on the terminal before a run buys, and when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.health_lines import list_health_lines
from judgescale.harness.report.readings import (
    OVERALL,
    find_own_published,
    find_value_at,
    fold_points,
    format_judgments_per_item,
    format_k,
    group_by_task,
    list_smaller_ks,
    name_arms,
    tell_apart,
)
from judgescale.harness.report.text import (
    UNKNOWN,
    format_interval,
    format_mc_error,
    format_percent,
    format_points,
)
from judgescale.harness.rounding import write_rounded
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.types import Published, Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from judgescale.harness.live.buying import CostEstimate

DIFFERENCES = 5  # between a task's first arm and each other one that are printed; more say little and take much room
MANY = 8  # arms beyond which the terminal shows what is to be said of all of them only
BREAK_DOWN = 5  # values of a break-down that the terminal shows
FILES = (
    "report.html, summary.json, curve.csv, judgments.parquet, credits.parquet, table.{md,tex,csv}, curve.{png,pdf},"
    " config.yaml"
)


def show_cost_estimates(
    estimates: Sequence[tuple[str, str, str, CostEstimate]],
    notes: Sequence[str] = (),
    title: str = "",
    console: Console | None = None,
) -> None:
    """Print what a live run would buy, one line an arm: (judge, strategy, task, estimate) each, and the total.

    title: whose estimates these are, where others follow.
    """
    from rich.text import Text

    from judgescale.harness.live.buying import add_estimates

    screen = console or open_screen()
    if title:
        screen.print()
        print_line(screen, title, "bold")
    elif not estimates:
        screen.print("nothing to buy: the judgments are recorded")
        return
    table = make_table(
        ["judge", "strategy", "task"],
        ["judg-\nments", "answers\nto buy", "prompt\ntokens", "compl.\ntokens", "\ndollars", "\nFLOPs"],
    )

    def format_numbers(e: CostEstimate) -> list[str]:
        price = UNKNOWN if e.dollars is None else f"{e.dollars:,.2f}"
        flops = UNKNOWN if e.flops is None else f"{e.flops:.1e}"
        return [
            f"{e.judgments:,}",
            f"{e.lacking:,}",
            f"{e.tokens.prompt:,.0f}",
            f"{e.tokens.completion:,.0f}",
            price,
            flops,
        ]

    for judge, strategy, task, e in estimates:
        table.add_row(*map(Text, map(flatten_text, (judge, strategy, task))), *format_numbers(e))
    if len(estimates) > 1:
        _, *total = format_numbers(add_estimates([e for *_, e in estimates]))  # arms share judgments
        table.add_row("total", "", "", "", *total)
    if estimates:
        print_table(screen, table)
    if all(e.measured for *_, e in estimates):
        basis = ["tokens as in the judge's answers so far"] if estimates else []
    else:
        basis = ["prompt tokens at 4 characters each; completion tokens at the most that sampling.max_tokens allows"]
    for note in (*basis, *notes):
        print_line(screen, note, "dim")


def show_notes(notes: Sequence[str], console: Console | None = None) -> None:
    """Print what must be known before work starts, a line each."""
    screen = console or open_screen()
    for note in notes:
        print_line(screen, flatten_text(note), "yellow")


def show_results(
    results: Sequence[Result],
    folder: Path,
    next_commands: Sequence[str],
    console: Console | None = None,
    written: str = FILES,
) -> None:
    """Print the results, what to know about them, where they are and what to try next. written: the files there."""
    screen = console or open_screen()
    grouped = group_by_task(results)
    shared = _find_shared_notes(results) if len(grouped) > 1 else []
    for task, every in grouped.items():
        arms = fold_points(every)
        screen.print()
        print_line(screen, _write_heading(task, arms), "bold")
        print_table(screen, _make_screen_table(arms, list_smaller_ks(every)))
        names = name_arms(arms)
        for name, r in zip(names, arms, strict=True):
            if len(arms) <= 12 and len(r.sections) <= 8 and (told := _describe_sections(r)):
                print_line(screen, (f"{name}: " if len(arms) > 1 else "") + told)
        for note in _keep_common_notes(arms, _list_notes(arms, names), names):
            if note not in shared:
                print_line(screen, note, "dim")
        for name, r in zip(names, arms, strict=True):
            prefix = f"{name}, " if len(arms) > 1 and r.details else ""
            for label, value in r.details.items():
                print_line(screen, f"{prefix}{flatten_text(label)}: {_format_detail(label, value)}")
        for signature in _list_signatures(arms)[: 1 if len(arms) > MANY else None]:
            print_line(screen, signature, "dim", whole=True)
    screen.print()
    for note in shared:
        print_line(screen, f"All: {note}", "dim")
    print_line(screen, f"{flatten_text(str(folder))}/", whole=True)
    drawn = ["games.parquet"] * (folder / "games.parquet").is_file()
    drawn += ["reliability.{png,pdf}"] * (folder / "reliability.png").is_file()
    drawn += ["scorecard.{md,tex,csv}"] * (folder / "scorecard.md").is_file()
    drawn += ["run.log"] * (folder / "run.log").is_file()
    files = ", ".join([written, *drawn, *sorted(path.name for path in folder.glob("recorded*.parquet"))])
    print_line(screen, f"  {files}", "dim", whole=True)
    for i, command in enumerate(next_commands):
        print_line(screen, ("next  " if i == 0 else "      ") + flatten_text(command), whole=True)


def _make_screen_table(arms: Sequence[Result], smaller: Sequence[int]) -> Table:
    """Make the table of one task's arms, with only those columns that tell something.

    smaller: the ks at which headlines are shown besides.
    """
    from rich.text import Text

    def make_text(text: str) -> Text:  # never markup
        return Text(flatten_text(text))

    printed = [find_own_published(r).get(OVERALL) for r in arms]
    differ = tell_apart(arms)
    judges, strategies = len({r.judge for r in arms}) > 1, len({r.strategy for r in arms}) > 1 or any(differ)
    table = make_table(["judge"] * judges + ["strategy"] * (strategies or not judges), ["k"])
    table.add_column(Text(f"{flatten_text(arms[0].headline.metric)}\n[95 % interval]"), no_wrap=True)
    for k in smaller:
        table.add_column(f"at\nk={k}", justify="right", no_wrap=True)
    table.add_column("judgm.\n/item", justify="right", no_wrap=True)
    if any(printed):
        table.add_column("publ.", justify="right", no_wrap=True)
        table.add_column("delta", justify="right", no_wrap=True)
    for r, p, more in zip(arms, printed, differ, strict=True):
        names = [r.judge] * judges + [", ".join(filter(None, (r.strategy, more)))] * (strategies or not judges)
        error = format_mc_error(r.headline.mc_error)
        value = Text.assemble(
            (f"{format_percent(r.headline.value):>5}", "bold"), f"{error} ", format_interval(r.headline.ci)
        )
        cells = [*map(make_text, names), Text(format_k(r)), value]
        values = [find_value_at(r, k) for k in smaller]
        cells += [Text(format_percent(value) if value is not None else "") for value in values]
        cells.append(Text(format_judgments_per_item(r)))
        if any(printed):
            doubt = "*" if p and p.status != "confirmed" else ""
            cells += [Text(format_percent(p.value) + doubt), Text(_format_delta(p))] if p else [Text(), Text()]
        table.add_row(*cells)
    return table


def _format_delta(p: Published) -> str:
    """Format a difference, and whether judging the same items again may give theirs."""
    told = {True: " in", False: " out", None: ""}[p.inside_judging_again]
    return format_points(p.delta) + told


def _write_heading(task: str, arms: Sequence[Result]) -> str:
    judges, strategies = {r.judge for r in arms}, {r.strategy for r in arms}
    who = arms[0].judge if len(judges) == 1 else arms[0].strategy if len(strategies) == 1 else ""
    about = f"{arms[0].items:,} items" if len({r.items for r in arms}) == 1 else ""
    return flatten_text(", ".join(filter(None, [task, who, about])))


def _describe_sections(r: Result) -> str:
    """Write the sections in one line, with differences in brackets, then the break-downs of all items."""
    theirs = find_own_published(r)
    parts = []
    for name, estimate in r.sections.items():
        delta = f" ({_format_delta(theirs[name])})" if name in theirs else ""
        parts.append(f"{flatten_text(name)} {format_percent(estimate.value)}{delta}")
    beside: dict[str, list[str]] = {}  # a break-down's name once, then its values
    for name, e in r.subsets.items():
        if _is_of_all_sections(r, name):
            group, colon, value = flatten_text(name).partition(": ")
            beside.setdefault(group if colon else "", []).append(f"{value or group} {format_percent(e.value)}")
    told = [f"{group}: {', '.join(of)}" if group else ", ".join(of) for group, of in beside.items()]
    return "; ".join([", ".join(parts)] * bool(parts) + told)


def _is_of_all_sections(r: Result, name: str) -> bool:
    """Tell whether an entry of `subsets` is about items of all sections: a figure of its own, or a short break-down."""
    group, _, value = name.partition(": ")
    if not value:
        return r.subsets[name].metric == name
    values = sum(other.startswith(f"{group}: ") for other in r.subsets)
    return group not in r.sections and 1 < values <= BREAK_DOWN


def _find_shared_notes(results: Sequence[Result]) -> list[str]:
    """Find the notes that every arm of every task has."""
    return [
        note for note in map(flatten_text, results[0].notes) if all(note in map(flatten_text, r.notes) for r in results)
    ]


def _list_notes(arms: Sequence[Result], names: Sequence[str]) -> list[str]:
    """List each note once, after the names of its arms where it is not about all of them."""
    holders: dict[str, list[str]] = {}
    compared = sum(bool(r.differences) for r in arms)
    for r, name, health in zip(arms, names, list_health_lines(arms), strict=True):
        notes = [note for note in r.notes if compared <= DIFFERENCES or note not in r.differences]
        for note in dict.fromkeys(
            map(
                flatten_text,
                filter(
                    None,
                    [_describe_lost_judgments(r), _describe_ties(r), _describe_effective_votes(r), *health, *notes],
                ),
            )
        ):
            holders.setdefault(note, []).append(name)
    lines = [
        note if len(who) == len(arms) or note.startswith(who[0]) else f"{', '.join(who)}: {note}"
        for note, who in holders.items()
    ]
    if compared > DIFFERENCES:
        fewer = "judge.names=[…] of few judges" if len({r.judge for r in arms}) > 1 else "a run of few arms"
        lines.append(
            f"{compared} differences from {names[0]}, with intervals, are in the notes of summary.json; {fewer} shows"
            " them here"
        )
    printed = [p for r in arms if (p := find_own_published(r).get(OVERALL))]
    doubts = [f" (* {p.status})" if p.status != "confirmed" else "" for p in printed]
    sources = [flatten_text(f"published: {p.source}{doubt}") for p, doubt in zip(printed, doubts, strict=True)]
    if sources:
        sources.append("delta, and brackets: ours minus published, in points")
        if any(p.inside_judging_again is not None for r in arms for p in r.published):
            sources.append("in, out: judging the same items again may give the published number, or hardly does")
    return lines + list(dict.fromkeys(sources))


def _keep_common_notes(arms: Sequence[Result], notes: Sequence[str], names: Sequence[str]) -> list[str]:
    """Keep, where there are many arms, the notes that are not about single ones; the others are in the files."""
    if len(arms) <= MANY:
        return list(notes)
    single = tuple(f"{name}{end}" for name in names for end in (":", ","))
    kept = [note for note in notes if not note.startswith(single)]
    return [*kept, f"{len(notes) - len(kept)} notes about single arms are in summary.json, signatures in table.md"]


def _format_detail(label: str, value: object) -> str:
    """Format an accuracy as the table prints it, and an area under the curve as it is."""
    if not isinstance(value, float):
        return UNKNOWN if value is None else flatten_text(str(value))
    return write_rounded(value, 3) if "AUC" in label else format_percent(value)


def _list_signatures(arms: Sequence[Result]) -> list[str]:
    """List the signatures, one line an arm; of several, what they share comes first, once."""
    parts = [flatten_text(r.signature).split("|") for r in arms]
    shared = [part for part in parts[0] if all(part in other for other in parts)]
    if len(arms) == 1 or not shared:
        return ["|".join(part) for part in parts]
    own_parts = ["|".join(p for p in part if p not in shared) for part in parts]
    return ["signature, all: " + "|".join(shared), *dict.fromkeys(f"  and: {own}" for own in own_parts if own)]


REMEDIES = {
    "truncated": " (judge.sampling.max_tokens cuts them)",
    "unparsed": " (their texts are in judgments.parquet)",
}


def _describe_lost_judgments(r: Result) -> str:
    """Say how many judgments could not be used, and, where their texts are kept, what to do about it."""
    statuses = r.health.get("statuses") or {}
    lost = {status: count for status, count in statuses.items() if status != "ok" and count}
    if not lost:
        return ""
    counts = ", ".join(f"{n:,} {status}{REMEDIES.get(status, '') if r.store else ''}" for status, n in lost.items())
    every = r.health.get("judgments")
    return counts + (f" of {every:,} judgments ({sum(lost.values()) / every:.0%})" if every else "")


def _describe_ties(r: Result) -> str:
    """Say how many decisions tie, as far as a reader would see it in a percentage."""
    tied = r.health.get("tied_decisions") or 0.0
    share = format_percent(tied / r.items) if r.items else "0.0"
    return "" if share == "0.0" else f"{share} % of the decisions at k={r.k} tie"


def _describe_effective_votes(r: Result) -> str:
    """Say how many independent votes the judgments are worth, and the judges of a jury."""
    known = {
        name: found for name, found in (r.health.get("effective_votes") or {}).items() if isfinite(found["effective"])
    }
    worth = [f"{v['votes']} {name} are worth {write_rounded(v['effective'], 2)}" for name, v in known.items()]
    errors = " and ".join(write_rounded(v["correlation"], 2) for v in known.values())
    return f"{' and '.join(worth)} independent votes: errors correlate by {errors}" if known else ""
