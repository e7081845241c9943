"""The command that shows one item of a finished run.

    judgescale show RUN ITEM

In a checkout, `python -m harness.finished.show` is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.errors import explain_error
from judgescale.harness.finished.games import Course
from judgescale.harness.finished.item import Row, Unit, gather_unit
from judgescale.harness.plain_text import escape_controls, flatten_text
from judgescale.harness.report.text import UNKNOWN, format_percent
from judgescale.harness.rounding import write_rounded
from judgescale.harness.screen import make_table, open_screen, print_line, print_table
from judgescale.harness.types import Item, JudgescaleError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

EXPLAIN = """\
Show one item of a finished run: question, responses, gold, every judgment, the games of a tournament, and what was
decided at every k.

  judgescale show results/runs/2026-11-28/A Factuality/232
  judgescale show RUN Natural/52 task.path=LLMBar/Dataset     texts of an item that was recorded by name
"""
LINES = 30  # of one text that are printed


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the item; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        if wrong := [option for option in given.options if not option.startswith("task.") or "=" not in option]:
            raise JudgescaleError(f"{flatten_text(wrong[0])}: give only options of the task here, as task.path=FILE")
        show_unit(gather_unit(given.run, given.item, given.options, given.task), None if given.full else LINES)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="judgescale show", description=EXPLAIN, formatter_class=raw)
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    parser.add_argument("item", metavar="ITEM", help="its id, or an end of it that no other item has")
    parser.add_argument("options", nargs="*", metavar="task.OPTION=VALUE", help="where the texts are, if they moved")
    parser.add_argument("--task", help="of a run with several benchmarks")
    parser.add_argument("--full", action="store_true", help=f"texts whole, not their first {LINES} lines")
    return parser


def show_unit(unit: Unit, lines: int | None, console: Console | None = None) -> None:
    """Print what is known of a unit. lines: how many of each text are printed; None = all."""
    screen = console or open_screen()
    one = (unit.credits or unit.judgments)[0]
    about = [f"{name} {flatten_text(one[name])}" for name in ("subset", "cluster") if one[name] not in ("", unit.name)]
    heading = ", ".join([f"{flatten_text(unit.task)}, {flatten_text(unit.name)}", *about])
    print_line(screen, heading, "bold")
    of_items: dict[str, list[Row]] = {}
    for row in unit.judgments:
        of_items.setdefault(row["item"], []).append(row)
    texts = {item.id: item for item in unit.items}
    for name in of_items or {unit.name: []}:
        if len(of_items) > 1:
            print_line(screen, f"item {flatten_text(name)}", "bold")
        _show_item(screen, texts.get(name), of_items.get(name, []), lines)
        for course in unit.courses:
            if course.about["item"] == name:
                _show_course(screen, course, list_responses(texts.get(name), of_items.get(name, [])), lines)
    if unit.missing:
        print_line(screen, f"no texts: {unit.missing}", "dim")
    if unit.credits:
        print_line(screen, "")
        print_table(screen, tabulate_decisions(unit.credits))
        print_line(
            screen,
            "decision: how likely each response is the one chosen, in percent, m tied ones 1/m each; less than 100 in"
            " all where no judgment was usable; gold marked *",
            "dim",
        )
    else:
        print_line(screen, "It is scored together with others: no credit of its own.", "dim")


def _show_item(screen: Console, item: Item | None, judgments: Sequence[Row], lines: int | None) -> None:
    """Print an item's question, its responses with their gold, and its judgments."""
    for role, content in item.conversation if item else ():
        print_line(screen, f"{flatten_text(role)}:", "bold")
        _print_text(screen, content, lines)
    for place, (name, gold) in enumerate(list_responses(item, judgments)):
        told = f"response {place + 1}" + (f" ({flatten_text(name)})" if name != str(place + 1) else "")
        print_line(screen, f"{told}: gold {UNKNOWN if gold is None else f'{gold:g}'}", "bold")
        if item and place < len(item.texts):
            _print_text(screen, item.texts[place], lines)
    if judgments:
        print_line(screen, "")
        print_table(screen, tabulate_judgments(judgments, len(list_responses(item, judgments))))
    for number, row in enumerate(judgments, 1):
        if row["text"]:
            print_line(screen, f"judgment {number}:", "bold")
            _print_text(screen, row["text"], lines)


def list_responses(item: Item | None, judgments: Sequence[Row]) -> list[tuple[str, float | None]]:
    """List the names of an item's responses and their gold: of the item, or as far as its judgments saw them."""
    if item:
        return list(zip(item.responses, item.gold, strict=True))
    seen = {
        place: (name, gold)
        for row in judgments
        for place, name, gold in zip(row["shown"], row["responses"], row["gold"], strict=True)
    }
    return [seen.get(place, ("?", None)) for place in range(max(seen, default=-1) + 1)]


def tabulate_judgments(judgments: Sequence[Row], responses: int) -> Table:
    """Make the table of an item's judgments: a column of scores for each response, in whatever order it was shown."""
    variants, meta = any(row["variant"] for row in judgments), any(row["meta"] is not None for row in judgments)
    numbers = [f"response\n{place + 1}" for place in range(responses)]
    table = make_table(["judge", *["variant"] * variants], ["sample", "shown", *numbers, *["meta"] * meta, "status"])
    for number, row in enumerate(judgments, 1):
        scores: dict[int, Any] = dict(zip(row["shown"], row["scores"] or (), strict=False))
        cells = [f"{number}. {flatten_text(row['judge'])}", *[flatten_text(row["variant"])] * variants]
        cells += [str(row["sample"]), " ".join(str(place + 1) for place in row["shown"])]
        cells += [_format_score(scores.get(place)) for place in range(responses)]
        table.add_row(*cells, *[_format_score(row["meta"])] * meta, flatten_text(row["status"]))
    return table


def _show_course(screen: Console, course: Course, responses: Sequence[tuple[str, Any]], lines: int | None) -> None:
    """Print the games of a tournament, and what they came to."""
    about, golds = course.about, [gold for _, gold in responses if gold is not None]
    best = [golds != [] and len(golds) > 1 and gold == max(golds) for _, gold in responses]
    names = [f"{place + 1}{'*' if right else ''}" for place, right in enumerate(best)]
    names += [str(place + 1) for place in range(len(names), len(course.final))]  # those that no judgment saw
    played = "as it was played" if about["replays"] == 1 else f"the first of {about['replays']} replays"
    print_line(screen, "")
    print_line(screen, f"{flatten_text(about['arm'])}, k={about['k']}: {played}", "bold")
    print_table(screen, tabulate_games(course, names, lines))
    if lines is not None and len(course.games) > lines:
        print_line(screen, f"… {len(course.games) - lines} more games (--full)", "dim")
    scores = [UNKNOWN if score is None else write_rounded(score, 2) for score in course.final]
    told = [f"{name}: {score}" for name, score in zip(names, scores, strict=False)]
    print_line(screen, f"{flatten_text(about['score_name'])}: {', '.join(told)}; gold marked *")


def tabulate_games(course: Course, names: Sequence[str], lines: int | None) -> Table:
    """Make the table of a tournament's games, or of the first of them. names: of the responses, by their places."""
    heads = ["round", "first", "second", "scores", "judgments\nwon", "tied", "unusable", "winner"]
    table = make_table([], heads)
    for game, through in list(zip(course.games, course.through, strict=True))[:lines]:
        winner, coin = game["winner"], "" if through is None else f", by coin {names[through]}"
        unusable = game["judgments"] - game["won_first"] - game["won_second"] - game["tied"]
        table.add_row(
            str(game["round"]),
            names[game["first"]],
            names[game["second"]],
            f"{_format_score(game['score_first'])} : {_format_score(game['score_second'])}",
            f"{game['won_first']} : {game['won_second']}",
            str(game["tied"]),
            str(unusable),
            f"tied{coin}" if winner is None else names[winner],
        )
    return table


def tabulate_decisions(credits: Sequence[Row]) -> Table:
    """Make the table of what every arm decided at every k."""
    gold = credits[0]["gold"]
    right = [len(gold) > 1 and value is not None and value >= max(gold) for value in gold]
    heads = [f"resp.\n{place + 1}{'*' if best else ''}" for place, best in enumerate(right)]
    table = make_table(["arm"], ["k", "judg-\nments", *heads, "credit"])
    for row in credits:
        chances = [format_percent(chance) for chance in row["decision"]]
        taken = write_rounded(row["judgments"]).removesuffix(".0")
        table.add_row(flatten_text(row["arm"]), str(row["k"]), taken, *chances, write_rounded(row["credit"], 3))
    return table


def _format_score(score: float | None) -> str:
    return UNKNOWN if score is None else f"{score:g}"


def _print_text(screen: Console, text: str, lines: int | None) -> None:
    """Print a text that somebody else wrote, indented: nothing in it can steer the terminal."""
    every = [escape_controls(line) for line in text.expandtabs(4).split("\n")]
    shown = every[:lines]
    for line in shown:
        print_line(screen, f"  {line}")
    if len(shown) < len(every):
        print_line(screen, f"  … {len(every) - len(shown)} more lines (--full)", "dim")


if __name__ == "__main__":
    main()
