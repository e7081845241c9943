"""The items of a page: what stands in its blocks is what the runs' tables say, and no text where none is wanted."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from omegaconf import DictConfig

from judgescale.harness import runner
from judgescale.harness.finished.comparing import compare_arms
from judgescale.harness.finished.reading import read_choices
from judgescale.harness.finished.run import FinishedRun, read_run
from judgescale.harness.page.arms import list_arms
from judgescale.harness.page.chunks import TYPES, cut_by_size, pack_columns
from judgescale.harness.page.games import pack_games
from judgescale.harness.page.item_units import gather_units
from judgescale.harness.page.items import NOBODY, NOT_SAID, SEVERAL, TIED, ItemsPart, find_choices, make_items_part

Compose = Callable[..., DictConfig]


@pytest.fixture(scope="module")
def live(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    folder = tmp_path_factory.mktemp("runs") / "live"
    cfg = composed(
        "task=sanity", "judge=random", "strategy.k=3", "run.limit=6", f"run.store={folder.parent / 's.sqlite'}"
    )
    runner.run([cfg], folder, show=False)
    return read_run(folder)


@pytest.fixture(scope="module")
def several(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A run of two arms over recorded judgments of four responses."""
    folder = tmp_path_factory.mktemp("runs") / "several"
    limits = (
        "run.limit=24",
        "engine.path=results/recorded/rewardbench2_samples.parquet",
        "judge.names=[Claude Haiku 4.5]",
    )
    shared = ("task=rewardbench2", "run.draws=4", *limits)
    runner.run([composed(*shared, "strategy=voting"), composed(*shared, "strategy=knockout")], folder, show=False)
    return read_run(folder)


def open_part(part: ItemsPart) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Any]]:
    """Unpack a part as a browser does: the index, the columns, and the chunks."""
    content = {name: gzip.decompress(base64.b64decode(data)) for name, data in part.data}
    index, numbers = json.loads(content.pop("items-index")), content.pop("items-columns")
    columns = {
        name: np.frombuffer(numbers, np.dtype(TYPES[kind]).newbyteorder("<"), length, offset)
        for name, (kind, offset, length) in index["columns"].items()
    }
    return index, columns, {name: json.loads(chunk) for name, chunk in content.items()}


def make(*runs: FinishedRun, texts: bool = True) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Any]]:
    return open_part(make_items_part(runs, list_arms(runs), texts, pack_games))


def list_judgments(chunk: dict[str, Any], unit: int) -> list[tuple[Any, ...]]:
    """List a unit's judgments of a chunk: sample, status, shown, scores."""
    found = []
    for row in range(chunk["judgments"][unit], chunk["judgments"][unit + 1]):
        lists = [chunk[n][chunk[f"{n}_ends"][row] : chunk[f"{n}_ends"][row + 1]] for n in ("shown", "scores")]
        found.append((chunk["sample"][row], chunk["statuses"][chunk["status"][row]], *lists))
    return found


def test_what_the_table_and_an_item_show_is_what_the_run_says(live: FinishedRun) -> None:
    index, columns, chunks = make(live)
    (task,), (arm,) = index["tasks"], index["arms"]
    rows, texts = chunks["items-rows-0-0"], chunks["items-texts-0-0"]
    assert task["rows"] == task["texts"] == [0, 6] and arm["ks"] == [1, 2, 3]
    credits, judgments = live.credits.to_pylist(), live.judgments.to_pylist()
    decided = {(a, k): (chances, took) for a, k, chances, took in rows["decisions"]}
    for unit, name in enumerate(task["ids"]):
        own = [row for row in judgments if row["item"] == name]
        told = [(r["sample"], r["status"], r["shown"], r["scores"] or []) for r in own]
        assert sorted(list_judgments(rows, unit)) == sorted(told) and len(told) == 3
        item = live.items["sanity"][name]
        assert texts["items"][unit] == [
            {"conversation": [list(t) for t in item.conversation], "texts": list(item.texts)}
        ]
        said = texts["judgments"][texts["starts"][unit] : texts["starts"][unit + 1]]
        assert sorted(said) == sorted(row["text"] for row in own)
        assert task["questions"][unit] == " ".join(item.conversation[-1][1].split())
        for row in (row for row in credits if row["item"] == name):
            assert columns[f"credit/0/{row['k']}"][unit] / 20_000 - 1 == pytest.approx(row["credit"], abs=5e-5)
            chances, took = decided[0, row["k"]]
            assert [c / 10_000 for c in chances[2 * unit : 2 * unit + 2]] == pytest.approx(row["decision"], abs=1e-4)
            assert took[unit] == row["judgments"]


def test_without_texts_there_is_none(live: FinishedRun) -> None:
    index, _, chunks = make(live, texts=False)
    everything = json.dumps([index, chunks])
    assert not [name for name in chunks if "texts" in name] and "questions" not in index["tasks"][0]
    for item in live.items["sanity"].values():
        for text in (*(content for _, content in item.conversation), *item.texts):
            assert json.dumps(text)[1:-1] not in everything


def test_an_item_whose_responses_are_others_has_no_texts(live: FinishedRun) -> None:
    items = {name: replace(item, gold=item.gold[::-1]) for name, item in live.items["sanity"].items()}
    index, _, chunks = make(replace(live, items={"sanity": items}))
    assert index["tasks"][0]["questions"] == [] and chunks["items-texts-0-0"]["items"] == [[None]] * 6


def test_statuses_and_gaps_of_items(live: FinishedRun) -> None:
    rows = live.judgments.to_pylist()
    ids = list(dict.fromkeys(live.credits["item"].to_pylist()))
    for row in rows:
        if row["item"] == ids[0]:
            row["scores"] = [7.0, 4.0] if row["shown"] == [0, 1] else [4.0, 7.0]
    bad = [row for row in rows if row["item"] == ids[1]]
    for row, status in zip(bad, ("truncated", "failed", "failed")):
        row["scores"], row["status"] = None, status
    table = pa.Table.from_pylist(rows, schema=live.judgments.schema)
    _, columns, _ = make(replace(live, judgments=table))
    assert columns["0/status/0"].tolist() == [0, 2 | 8, 0, 0, 0, 0]
    assert columns["0/gap/0"][0] == 3 and np.isnan(columns["0/gap/0"][1])


def test_judgments_that_two_runs_share_are_there_once(several: FinishedRun) -> None:
    alone, both = gather_units([several], list_arms([several]), "rewardbench2"), [several, several]
    twice = gather_units(both, list_arms(both), "rewardbench2")
    assert twice.units == alone.units and len(twice.judgments) == len(alone.judgments) == 24 * 8
    assert twice.sources == (("Claude Haiku 4.5", (0, 1)),)
    rows = several.judgments.to_pylist()
    rows[0]["scores"] = [1.0, 1.0, 1.0, 2.0]
    other = replace(several, judgments=pa.Table.from_pylist(rows, schema=several.judgments.schema))
    differ = gather_units([several, other], list_arms([several, other]), "rewardbench2")
    assert len(differ.judgments) == 24 * 8 + 1
    assert sorted(runs for _, runs in differ.sources) == [(0,), (0, 1), (1,)]


def test_items_of_one_id_that_are_not_the_same_are_two(several: FinishedRun) -> None:
    rows = several.credits.to_pylist()
    changed = rows[0]["item"]
    for row in rows:
        if row["item"] == changed:
            row["gold"] = row["gold"][::-1]
    other = replace(several, credits=pa.Table.from_pylist(rows, schema=several.credits.schema))
    found = gather_units([several, other], list_arms([several, other]), "rewardbench2")
    assert len(found.units) == 25 and [unit.id for unit in found.units].count(changed) == 2
    at = [place for place, unit in enumerate(found.units) if unit.id == changed]
    assert [int((found.unit == place).sum()) for place in at] == [8, 8]


def test_pairs_are_compared_as_the_command_does(several: FinishedRun) -> None:
    index, _, chunks = make(several)
    (pair,) = index["pairs"]
    (one,) = compare_arms(read_choices([str(several.folder)]))
    by_rule = one.headline.difference.by_rule
    assert (pair["gap"], pair["p"], pair["won"], pair["lost"]) == (
        by_rule.gap, one.headline.difference.p, by_rule.won, by_rule.lost,
    )  # fmt: skip
    assert pair["interval"] == (by_rule.interval and list(by_rule.interval))
    assert pair["unlike"] == ["strategy: voting | knockout"] and pair["warnings"] == []
    games = chunks["items-rows-0-0"]["games"]
    assert len(games) == 24 and {game["arm"] for of_item in games.values() for game in of_item} == {1}


def test_choices_and_margins() -> None:
    chances = np.array([7000, 2000, 1000, 5000, 5000, -1, -1, 8000, 2000, 10000, 0], dtype=np.int16)
    starts = np.array([0, 3, 5, 7, 8, 9, 11])
    choice, margin = find_choices(chances, starts, np.array([False] * 5 + [True]))
    assert choice.tolist() == [0, TIED, NOBODY, 0, NOT_SAID, SEVERAL]
    assert margin.tolist()[:5] == [5000, 0, 0, 6000, 6000]


@pytest.mark.parametrize("sizes", [[], [5], [1] * 10, [100, 1, 1], [3, 50, 3, 3]])
def test_chunks_hold_everything_once(sizes: Sequence[int]) -> None:
    cuts = cut_by_size(np.array(sizes, dtype=np.int64), 4)
    assert cuts[0] == 0 and cuts[-1] == len(sizes) and cuts == sorted(set(cuts))


def test_columns_are_found_again_at_places_that_a_browser_can_read() -> None:
    columns = {
        "a": np.array([1, 2, 3], dtype=np.uint8),
        "b": np.array([-7], dtype=np.int16),
        "c": np.ones(2, np.float32),
    }
    packed, where = pack_columns(columns)
    content = gzip.decompress(base64.b64decode(packed))
    for name, (kind, offset, length) in where.items():
        assert offset % 8 == 0
        assert np.frombuffer(content, TYPES[kind], length, offset).tolist() == columns[name].tolist()


def test_scripts_make_elements_and_never_html() -> None:
    script = (Path(make_items_part.__code__.co_filename).parent / "static" / "items.js").read_text()
    for name in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser"):
        assert name not in script
