"""What every judgment of an arm was about and what it said: the columns of judgments.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, group_alike, group_by_unit
from judgescale.harness.evaluation.ties import tie_all
from judgescale.harness.long_columns import JudgmentRows
from judgescale.harness.recorded.columns import COUNTS, OK, Columns
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.stats.intervals import share_headline
from judgescale.harness.types import STATUSES

if TYPE_CHECKING:
    import pyarrow as pa


def tabulate_judgments(arm: Arm, pools: Sequence[Pools], credits: Credits) -> JudgmentRows:
    """Make the rows of judgments.parquet: responses by name, with their scores and gold, all in the order shown.

    weight: the item's share in the headline, and tie_credit what a decision that ties all its responses earns; both
    empty where the item is scored together with others.
    """
    import pyarrow as pa

    columns = arm.judgments.data.columns
    item, rows, meta = _list_judgments(pools)
    weight, tie = _weigh_items(arm, credits)

    def spell(words: Sequence[str], codes: np.ndarray) -> pa.DictionaryArray:
        """Give every row its word."""
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(words, pa.string()))

    # the responses shown, by their places in the arm's items: those of the set may have others, or another order
    widths, shown = columns.widths[columns.order[rows]], columns.layout[columns.order[rows]]
    there = np.arange(shown.shape[1]) < widths[:, None]
    of_shown, ends = np.repeat(item, widths), np.r_[0, np.cumsum(widths)]
    place = _place_responses(arm, columns, item, rows, shown[there], of_shown)
    sizes = np.array([len(one.responses) for one in arm.items])
    flat = (np.cumsum(sizes) - sizes)[of_shown] + place
    gold = np.array([value for one in arm.items for value in one.gold], dtype=np.float64)
    names = pa.array([name for one in arm.items for name in one.responses], pa.string())
    said, scores = columns.status[rows] == OK, columns.scores[rows][there]

    def cut(values: pa.Array) -> pa.ListArray:
        """Give every row its list."""
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values)

    kept = np.repeat(said, widths)
    ends_of_scores = pa.array(np.r_[0, np.cumsum(np.where(said, widths, 0))], pa.int32(), mask=np.r_[~said, False])
    known = pa.array(scores[kept], mask=np.isnan(scores[kept]))
    table = pa.table(
        {
            "task": spell([arm.task.name], np.zeros(len(rows), dtype=np.int32)),
            "item": spell([one.id for one in arm.items], item),
            "subset": spell([one.subset for one in arm.items], item),
            "cluster": spell([one.cluster for one in arm.items], item),
            "weight": pa.array(weight[item], mask=np.isnan(weight[item])),
            "tie_credit": pa.array(tie[item], mask=np.isnan(tie[item])),
            "judge": spell(columns.judges, columns.judge[rows]),
            "variant": spell(columns.variants, columns.variant[rows]),
            "sample": pa.array(columns.sample[rows], pa.int64()),
            "shown": cut(pa.array(place, pa.int64())),
            "responses": cut(names.take(pa.array(flat))),
            "scores": pa.ListArray.from_arrays(ends_of_scores, known),
            "gold": cut(pa.array(gold[flat])),
            "status": spell(STATUSES, columns.status[rows]),
            "meta": pa.array(meta, mask=np.isnan(meta)),
            **{name: _count(getattr(columns, name)[rows]) for name in COUNTS},
        }
    )
    calls = [[(c.key, c.rank) for c in columns.calls[row] if c.role == "judge"] for row in rows if columns.calls]
    return JudgmentRows(table, tuple(calls))


def _list_judgments(pools: Sequence[Pools]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List every judgment once: its item's place, its own in the set's columns, and its meta score, (M,) each."""
    every = [(place, pool) for place, of_item in enumerate(pools) for pool in of_item.values()]
    item = np.repeat([place for place, _ in every], [len(pool) for _, pool in every])
    rows, meta = (np.concatenate([getattr(pool, name) for _, pool in every]) for name in ("rows", "meta"))
    if all(len(of_item) == 1 for of_item in pools):
        return item, rows, meta
    # of a pointwise set one judgment answers several questions of an item
    once = np.sort(np.unique(np.stack([item, rows]), axis=1, return_index=True)[1])
    return item[once], rows[once], meta[once]


def _weigh_items(arm: Arm, credits: Credits) -> tuple[np.ndarray, np.ndarray]:
    """Return each item's share in the headline and what a tie of all its responses earns; NaN if with others."""
    members = list(group_by_unit(arm.task, arm.items).values())
    weight, tie = np.full((2, len(arm.items)), np.nan)
    share = share_headline(credits.units, arm.rollup)
    for alike in group_alike(arm.task, arm.items, members):
        if len(members[alike[0]]) == 1:
            item, places = arm.items[members[alike[0]][0]], [members[u][0] for u in alike]
            weight[places] = share[alike]
            tie[places] = float(arm.task.credit([item], tie_all([item]), arm.rules)[0])
    return weight, tie


def _place_responses(
    arm: Arm, columns: Columns, item: np.ndarray, rows: np.ndarray, shown: np.ndarray, of_shown: np.ndarray
) -> np.ndarray:
    """Find the places of responses in the arm's items. shown: (S,), theirs in the set's. of_shown: (S,), the items."""
    of_set = np.zeros(len(arm.items), dtype=np.int64)
    of_set[item] = columns.item[rows]
    begin = np.zeros(len(arm.items), dtype=np.int64)
    places: list[int] = []
    for number, (one, about) in enumerate(zip(arm.items, of_set.tolist(), strict=True)):
        begin[number], names = len(places), columns.items[about].responses
        if names == one.responses:
            places += range(len(names))
        else:
            known = {name: place for place, name in enumerate(one.responses)}
            places += [known.get(name, -1) for name in names]
    found: np.ndarray = np.array(places)[begin[of_shown] + shown]
    return found


def _count(counts: np.ndarray) -> pa.Array:
    """Return whole numbers, null where they are unknown."""
    import pyarrow as pa

    lacks = np.isnan(counts)
    return pa.array(np.where(lacks, 0, counts).astype(np.int64), mask=lacks)
