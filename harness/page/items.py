"""The items of a page: a table of them all, and for each its texts, every judgment and what was decided.

The table is drawn from one block of columns of numbers. Judgments and texts lie in chunks of some hundred KB, each
unpacked only when somebody opens an item in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.page.arms import PageArm
from judgescale.harness.page.chunks import cut_by_size, pack_columns, pack_json
from judgescale.harness.page.item_pairs import compare_pairs
from judgescale.harness.page.item_units import (
    CHANCE,
    COUNTS,
    TaskUnits,
    Unit,
    choose_sources,
    encode,
    find_best,
    gather_units,
    mark_statuses,
    measure_gaps,
    read_lists,
)
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import Item

if TYPE_CHECKING:
    from markupsafe import Markup

DIGITS = re.compile("([0-9]+)")
SNIPPET = 300  # characters of a question that the table searches
NUMBERS = 60_000  # in a chunk of judgments: some 200 KB
CHARACTERS = 300_000  # in a chunk of texts
NOBODY, TIED, NOT_SAID, SEVERAL = -1, -2, -3, -4  # in place of the response that was chosen, see find_choices

PackGames = Callable[[FinishedRun, Sequence[PageArm]], Mapping[tuple[str, str], list[dict[str, Any]]]]


@dataclass(frozen=True)
class ItemsPart:
    """Hold the items' part of a page: its HTML, and blocks of data by the id of their element."""

    html: Markup
    data: Sequence[tuple[str, str]]


def make_items_part(
    runs: Sequence[FinishedRun], arms: Sequence[PageArm], texts: bool, pack_games: PackGames
) -> ItemsPart:
    """Make the items' part of a page. texts=False: no question, response or judgment stands in it.

    pack_games: gives the games of a run that were played about each task's items, for the view of an item.

    Raises JudgescaleError where the files of a run are not of one run.
    """
    data: list[tuple[str, str]] = []
    columns: dict[str, np.ndarray] = {}
    games = _gather_games(runs, arms, pack_games)
    tasks: list[dict[str, Any]] = []
    told: dict[int, dict[str, Any]] = {}
    pairs: list[dict[str, Any]] = []
    for number, task in enumerate(dict.fromkeys(arm.task for arm in arms)):
        found, own = gather_units(runs, arms, task), [arm for arm in arms if arm.task == task]
        items = _find_texts(found, runs, own) if texts else []
        entry, of_arms = _index_task(found, own, number, columns)
        chunks, blocks = _cut_judgments(found, own, number, games)
        entry |= {"rows": chunks, "missing": _say_what_is_missing(runs, own, texts), "lost": found.without_credit}
        data += blocks
        if texts:
            entry["questions"] = [_cut_question(of_unit) for of_unit in items] if any(map(any, items)) else []
            entry["texts"], blocks = _cut_texts(found, items, number)
            data += blocks
        tasks.append(entry)
        told |= of_arms
        pairs += compare_pairs(runs, own)
    packed, where = pack_columns(columns)
    index = {
        "texts": texts,
        "runs": ["" if run.folder.name.startswith(".") else flatten_text(run.folder.name) for run in runs],
        "tasks": tasks,
        "arms": [told[arm.place] for arm in arms],
        "pairs": pairs,
        "columns": where,
    }
    return ItemsPart(_render(), [("items-index", pack_json(index)), ("items-columns", packed), *data])


def _render() -> Markup:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    here = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=here, autoescape=True, undefined=StrictUndefined)
    return Markup(environment.get_template("items.html.jinja").render())


def _gather_games(
    runs: Sequence[FinishedRun], arms: Sequence[PageArm], pack_games: PackGames
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Gather the games of all runs by task and item."""
    games: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for place, run in enumerate(runs):
        for key, of_item in pack_games(run, [arm for arm in arms if arm.run == place]).items():
            games.setdefault(key, []).extend(of_item)
    return games


def _index_task(
    found: TaskUnits, arms: Sequence[PageArm], number: int, columns: dict[str, np.ndarray]
) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Make a task's entry of the index and those of its arms; put what the table needs of each unit into `columns`."""
    units = found.units
    subsets = list(dict.fromkeys(unit.subset for unit in units))
    code = {name: place for place, name in enumerate(subsets)}
    columns[f"{number}/subset"] = np.array([code[unit.subset] for unit in units], dtype=np.uint32)
    keys = [_split_numbers(unit.id) for unit in units]
    by_name = sorted(range(len(units)), key=keys.__getitem__)
    columns[f"{number}/by_name"] = np.array(by_name, dtype=np.uint32)
    groups: dict[tuple[int, ...], int] = {}
    told: dict[int, dict[str, Any]] = {}
    several = np.array([len(unit.parts) > 1 for unit in units], dtype=bool)
    for arm in arms:
        sources = choose_sources(arm, found.sources)
        if sources not in groups:
            groups[sources] = len(groups)
            columns[f"{number}/status/{groups[sources]}"] = mark_statuses(found, sources)
            columns[f"{number}/gap/{groups[sources]}"] = measure_gaps(found, sources)
        ks = sorted(k for place, k in found.credits if place == arm.place)
        for k in ks:
            credits, name = found.credits[arm.place, k], f"{arm.place}/{k}"
            columns[f"credit/{name}"] = credits.credit
            columns[f"choice/{name}"], columns[f"margin/{name}"] = find_choices(credits.chances, found.starts, several)
        told[arm.place] = {
            "task": number,
            "name": flatten_text(arm.name),
            "run": arm.run,
            "judge": flatten_text(arm.result.judge),
            "k": arm.result.k,
            "ks": ks,
            "sources": list(sources),
            "group": groups[sources],
        }
    sources_told = [{"judge": flatten_text(judge), "runs": list(of_runs)} for judge, of_runs in found.sources]
    entry = {
        "name": flatten_text(found.task),
        "ids": [flatten_text(unit.id) for unit in units],
        "subsets": [flatten_text(name) for name in subsets],
        "sources": sources_told,
    }
    return entry, told


def _split_numbers(name: str) -> list[Any]:
    """Split a name so that item 9 comes before item 10: a text, a number with its digits, a text, and so on."""
    parts: list[Any] = DIGITS.split(name)
    parts[1::2] = [(int(digits[:18]), digits) for digits in parts[1::2]]
    return parts


def find_choices(chances: np.ndarray, starts: np.ndarray, several: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find what was chosen of each unit and by what margin: the two largest chances apart, 10,000 = 1.

    In place of a response, the choice may be NOBODY (nothing usable), TIED, NOT_SAID (of a lone response: its chance is
    below one half) or SEVERAL (items that are scored together).
    """
    if len(starts) < 2:
        return np.zeros(0, dtype=np.int16), np.zeros(0, dtype=np.uint16)
    place, times, best, second = find_best(chances, starts)
    lone = np.diff(starts) == 1
    choice = np.where(best <= 0, NOBODY, np.where(times > 1, TIED, place))
    margin = np.where(best <= 0, 0, best - np.maximum(second, 0))
    said = np.where(best * 2 > CHANCE, 0, np.where(best * 2 == CHANCE, TIED, NOT_SAID))
    choice = np.where(lone, np.where(best < 0, NOBODY, said), choice)
    margin = np.where(lone, np.where(best < 0, 0, np.abs(2 * best.astype(np.int64) - CHANCE)), margin)
    return np.where(several, SEVERAL, choice).astype(np.int16), np.where(several, CHANCE, margin).astype(np.uint16)


def _cut_judgments(
    found: TaskUnits, arms: Sequence[PageArm], number: int, games: Mapping[tuple[str, str], list[dict[str, Any]]]
) -> tuple[list[int], list[tuple[str, str]]]:
    """Cut judgments and decisions into chunks: return the first unit of each, and the end, and their blocks."""
    firsts, starts = found.first_judgments, found.starts
    own = [(key, credits) for key, credits in found.credits.items() if key[0] in {arm.place for arm in arms}]
    sizes = 10 * np.diff(firsts) + (len(own) + 2) * np.diff(starts)
    cuts = cut_by_size(sizes, NUMBERS)
    variant, variants = encode(found.judgments["variant"])
    status, statuses = encode(found.judgments["status"])
    counts = {name: found.judgments[name].combine_chunks() for name in COUNTS}
    meta = found.judgments["meta"].to_numpy()
    shown, scores = read_lists(found.judgments["shown"]), read_lists(found.judgments["scores"])
    blocks = []
    for chunk, (first, end) in enumerate(zip(cuts, cuts[1:])):
        a, b = int(firsts[first]), int(firsts[end])
        low, high = int(starts[first]), int(starts[end])
        units = found.units[first:end]
        content: dict[str, Any] = {
            "first": first,
            "section": [None if unit.section == unit.subset else flatten_text(unit.section) for unit in units],
            "cluster": [None if unit.cluster == unit.id else flatten_text(unit.cluster) for unit in units],
            "gold": [list(unit.gold) for unit in units],
            "parts": [_tell_parts(unit) for unit in units],
            "decisions": [
                [*key, credits.chances[low:high].tolist(), np.round(credits.judgments[first:end], 2).tolist()]
                for key, credits in own
            ],
            "judgments": (firsts[first : end + 1] - a).tolist(),
            "part": found.part[a:b].tolist(),
            "source": found.source[a:b].tolist(),
            "variants": [flatten_text(name) for name in variants],
            "variant": variant[a:b].tolist(),
            "statuses": [flatten_text(name) for name in statuses],
            "status": status[a:b].tolist(),
            "meta": _tell_numbers(meta[a:b]),
            **{name: column[a:b].to_pylist() for name, column in counts.items()},
        }
        for name, (ends, values) in (("shown", shown), ("scores", scores)):
            content[f"{name}_ends"] = (ends[a : b + 1] - ends[a]).tolist()
            content[name] = _tell_numbers(values[ends[a] : ends[b]])
        content["games"] = {
            place: games[found.task, unit.id]
            for place, unit in enumerate(units)
            if games and (found.task, unit.id) in games
        }
        blocks.append((f"items-rows-{number}-{chunk}", pack_json(content)))
    return cuts, blocks


def _tell_numbers(values: np.ndarray) -> list[int | float | None]:
    """Tell numbers as JSON has them: whole ones without a fraction, others in 6 digits, None for what is none."""
    finite = np.isfinite(values)
    if finite.all() and (values == np.rint(values)).all() and (np.abs(values) < 2**53).all():
        whole: list[int | float | None] = values.astype(np.int64).tolist()
        return whole
    return [float(f"{value:.6g}") if good else None for value, good in zip(values.tolist(), finite.tolist())]


def _tell_parts(unit: Unit) -> list[list[Any]] | None:
    """Tell an item's names of responses, or the items that are scored together; None where names are but numbers."""
    told = [[flatten_text(item), _tell_names(names)] for item, names in unit.parts]
    return told if len(told) > 1 or any(names for _, names in told) else None


@lru_cache(maxsize=1024)
def _tell_names(names: tuple[str, ...]) -> list[str]:
    """Tell the names of responses; none where they are but numbers."""
    numbers = all(name in (str(place), str(place + 1)) for place, name in enumerate(names))
    return [] if numbers else [flatten_text(name) for name in names]


def _find_texts(found: TaskUnits, runs: Sequence[FinishedRun], arms: Sequence[PageArm]) -> list[list[Item | None]]:
    """Find the item with its texts of every part of every unit; None where there is none, or it is another one."""
    at_hand = [items for run in dict.fromkeys(arm.run for arm in arms) if (items := runs[run].items.get(found.task))]
    if not at_hand:
        return [[None] * max(1, len(unit.parts)) for unit in found.units]
    texts: list[list[Item | None]] = []
    for unit in found.units:
        place, of_unit = 0, []
        for name, responses in unit.parts or ((unit.id, ()),):
            several = len(unit.parts) > 1
            gold = unit.gold[place : place + len(responses)] if several else unit.gold
            place += len(responses)
            alike = (items[name] for items in at_hand if name in items)
            of_unit.append(next((item for item in alike if _is_same(item, responses, gold)), None))
        texts.append(of_unit)
    return texts


def _is_same(item: Item, names: Sequence[str], gold: Sequence[float | None]) -> bool:
    """Tell whether an item has these responses and gold, as far as judgments saw them."""
    seen = len(item.responses) >= len(names) and all(a in ("", b) for a, b in zip(names, item.responses))
    return seen and tuple(item.gold) == tuple(gold)


def _cut_question(items: Sequence[Item | None]) -> str:
    """Cut the last turn of a conversation short: what the table shows and searches."""
    return next((flatten_text(item.conversation[-1][1][:SNIPPET]) for item in items if item and item.conversation), "")


def _cut_texts(
    found: TaskUnits, items: Sequence[Sequence[Item | None]], number: int
) -> tuple[list[int], list[tuple[str, str]]]:
    """Cut texts into chunks, as judgments are: nothing where there are none at all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = found.judgments["text"].cast(pa.large_string()).combine_chunks()
    lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    of_items = [
        sum(len(text) for item in of_unit if item for text in (*(c for _, c in item.conversation), *item.texts))
        for of_unit in items
    ]
    firsts = found.first_judgments
    before = np.concatenate([[0], np.cumsum(lengths)])
    sizes = np.array(of_items, dtype=np.int64) + before[firsts[1:]] - before[firsts[:-1]]
    if not sizes.sum():
        return [], []
    cuts = cut_by_size(sizes, CHARACTERS)
    blocks = []
    for chunk, (first, end) in enumerate(zip(cuts, cuts[1:])):
        a, b = int(firsts[first]), int(firsts[end])
        content = {
            "first": first,
            "items": [[_tell_item(item) for item in of_unit] for of_unit in items[first:end]],
            "starts": (firsts[first : end + 1] - a).tolist(),
            "judgments": column[a:b].to_pylist() if before[b] > before[a] else [],
        }
        blocks.append((f"items-texts-{number}-{chunk}", pack_json(content)))
    return cuts, blocks


def _tell_item(item: Item | None) -> dict[str, Any] | None:
    if item is None:
        return None
    return {"conversation": [list(turn) for turn in item.conversation], "texts": list(item.texts)}


def _say_what_is_missing(runs: Sequence[FinishedRun], arms: Sequence[PageArm], texts: bool) -> str:
    """Say why there are no texts of a task's items; empty where a run has them, or they were not wanted."""
    task, own = arms[0].task, list(dict.fromkeys(arm.run for arm in arms))
    if not texts or any(runs[run].items.get(task) for run in own):
        return ""
    return next((flatten_text(runs[run].missing[task]) for run in own if task in runs[run].missing), "")
