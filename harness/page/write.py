"""Write the page of finished runs: one file that holds everything and loads nothing.

The only script and the only style that may run are our own, whose digests its policy names. What a model or a data set
wrote is text, escaped by the template, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from judgescale.harness.errors import explain_error
from judgescale.harness.finished.gathering import Gathered, drop_duplicates, fold_curves, read_curves
from judgescale.harness.finished.report import describe, examine, make_arms_table, write_heading
from judgescale.harness.finished.rivals import measure_work
from judgescale.harness.finished.run import FinishedRun, read_run
from judgescale.harness.finished.wording import write_files
from judgescale.harness.page import curves, health, parts
from judgescale.harness.page.arms import PageArm, list_arms
from judgescale.harness.page.charts import draw_key
from judgescale.harness.page.games import pack_games
from judgescale.harness.page.items import make_items_part
from judgescale.harness.plain_text import escape_controls, flatten_text
from judgescale.harness.report.files import DRAFT
from judgescale.harness.report.readings import group_by_task
from judgescale.harness.types import Item, JudgescaleError

HERE = Path(__file__).parent
SCRIPTS = ("page.js", "items.js", "games.js")  # in this order they are one script, as the styles are one
STYLES = ("page.css", "items.css", "games.css")
NAME = "report.html"
SECOND = 50_000_000  # of what `measure_work` counts, on one core
AT_ONCE, PATIENCE = SECOND, 15 * SECOND  # the most that a run's own page spends on the frontier, and any other page


@dataclass(frozen=True)
class Origin:
    """Hold where a run of the page is from: its name, when and how it was made, and its config."""

    name: str
    date: str
    command: str
    config: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Block:
    """Hold what a page shows of one benchmark, but for its pictures of curves."""

    number: int
    task: str
    headlines: Sequence[parts.Headline]
    context: Sequence[tuple[str, str, str, str]]
    sections: parts.Grid | None
    subsets: parts.Grid | None
    notes: Sequence[tuple[str, str]]
    details: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Ranking:
    """Hold what is said of the frontier of arms that may be ranked together."""

    heading: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[str]


def write_page(runs: Sequence[FinishedRun], path: Path, texts: bool = True, at_once: bool = False) -> None:
    """Write the page of runs, side by side where they are several.

    texts: whether it holds the texts of items and judgments. at_once: whether somebody waits for the run that it is of,
    so that a frontier that takes seconds is left out. Raises JudgescaleError where a run's files are not what a run
    writes.
    """
    path.write_text(render_page(runs, texts, at_once), encoding="utf-8", newline="\n")


def write_page_of(folders: Sequence[Path], path: Path, texts: bool = True, options: Sequence[str] = ()) -> None:
    """Write the page of runs' folders; a run whose config says report.texts=false gives no texts.

    options: of their tasks, as in task.path=FILE, where texts have moved. Raises JudgescaleError as `read_run` does.
    """
    runs = [read_run_for_page(folder, texts, options) for folder in folders]
    write_files(path.parent, {path.name: render_page(runs, texts)})


def read_run_for_page(folder: Path, texts: bool = True, options: Sequence[str] = ()) -> FinishedRun:
    """Read a run, with no texts where it was not to show any."""
    if texts and says_texts(folder):
        return read_run(folder, options)
    run = read_run(folder, items={})
    return replace(run, judgments=drop_texts(run.judgments))


def says_texts(folder: Path) -> bool:
    """Tell whether a run's config lets its page hold texts."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return OmegaConf.select(OmegaConf.load(folder / "config.yaml"), "report.texts", default=True) is not False
    except (OSError, OmegaConfBaseException, ValueError, AttributeError):
        return True


def drop_texts(judgments: Any) -> Any:
    """Return judgments without what their judges wrote."""
    import pyarrow as pa

    place = judgments.column_names.index("text")
    return judgments.set_column(place, "text", pa.nulls(len(judgments), pa.string()))


def write_page_of_run(folder: Path, path: Path, items: Mapping[str, Mapping[str, Item]], texts: bool = True) -> None:
    """Write the page of a run that just ended. items: those that have texts, by task and id."""
    run = read_run(folder, items=items if texts else {})
    without = "recorded by name only; judgescale view RUN task.path=FILE_OR_FOLDER gives its texts"
    missing = {task: without for task in group_by_task(run.results) if task not in items}
    run = replace(run, missing=missing if texts else {})
    write_page([run if texts else replace(run, judgments=drop_texts(run.judgments))], path, texts, at_once=True)


def try_to_write(write: Any, *given: Any) -> str:
    """Write a page; where that fails, return one line that says why, for it must not cost a run its files."""
    try:
        write(*given)
    except Exception as error:  # whatever it is: what was measured counts more than its page
        why = explain_error(error).removeprefix("error: ") if isinstance(error, JudgescaleError | OSError) else ""
        why = why or f"{type(error).__name__}: {flatten_text(str(error))[:200]}"
        return f"{NAME} could not be written, all other files are there: {why}"
    return ""


def render_page(runs: Sequence[FinishedRun], texts: bool = True, at_once: bool = False) -> str:
    """Render the page of runs."""
    arms = list_arms(runs)
    if not arms:
        raise JudgescaleError("a page needs a run with an arm")
    numbers, looks = curves.number_tasks(arms), curves.choose_looks(arms)
    of_task = {task: [arm for arm in arms if arm.task == task] for task in numbers}
    several = len(of_task) > 1
    pictures = [curves.make_curves(task, numbers[task], own, looks) for task, own in of_task.items()]
    panels, left_out = health.draw_panels(arms)
    part = make_items_part(runs, arms, texts, pack_games)
    script, style = join_static(SCRIPTS), join_static(STYLES)
    page: str = (
        make_environment()
        .get_template("template.html.jinja")
        .render(
            policy=write_policy(script, style),
            script=Markup(script),
            style=Markup(style),
            title=name_page(runs, arms),
            arms=arms,
            blocks=[make_block(numbers[task], task, own, looks) for task, own in of_task.items()],
            pictures=pictures,
            axes={unit: words for unit, (words, _) in curves.AXES.items() if any(unit in p.pictures for p in pictures)},
            units=list(curves.AXES),
            keys={arm.place: draw_key(looks[arm.place]) for arm in arms},
            quiet_keys={arm.place: draw_key(looks[arm.place], quiet=True) for arm in arms},
            rankings=rank(runs, at_once),
            cards=[(name_run(run), card) for run in runs if (card := parts.read_card(run.folder))],
            health_header=health.HEADER,
            health=health.list_health(arms, several),
            flips=health.find_flip_matrices(runs),
            winners=health.WINNERS,
            panels=panels,
            left_out=left_out,
            compute=parts.make_compute(arms, several),
            origins=[describe_origin(run) for run in runs],
            items=part,
            several=several,
        )
    )
    return page.lstrip()


def make_block(number: int, task: str, arms: Sequence[PageArm], looks: Mapping[int, int]) -> Block:
    """Make what the page shows of one benchmark."""
    return Block(
        number,
        task,
        parts.list_headlines(arms, looks),
        parts.list_printed_context(arms),
        parts.make_sections(arms, "sections"),
        parts.make_sections(arms, "subsets"),
        parts.list_notes(arms),
        parts.list_details(arms),
    )


def name_page(runs: Sequence[FinishedRun], arms: Sequence[PageArm]) -> str:
    """Name a page: by its benchmarks, and by its judge or strategy where there is only one."""
    tasks = list(dict.fromkeys(arm.task for arm in arms))
    judges, strategies = {arm.result.judge for arm in arms}, {arm.result.strategy for arm in arms}
    words = [parts.join_names(tasks, 4)]
    words += [judges.pop()] if len(judges) == 1 else [f"{len(judges)} judges"]
    words += [strategies.pop()] if len(strategies) == 1 else [f"{len(arms)} arms"] if len(judges) == 0 else []
    return ", ".join(words) + (f", {len(runs)} runs" if len(runs) > 1 else "")


def rank(runs: Sequence[FinishedRun], at_once: bool = False) -> list[Ranking] | str:
    """Say of all arms that may be ranked together which points are worth their cost; nothing where they are too many.

    A line says so instead where that takes too long. A run without credits is ranked by its means.
    """
    arms = list_arms(runs)
    if len(arms) == 1 and len(curves.list_points(arms[0])) <= 1:
        return []
    work = sum(measure_work(*counts) for counts in count_points(arms))
    if work > (AT_ONCE if at_once else PATIENCE):
        told = "judgescale report FOLDER" if work > PATIENCE else "judgescale view FOLDER --again"
        return f"To hold so many points against each other takes a while: {told} does it."
    every = [curve for run in runs for curve in read_curves(run.folder, run.credits)]
    kept, notes = drop_duplicates(every)
    gathered = Gathered(tuple(fold_curves(kept)), tuple(notes))
    dearest = max((p.judgments_per_item for c in gathered.curves for p in c.points), default=1.0)
    budgets = [dearest / 2]  # one is enough to show what `judgescale report --budget` tells
    found = []
    for one in examine(gathered, "judgments", budgets if len(gathered.curves) > 1 else ()):
        header, rows = make_arms_table(one, "judgments")
        lines = [line.replace(" (report.csv has each)", "") for line in describe(one, "judgments")]
        found.append(Ranking(write_heading(one.group), header, rows, lines))
    return found


def count_points(arms: Sequence[PageArm]) -> list[tuple[list[int], int]]:
    """Count, of each benchmark, the points of every arm's curve, and the items."""
    of_task: dict[str, list[PageArm]] = {}
    for arm in arms:
        of_task.setdefault(arm.task, []).append(arm)
    return [
        ([max(1, len(curves.list_points(arm))) for arm in own], max(arm.result.items for arm in own))
        for own in of_task.values()
    ]


def name_run(run: FinishedRun) -> str:
    """Name a run by its folder: that which its files will stand in, where they are drafts."""
    folder = run.folder.absolute()
    return folder.parent.name if folder.name.startswith(DRAFT) else folder.name


def describe_origin(run: FinishedRun) -> Origin:
    """Say where a run's numbers are from. Its config has no secrets, which no file of a run has."""
    config = run.folder / "config.yaml"
    versions = {str(k): str(v) for k, v in dict(run.summary[0].get("versions") or {}).items() if v}
    return Origin(
        name_run(run),
        run.date,
        run.command,
        config.read_text(encoding="utf-8", errors="replace") if config.is_file() else "",
        versions,
    )


@cache
def join_static(names: Sequence[str]) -> str:
    """Join our scripts, or our styles, in their order: those that there are."""
    texts = [path.read_text(encoding="utf-8") for name in names if (path := HERE / "static" / name).is_file()]
    return "\n" + "\n".join(texts)


def write_policy(script: str, style: str) -> str:
    """Write the policy of the page: nothing runs, and nothing is loaded, but what has these digests."""
    ours, looks = (
        base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") for text in (script, style)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{ours}'; style-src 'sha256-{looks}'; img-src data:; base-uri 'none';"
        " form-action 'none'; require-trusted-types-for 'script'"
    )


@cache
def make_environment() -> Any:
    """Make the template's surroundings: every text is escaped, and what steers a page's text is shown instead."""
    import jinja2

    def show(value: object) -> object:
        """Show what steers a text's direction, in place of letting it."""
        return escape_controls(value) if type(value) is str else value

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined, finalize=show,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["lines"] = lambda text: [escape_controls(line) for line in text.splitlines()]
    return environment
