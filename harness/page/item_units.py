"""The items of a page: what the runs' tables say about each, put side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.long_columns import join_keys
from judgescale.harness.page.arms import PageArm
from judgescale.harness.types import STATUSES

if TYPE_CHECKING:
    import pyarrow as pa

CHANCE = 10_000  # what a chance of 1 is written as; -1 stands for none
NO_CREDIT = 2**16 - 1  # where an arm has no credit for a unit
SAME = ("variant", "status")  # columns of texts that two records of one judgment have in common
COUNTS = ("sample", "prompt_tokens", "completion_tokens", "chars")


@dataclass(frozen=True)
class Unit:
    """Hold what an item is; most often `parts` is the item itself, else the items that are scored together."""

    id: str
    subset: str
    section: str
    cluster: str
    gold: tuple[float | None, ...]
    parts: tuple[tuple[str, tuple[str, ...]], ...]  # each one's id, and the names of its responses


@dataclass(frozen=True)
class Credits:
    """Hold what an arm decided at one k: rows of all U units, and of all their R responses one after the other."""

    credit: np.ndarray  # (U,) as uint16, see write_credit
    chances: np.ndarray  # (R,) as int16; -1 where there is none
    judgments: np.ndarray  # (U,) that the decision took


@dataclass(frozen=True)
class TaskUnits:
    """Hold a task's U units, their credits by arm and k, and J judgments in the order of the units."""

    task: str
    units: tuple[Unit, ...]
    starts: np.ndarray  # (U + 1,) where each unit's responses begin
    credits: Mapping[tuple[int, int], Credits]  # (place of the arm, k) ->
    judgments: pa.Table
    unit: np.ndarray  # (J,)
    part: np.ndarray  # (J,) place among the unit's parts
    source: np.ndarray  # (J,) place in `sources`
    sources: tuple[tuple[str, tuple[int, ...]], ...]  # a judge, and the runs that have its judgments
    without_credit: int  # judgments of items that no arm has a credit for: they are left out

    @property
    def first_judgments(self) -> np.ndarray:
        """Return where each unit's judgments begin, and the end, (U + 1,)."""
        return np.searchsorted(self.unit, np.arange(len(self.units) + 1))


def gather_units(runs: Sequence[FinishedRun], arms: Sequence[PageArm], task: str) -> TaskUnits:
    """Gather a task's units from all runs that have it.

    Units of several runs are one where id, subset, cluster, gold and the names of the responses agree; else both are
    there. A judgment that several runs have is there once.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    units: list[Unit] = []
    known: dict[tuple[object, ...], list[int]] = {}
    credit_rows: list[tuple[int, pa.Table, np.ndarray]] = []
    tables: list[pa.Table] = []
    owners: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    of_run: list[np.ndarray] = []
    lost = 0
    places = sorted({arm.run for arm in arms if arm.task == task})
    for place in places:
        credits = runs[place].credits.filter(pc.equal(runs[place].credits["task"], task))
        judgments = runs[place].judgments.filter(pc.equal(runs[place].judgments["task"], task))
        local, codes, unit, part = _read_units(credits, judgments)
        if len(places) == 1:  # each of its units is another one
            units, numbers = local, np.arange(len(local))
        else:
            numbers = np.array([_find_place(one, units, known) for one in local], dtype=np.int64)
        credit_rows.append((place, credits, numbers[codes]))
        kept = unit >= 0
        lost += int(len(kept) - kept.sum())
        if not kept.all():
            judgments, unit, part = judgments.filter(pa.array(kept)), unit[kept], part[kept]
        tables.append(judgments)
        owners.append(numbers[unit] if len(numbers) else unit)
        parts.append(part)
        of_run.append(np.full(len(unit), place))
    starts = np.concatenate([[0], np.cumsum([len(one.gold) for one in units])]).astype(np.int64)
    found: dict[tuple[int, int], Credits] = {}
    for place, credits, unit in credit_rows:
        found |= _spread_credits(credits, unit, starts, [arm for arm in arms if (arm.run, arm.task) == (place, task)])
    rows, unit, part, source, sources = _merge_judgments(
        pa.concat_tables(tables), np.concatenate(owners), np.concatenate(parts), np.concatenate(of_run)
    )
    return TaskUnits(task, tuple(units), starts, found, rows, unit, part, source, sources, lost)


def encode(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Number the texts of a column, (N,), and list them; an empty one counts as ""."""
    import pyarrow.compute as pc

    whole = pc.fill_null(column, "").dictionary_encode().unify_dictionaries().combine_chunks()
    return whole.indices.to_numpy().astype(np.int64), whole.dictionary.to_pylist()


def read_lists(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Read a column of lists of numbers: where each begins and the end, (N + 1,), and all numbers, NaN for empty."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    values = pc.list_flatten(column).to_numpy().astype(np.float64)
    return np.concatenate([[0], np.cumsum(lengths)]), values


def write_credit(credit: np.ndarray) -> np.ndarray:
    """Write credits, which lie between -1 and 2, as whole numbers: (credit + 1) · 20,000."""
    return np.clip(np.rint((credit + 1) * 20_000), 0, NO_CREDIT - 1).astype(np.uint16)


def _read_units(credits: pa.Table, judgments: pa.Table) -> tuple[list[Unit], np.ndarray, np.ndarray, np.ndarray]:
    """Read a run's units, which of them each row of credits is, and each judgment's unit (-1: none) and part of it."""
    codes, ids = encode(credits["item"])
    firsts = credits.take(np.unique(codes, return_index=True)[1])
    columns = {name: firsts[name].to_pylist() for name in ("subset", "section", "cluster", "gold")}
    of_item, items = encode(judgments["item"])
    by_id = {name: place for place, name in enumerate(ids)}
    owner = np.array([by_id.get(name, -1) for name in items], dtype=np.int64)
    if (owner < 0).any():  # of several items that are scored together
        alone = set(owner.tolist())
        alike = list(zip(columns["subset"], columns["cluster"]))
        together = {key: place for place, key in enumerate(alike) if place not in alone}
        firsts = judgments.select(["subset", "cluster"]).take(np.unique(of_item, return_index=True)[1]).to_pylist()
        for place in np.flatnonzero(owner < 0).tolist():
            owner[place] = together.get((firsts[place]["subset"], firsts[place]["cluster"]), -1)
    names = _read_names(judgments, of_item, len(items))
    parts: list[tuple[tuple[str, tuple[str, ...]], ...]] = [()] * len(ids)
    place_in_unit = np.zeros(len(items), dtype=np.int64)
    for item, unit in zip(range(len(items)), owner.tolist()):  # `encode` numbers them as they come
        if unit >= 0:
            place_in_unit[item] = len(parts[unit])
            parts[unit] += ((items[item], names[item]),)
    units = [
        Unit(name, subset or "", section or "", cluster or "", tuple(gold or (None,)), of_unit)
        for name, subset, section, cluster, gold, of_unit in zip(ids, *columns.values(), parts, strict=True)
    ]
    return units, codes, owner[of_item], place_in_unit[of_item]


def _read_names(judgments: pa.Table, of_item: np.ndarray, count: int) -> list[tuple[str, ...]]:
    """Read the names of each item's responses, as far as its judgments saw them."""
    import pyarrow.compute as pc

    ends, shown = read_lists(judgments["shown"])
    codes, texts = encode(pc.list_flatten(judgments["responses"]))
    many = int(shown.max(initial=0)) + 1
    key, first = np.unique(np.repeat(of_item, np.diff(ends)) * many + shown.astype(np.int64), return_index=True)
    if len(key) == count * many:  # each item's judgments saw all of its responses, and all have as many
        return list(zip(*[map(texts.__getitem__, codes[first].tolist())] * many))
    found: list[list[str]] = [[] for _ in range(count)]
    for item, place, code in zip((key // many).tolist(), (key % many).tolist(), codes[first].tolist()):
        names = found[item]
        names += [""] * (place - len(names))  # one that nobody was shown
        names.append(texts[code])
    return [tuple(names) for names in found]


def _find_place(unit: Unit, units: list[Unit], known: dict[tuple[object, ...], list[int]]) -> int:
    """Find the place of a unit on the page; one that is not there is added."""
    alike = known.setdefault((unit.id, unit.subset, unit.cluster, unit.gold), [])
    for place in alike:
        if not unit.parts or not units[place].parts or units[place].parts == unit.parts:
            if unit.parts and not units[place].parts:
                units[place] = unit
            return place
    alike.append(len(units))
    units.append(unit)
    return alike[-1]


def _spread_credits(
    credits: pa.Table, unit: np.ndarray, starts: np.ndarray, arms: Sequence[PageArm]
) -> dict[tuple[int, int], Credits]:
    """Spread a run's rows of credits over the units of the page, by arm and k."""
    number, k = credits["number"].to_numpy(), credits["k"].to_numpy()
    credit = write_credit(credits["credit"].to_numpy())
    judgments = np.nan_to_num(credits["judgments"].to_numpy())
    ends, chances = read_lists(credits["decision"])
    chances = np.where(np.isnan(chances), -1, np.rint(chances * CHANCE)).astype(np.int16)
    found: dict[tuple[int, int], Credits] = {}
    for arm in arms:
        of_arm = np.flatnonzero(number == arm.number)
        for at in np.unique(k[of_arm]).tolist():
            rows = of_arm[k[of_arm] == at]
            own, sizes = unit[rows], np.diff(ends)[rows]
            fits = sizes == np.diff(starts)[own]
            whole = np.full(int(starts[-1]), -1, dtype=np.int16)
            whole[list_places(starts[own[fits]], sizes[fits])] = chances[list_places(ends[rows[fits]], sizes[fits])]
            earned, took = np.full(len(starts) - 1, NO_CREDIT, dtype=np.uint16), np.zeros(len(starts) - 1)
            earned[own], took[own] = credit[rows], judgments[rows]
            found[arm.place, at] = Credits(earned, whole, took)
    return found


def list_places(firsts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """List the places first, first + 1, … of pieces of these sizes, one piece after the other."""
    skipped = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else sizes
    places: np.ndarray = np.repeat(firsts - skipped, sizes) + np.arange(int(sizes.sum()))
    return places


def _merge_judgments(
    table: pa.Table, unit: np.ndarray, part: np.ndarray, run: np.ndarray
) -> tuple[pa.Table, np.ndarray, np.ndarray, np.ndarray, tuple[tuple[str, tuple[int, ...]], ...]]:
    """Merge the runs' judgments and order them by unit; return them with their units, parts and sources."""
    judge, judges = encode(table["judge"])
    runs = np.unique(run)
    has = np.ones((len(run), 1), dtype=bool)
    if len(runs) > 1:
        _, first, which = np.unique(_identify(table, unit, part, judge), return_index=True, return_inverse=True)
        has = np.zeros((len(first), len(runs)), dtype=bool)
        has[which.reshape(-1), np.searchsorted(runs, run)] = True
        table, unit, part, judge = table.take(first), unit[first], part[first], judge[first]
    pairs, source = np.unique(np.column_stack([judge, has]), axis=0, return_inverse=True)
    source = source.reshape(-1)
    sources = tuple((judges[row[0]], tuple(runs[row[1:] > 0].tolist())) for row in pairs)
    variant, _ = encode(table["variant"])
    order = np.lexsort((table["sample"].to_numpy(), variant, source, part, unit))
    return table.take(order), unit[order], part[order], source[order], sources


def _identify(table: pa.Table, unit: np.ndarray, part: np.ndarray, judge: np.ndarray) -> np.ndarray:
    """Number judgments: the same number for the same one, all that it says and shows included, meta scores not."""
    import pyarrow.compute as pc

    texts = [encode(table[name])[0] for name in (*SAME, "text")]
    counts = [
        np.unique(pc.fill_null(table[name], -1).to_numpy(), return_inverse=True)[1].reshape(-1) for name in COUNTS
    ]
    lists = []
    for name in ("shown", "scores"):
        ends, values = read_lists(table[name])
        codes = np.unique(values, return_inverse=True)[1].reshape(-1) + 1
        sizes = np.diff(ends)
        places = np.zeros((len(table), int(sizes.max(initial=0))), dtype=np.int64)
        places[np.arange(places.shape[1]) < sizes[:, None]] = codes
        lists += list(places.T)
    return join_keys(unit, part, judge, *texts, *counts, *lists)


def choose_sources(arm: PageArm, sources: Sequence[tuple[str, tuple[int, ...]]]) -> tuple[int, ...]:
    """Choose the sources whose judgments an arm decided on: of its judge, or of all that its jury's name holds."""
    own = [(place, judge) for place, (judge, runs) in enumerate(sources) if arm.run in runs]
    named = [place for place, judge in own if judge == arm.result.judge]
    jury = [place for place, judge in own if judge and judge in arm.result.judge]
    return tuple(named or jury or [place for place, _ in own])


def mark_statuses(found: TaskUnits, sources: Sequence[int]) -> np.ndarray:
    """Mark what kinds of unusable judgments each unit has, (U,): bit 0 unparsed, 1 truncated, 2 refused, 3 failed."""
    codes, names = encode(found.judgments["status"])
    bits = np.array([1 << STATUSES.index(name) - 1 if name in STATUSES[1:] else 0 for name in names], dtype=np.uint8)
    rows = np.isin(found.source, sources)
    marks = np.zeros(len(found.units), dtype=np.uint8)
    if len(codes):
        np.bitwise_or.at(marks, found.unit[rows], bits[codes[rows]])
    return marks


def measure_gaps(found: TaskUnits, sources: Sequence[int]) -> np.ndarray:
    """Measure by how much the best mean score of a unit's responses is above the second, (U,); NaN where it is not
    one item of several responses."""
    total, count = np.zeros(int(found.starts[-1])), np.zeros(int(found.starts[-1]))
    ends, shown = read_lists(found.judgments["shown"])
    score_ends, scores = read_lists(found.judgments["scores"])
    rows = np.flatnonzero(np.isin(found.source, sources) & (np.diff(score_ends) == np.diff(ends)))
    sizes = np.diff(ends)[rows]
    values = scores[list_places(score_ends[rows], sizes)]
    places = np.repeat(found.starts[found.unit[rows]], sizes) + shown[list_places(ends[rows], sizes)].astype(np.int64)
    good = np.isfinite(values) & (places < np.repeat(found.starts[found.unit[rows] + 1], sizes))
    np.add.at(total, places[good], values[good])
    np.add.at(count, places[good], 1)
    means = np.full(len(total), -np.inf)
    np.divide(total, count, out=means, where=count > 0)
    _, _, best, second = find_best(means, found.starts)
    gaps = np.full(len(found.units), np.nan, dtype=np.float32)
    one = np.array([len(unit.parts) < 2 and len(unit.gold) > 1 for unit in found.units], dtype=bool)
    sure = one & np.isfinite(best) & np.isfinite(second)
    gaps[sure] = best[sure] - second[sure]
    return gaps


def find_best(values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find in each piece of `values` the first place of the largest, how often it is there, and the two largest."""
    if len(starts) < 2:
        none = np.zeros(0)
        return none, none, none, none
    firsts, sizes = starts[:-1], np.diff(starts)
    best = np.maximum.reduceat(values, firsts)
    place = np.arange(len(values)) - np.repeat(firsts, sizes)
    is_best = values == np.repeat(best, sizes)
    first = np.minimum.reduceat(np.where(is_best, place, len(values)), firsts)
    rest = np.where(place == np.repeat(first, sizes), -np.inf, values)
    return first, np.add.reduceat(is_best.astype(np.int64), firsts), best, np.maximum.reduceat(rest, firsts)
