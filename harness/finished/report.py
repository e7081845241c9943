"""The command that reports any finished runs together.

    judgescale report FOLDER …

In a checkout, `python -m harness.finished.report` is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.errors import explain_error
from judgescale.harness.finished.gathering import Gathered, gather
from judgescale.harness.finished.rivals import (
    BEATEN,
    FRONTIER,
    NOT_TOLD,
    UNITS,
    Choice,
    Fall,
    Gain,
    Group,
    Standing,
    choose_for_budget,
    find_falls,
    find_frontier,
    get_cost,
    make_groups,
    measure_gains,
)
from judgescale.harness.finished.wording import format_p, write_files, write_markdown_list, write_markdown_table
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.readings import find_own_published
from judgescale.harness.report.tables import escape_markdown
from judgescale.harness.report.text import UNKNOWN, format_interval, format_mc_error, format_percent, format_points
from judgescale.harness.rounding import write_rounded
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.types import CurvePoint, JudgescaleError

if TYPE_CHECKING:
    from rich.console import Console

EXPLAIN = """\
Report finished runs together: one table, one figure, which arm at which k is worth its cost.

  judgescale report results/sweeps/NAME                all jobs of a sweep, also while it goes on
  judgescale report results/runs results/sweeps        everything there is
  judgescale report DIR --unit dollars --budget 0.01   the best for a cent an item

A point is called beaten only where one that costs no more is told above it, on the same items, all comparisons granted.
"""
SAYS = {
    "judgments": "judgments an item",
    "tokens": "tokens an item",
    "flops": "floating-point operations an item",
    "dollars": "dollars an item",
}
ROW = ("arm", "k", "accuracy")
CSV_HEADER = (
    "group", "task", "arm", "judge", "strategy", "k", "accuracy", "ci_low", "ci_high", "mc_error", "items",
    "judgments_per_item", "tokens_per_item", "flops_per_item", "dollars_per_item", "cost_unit", "shared_accuracy",
    "state", "beaten_by", "beaten_by_k", "below_by", "p_adjusted", "published", "run", "signature",
)  # fmt: skip
FEW = 4  # arms that a line describes one by one
MANY = 8  # names in a line


@dataclass(frozen=True)
class Findings:
    """Hold what a report says of a group of arms."""

    group: Group
    frontier: tuple[Standing, ...]
    choices: tuple[tuple[float, Choice], ...]  # by budget
    gains: tuple[Gain, ...]
    falls: tuple[Fall, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        if given.budget and min(given.budget) <= 0:
            raise JudgescaleError(f"--budget {min(given.budget):g}: must be above 0, in {SAYS[given.unit]}")
        gathered = gather(given.runs)
        found = examine(gathered, given.unit, given.budget or ())
        if given.out:
            write_report(gathered, found, given.unit, given.out)
            from judgescale.harness.page.write import NAME, try_to_write, write_page_of

            trouble = try_to_write(write_page_of, list_folders(gathered), given.out / NAME)
        show_report(gathered, found, given.unit)
        if given.out:
            print_line(open_screen(), f"{given.out}/report.{{{'' if trouble else 'html,'}md,csv,png,pdf}}", whole=True)
            if trouble:
                print_line(open_screen(), trouble, "yellow")
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale report", description=EXPLAIN, formatter_class=raw)
    parser.add_argument("runs", nargs="+", type=Path, metavar="FOLDER", help="of a run, a sweep, or of such folders")
    parser.add_argument("--unit", choices=UNITS, default="judgments", help="what an item's cost is counted in")
    parser.add_argument("--budget", type=float, nargs="+", metavar="B", help="the best arm for so much an item")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write report.{html,md,csv,png,pdf} there")
    return parser


def list_folders(gathered: Gathered) -> list[Path]:
    """List the folders of all that was gathered, each once."""
    return list(dict.fromkeys(curve.folder for curve in gathered.curves))


def report_runs(folders: Sequence[Path], out: Path, unit: str = "judgments") -> None:
    """Write the report of these folders to another, and print which points are worth their cost."""
    gathered = gather(folders)
    found = examine(gathered, unit)
    write_report(gathered, found, unit, out)
    screen = open_screen()
    for one in found:
        if lines := describe(one, unit):
            print_line(screen, "")
            print_line(screen, write_heading(one.group), "bold")
            for line in lines:
                print_line(screen, line)


def write_report_of(folders: Sequence[Path], out: Path, note: str, unit: str = "judgments") -> None:
    """Write the report of these folders to another with a note, and print nothing: of a sweep that goes on."""
    gathered = gather(folders)
    write_report(replace(gathered, notes=(note, *gathered.notes)), examine(gathered, unit), unit, out)


def examine(gathered: Gathered, unit: str, budgets: Sequence[float] = ()) -> list[Findings]:
    """Find what is to be said of every group of arms that may be ranked together."""
    return [
        Findings(
            group,
            tuple(find_frontier(group, unit)),
            tuple((budget, choose_for_budget(group, unit, budget)) for budget in budgets),
            tuple(measure_gains(group, unit)),
            tuple(find_falls(group)),
        )
        for group in make_groups(gathered.curves)
    ]


def show_report(gathered: Gathered, found: Sequence[Findings], unit: str, console: Console | None = None) -> None:
    """Print the table of every group, its frontier, and what a reader must know."""
    screen = console or open_screen()
    for one in found:
        print_line(screen, write_heading(one.group), "bold")
        header, rows = make_arms_table(one, unit)
        table = make_table(header[:1], header[1:])
        for row in rows:
            table.add_row(*map(flatten_text, row))
        print_table(screen, table)
        for line in describe(one, unit):
            print_line(screen, line)
        print_line(screen, "")
    for note in gathered.notes:
        print_line(screen, note, "dim")


def write_heading(group: Group) -> str:
    """Write what a group is of."""
    shared = group.shared
    items = f", {len(shared.item):,} items" if shared is not None else ""
    return flatten_text(f"{group.task}{items}, {len(group.curves)} arm{'s' * (len(group.curves) > 1)}")


def make_arms_table(one: Findings, unit: str) -> tuple[list[str], list[list[str]]]:
    """Make the table of a group's arms at their largest k, the highest first."""
    group, gains = one.group, {gain.curve: gain for gain in one.gains}
    metric = flatten_text(group.curves[0].result.headline.metric)
    header = ["arm", "k", f"{metric} [95 %]", short_name(unit), "a doubling"]
    printed = [find_own_published(curve.result).get("overall") for curve in group.curves]
    header += ["publ."] * any(printed)
    order = sorted(range(len(group.curves)), key=lambda c: -group.curves[c].result.headline.value)
    rows = []
    for c in order:
        r, p = group.curves[c].result, printed[c]
        point = next((q for q in group.curves[c].points if q.k == r.k), group.curves[c].points[-1])
        value = (
            f"{format_percent(r.headline.value)}{format_mc_error(r.headline.mc_error)} {format_interval(r.headline.ci)}"
        )
        gain = gains.get(c)
        cells = [group.names[c], f"≤{r.k}" if r.stops else str(r.k), value, format_cost(get_cost(point, unit))]
        cells += [f"{format_points(gain.slope)} {format_ends(gain)}".strip() if gain else ""]
        rows.append(cells + ([format_percent(p.value) if p else ""] if any(printed) else []))
    return header, rows


def describe(one: Findings, unit: str) -> list[str]:
    """Say in lines what a group's frontier is, what is best for a budget, which curves fall, and how to read it."""
    group = one.group
    lines = [f"not ranked with the arms above: {reason}" for reason in group.about]
    if (shared := group.shared) is not None and any(shared.left_out):
        most = max(shared.left_out)
        lines.append(f"ranked on the items that all share; up to {most:,} of an arm are not among them")
    if shared is None:
        lines.append("only means are known of these: they are compared as if they had judged different items")
    if len(group.curves) > 1:
        lines += describe_frontier(one, unit)
    if unknown := [name for c, name in enumerate(group.names) if c not in {s.curve for s in one.frontier}]:
        lines.append(f"not held against each other, for their {unit} are unknown: {join(unknown)}")
    for budget, choice in one.choices if one.frontier else ():
        lines += describe_choice(group, choice, unit, budget)
    lines += [describe_fall(group, fall) for fall in one.falls]
    judges = {curve.result.judge for curve in group.curves}
    without = [name for name, c in zip(group.names, group.curves) if c.result.compute.get("prompt_tokens") is None]
    if unit == "tokens" and 0 < len(without) < len(group.curves):
        lines.append(f"their prompt tokens are unknown, so that they look cheaper than they are: {join(without)}")
    if unit == "judgments" and len(judges) > 1:
        lines.append("one judge's judgment may cost more than another's: --unit tokens, flops or dollars")
    return lines


def describe_frontier(one: Findings, unit: str) -> list[str]:
    """Say which points are on the frontier, which are beaten, and which are not told apart from a cheaper one."""
    group = one.group
    on, sure = ([s for s in one.frontier if s.state == FRONTIER and s.sure >= least] for least in (False, True))
    lines = []
    if on:
        steps = [
            f"{name_point(group, s.curve, s.point)} {format_percent(s.value)} at {format_cost(s.cost)}" for s in sure
        ]
        between = (
            f"; {len(on) - len(sure)} more are not told above a cheaper one of these" if len(on) > len(sure) else ""
        )
        lines.append(f"frontier, in {SAYS[unit]}: {join(steps)}{between}")
    for state, words in ((BEATEN, "beaten at no higher cost"), (NOT_TOLD, "below, yet not told apart")):
        told, whole = [], []
        for c, name in enumerate(group.names):
            those = [s for s in one.frontier if s.curve == c and s.state == state]
            if those:
                ks = ", ".join(str(s.point.k) for s in sorted(those, key=lambda s: s.point.k))
                worst = min(those, key=lambda s: s.gap)
                assert worst.by is not None
                by = f"{group.names[worst.by[0]]} k={worst.by[1]}"
                told.append(f"{name} at k={ks} (by up to {format_points(-worst.gap).lstrip('+')} points, by {by})")
                if len(those) == len(group.curves[c].points):
                    whole.append(name)
        if len(told) > FEW:
            at_some = f"; {len(told) - len(whole)} more arms at some k" if len(told) > len(whole) else ""
            lines.append(f"{words}: at every k {join(whole) or 'none'}{at_some} (report.csv has each)")
        elif told:
            lines.append(f"{words}: {join(told)}")
    return lines


def describe_choice(group: Group, choice: Choice, unit: str, budget: float) -> list[str]:
    """Say which arm is the best for a budget, how surely, and how far luck may have chosen it."""
    within = f"for {format_cost(budget)} {SAYS[unit]}"
    if not choice.candidates:
        return [f"{within}: no arm has a point within it"]
    first, *others = choice.candidates
    told = f"{name_point(group, first.curve, first.point)}, {format_percent(first.value)}"
    dear = [f"no point within it: {join([group.names[c] for c in choice.too_dear])}"] if choice.too_dear else []
    if not others:
        return [f"{within}: {told}, the only arm within it", *dear]
    rivals = [c for c in others if c.may_be_best]
    lines = []
    if choice.is_told:
        p = format_p(max(c.p or 0.0 for c in others))
        rest = "the other" if len(others) == 1 else f"all {len(others)} others"
        lines.append(f"best {within}: {told}, told above {rest} (p at most {p})")
    else:
        names = [
            f"{name_point(group, c.curve, c.point)} {format_percent(c.value)} ({format_chance(c.chance)})"
            for c in rivals
        ]
        lines.append(
            f"{within} none is told the best: {told} is the highest ({format_chance(first.chance)}), and not told apart"
            f" from {join(names)}"
        )
    if isfinite(choice.luck):
        lines.append(
            f"in brackets how often it is the highest where the items are drawn anew; were all {len(choice.candidates)}"
            f" equally good, the highest would look {format_points(choice.luck).lstrip('+')} points better than it is"
        )
    return [*lines, *dear]


def describe_fall(group: Group, fall: Fall) -> str:
    """Say that a curve falls."""
    gap = format_points(-fall.gap)
    return (
        f"falls: {group.names[fall.curve]}, from {format_percent(fall.top.estimate.value)} at k={fall.top.k} to"
        f" {format_percent(fall.end.estimate.value)} at k={fall.end.k} ({gap} points, p {format_p(fall.p)})"
    )


def write_report(gathered: Gathered, found: Sequence[Findings], unit: str, folder: Path) -> None:
    """Write report.md, report.csv, report.png and report.pdf into a folder."""
    from judgescale.harness.finished.report_figure import draw_report

    pages = ["![accuracy against cost](report.png)"]
    for one in found:
        header, rows = make_arms_table(one, unit)
        pages += [f"### {escape_markdown(write_heading(one.group))}", write_markdown_table(header, rows)]
        pages.append(write_markdown_list(describe(one, unit)))
    pages += [write_markdown_list(gathered.notes), write_markdown_list([LEGEND])]
    text = "\n\n".join(filter(None, pages)) + "\n"
    write_files(folder, {"report.md": text, "report.csv": [CSV_HEADER, *list_csv_rows(found, unit)]})
    draw_report([one.group for one in found], [one.frontier for one in found], unit, folder)


LEGEND = (
    "a doubling: points that a doubling of the cost adds, on average over the curve, with its 95 % interval. beaten: a"
    " point that costs no more is told above it, on the same items; all comparisons of a group are granted together"
)


def list_csv_rows(found: Sequence[Findings], unit: str) -> list[list[Any]]:
    """List a row a point of every arm, fractions 0-1."""
    rows: list[list[Any]] = []
    for number, one in enumerate(found, 1):
        group = one.group
        standings = {(s.curve, s.point.k): s for s in one.frontier}
        for c, curve in enumerate(group.curves):
            r, printed = curve.result, find_own_published(curve.result).get("overall")
            for p in curve.points:
                s = standings.get((c, p.k))
                ends = p.estimate.ci or (None, None)
                costs = [get_cost(p, name) for name in UNITS]
                by = (group.names[s.by[0]], s.by[1], s.gap, s.p) if s and s.by else (None,) * 4
                rows.append(
                    [number, r.task, group.names[c], r.judge, r.strategy, p.k, p.estimate.value, *ends]
                    + [p.estimate.mc_error or None, p.estimate.items, *costs, unit, s.value if s else None]
                    + [s.state if s else None, *by, printed.value if printed and p.k == r.k else None]
                    + [str(curve.folder), r.signature]
                )
    return rows


def join(names: Sequence[str]) -> str:
    """Join names that may hold commas, the first ones of many."""
    more = f"; and {len(names) - MANY} more" if len(names) > MANY else ""
    return "; ".join(names[:MANY]) + more


def name_point(group: Group, curve: int, point: CurvePoint) -> str:
    """Name an arm at a k."""
    return f"{group.names[curve]} k{'≤' if group.curves[curve].result.stops else '='}{point.k}"


def short_name(unit: str) -> str:
    """Name a unit as a column's heading."""
    return {"judgments": "judgm./item", "tokens": "tokens/item", "flops": "FLOPs/item", "dollars": "$/item"}[unit]


def format_cost(cost: float | None) -> str:
    """Format a cost: 2.04, 31,250 or 1.2e+12; a dash where it is unknown."""
    if cost is None or not isfinite(cost):
        return UNKNOWN
    if cost >= 1e9:
        return f"{cost:.2e}"
    if cost >= 100:
        return f"{cost:,.0f}"
    return f"{cost:.3g}" if cost < 1 else write_rounded(cost, 2).removesuffix("0").removesuffix(".0")


def format_chance(chance: float) -> str:
    """Format a chance in percent."""
    return f"{100 * chance:.0f} %" if isfinite(chance) else UNKNOWN


def format_ends(gain: Gain) -> str:
    """Format the interval of a gain in points."""
    return f"[{format_points(gain.interval[0])}, {format_points(gain.interval[1])}]" if gain.interval else ""


if __name__ == "__main__":
    main()
