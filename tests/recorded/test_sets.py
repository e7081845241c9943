"""The file of a recorded set: what is written is read back, and what is wrong in it is named. All texts are made up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgescale.harness.recorded import read_set, write_set
from judgescale.harness.types import STATUSES, JudgescaleError, Judgment, Record

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x + 0.0)  # no -0.0: it equals 0.0
counts = st.none() | st.integers(0, 10**6)


@st.composite
def record_sets(draw: st.DrawFn) -> list[Record]:
    records: dict[tuple[Any, ...], Record] = {}
    for prompt in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        responses = tuple(draw(st.lists(names, min_size=1, max_size=4, unique=True)))
        size = len(responses)
        gold = draw(st.none() | st.lists(numbers, min_size=size, max_size=size).map(tuple))
        cluster, subset = draw(names), draw(st.text(max_size=3).filter(lambda s: s.isprintable()))
        for _ in range(draw(st.integers(1, 4))):
            shown = tuple(draw(st.permutations(range(size))))[: draw(st.integers(1, size))]
            status = draw(st.sampled_from(STATUSES))
            scores = tuple(draw(st.lists(numbers, min_size=len(shown), max_size=len(shown))))
            judgment = Judgment(
                judge=draw(names),
                shown=shown,
                scores=scores if status == "ok" else None,
                status=status,
                sample=draw(st.integers(0, 32767)),
                variant=draw(st.sampled_from(["", "cot"])),
                meta=draw(st.none() | numbers),
                prompt_tokens=draw(counts),
                completion_tokens=draw(counts),
                chars=draw(counts),
            )
            key = (prompt, judgment.judge, judgment.variant, shown, judgment.sample)
            records[key] = Record(
                prompt=prompt, cluster=cluster, subset=subset, responses=responses, gold=gold, judgment=judgment
            )
    return list(records.values())


@given(record_sets())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    path = tmp_path_factory.mktemp("set") / "mine.parquet"
    meta = {"varies": "made up", "pool": True, "tasks": ["custom"], "note": "n"}
    write_set(path, records, meta)
    first = path.read_bytes()
    found = read_set(path)
    assert list(found.records) == records
    assert found.name == "mine" and found.meta["schema"] == 1 and found.meta["pool"] is True
    write_set(path, found.records, found.meta)
    assert path.read_bytes() == first, "the same set must give the same bytes"
    assert [p.name for p in path.parent.iterdir()] == ["mine.parquet"], "a temporary file was left behind"


def make_record(**changes: Any) -> Record:
    judgment = {"judge": "j", "shown": (0, 1), "scores": (1.0, 0.0)} | {
        k: v for k, v in changes.items() if k in Judgment.__dataclass_fields__
    }
    item = {"prompt": "p", "cluster": "p", "subset": "", "responses": ("a", "b"), "gold": (1.0, 0.0)} | {
        k: v for k, v in changes.items() if k in Record.__dataclass_fields__
    }
    return Record(**item, judgment=Judgment(**judgment))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shown": (0, 2)}, "row 2, field shown"),
        ({"shown": (0, 0)}, "row 2, field shown"),
        ({"shown": ()}, "row 2, field shown"),
        ({"scores": (1.0,)}, "row 2, field scores: 1 scores for 2 responses shown"),
        ({"scores": None}, "row 2, field scores: must be null exactly when status is not ok"),
        ({"status": "unparsed"}, "row 2, field scores: must be null exactly when status is not ok"),
        ({"scores": (float("nan"), 0.0)}, "not a finite number"),
        ({"status": "odd", "scores": None}, "row 2, field status: 'odd' is none of ok, "),
        ({"sample": -1}, "row 2, field sample"),
        ({"sample": 40000}, "row 2, field sample"),
        ({"sample": 0}, "row 2, field sample: the same judgment as row 1"),
        ({"gold": (0.0, 1.0)}, "row 2, field gold: differs from an earlier row"),
        ({"responses": ("a", "c")}, "row 2, field responses: differs"),
        ({"cluster": "x"}, "row 2, field cluster: differs"),
        ({"subset": "x"}, "row 2, field subset: differs"),
        ({"prompt": "q", "responses": ("a", "a")}, "row 2, field responses"),
        ({"prompt": "q", "gold": (1.0,)}, "row 2, field gold"),
        ({"prompt": "", "cluster": ""}, "row 2, field prompt"),
        ({"judge": ""}, "row 2, field judge"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "bad.parquet"
    rows = [make_record(), make_record(**{"sample": 1, **changes})]
    with pytest.raises(JudgescaleError) as caught:
        write_set(path, rows, {})
    assert str(caught.value).startswith(str(path)) and message in str(caught.value)
    assert "\n" not in str(caught.value) and not any(tmp_path.iterdir()), "nothing may be half-written"


@given(record_sets(), st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_pointwise_set_keeps_which_response_has_no_score(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("set") / "mine.parquet"
    holed = []
    for record in records:
        if scores := record.judgment.scores:
            lost = data.draw(st.sets(st.integers(0, len(scores) - 1), max_size=len(scores) - 1))
            scores = tuple(nan if i in lost else score for i, score in enumerate(scores))
            record = replace(record, judgment=replace(record.judgment, scores=scores))
        holed.append(record)
    write_set(path, holed, {"pointwise": True})
    found = read_set(path)
    assert list(found.records) == holed, "NaN is the same object everywhere, so tuples with it are equal"
    assert found.meta["pointwise"] is True and found.meta["schema"] == 2
    first = path.read_bytes()
    write_set(path, found.records, found.meta)
    assert path.read_bytes() == first


def test_missing_scores_are_nulls_inside_the_list(tmp_path: Path) -> None:
    write_set(path := tmp_path / "p.parquet", [make_record(scores=(nan, 3.0))], {"pointwise": True})
    assert pq.read_table(path).column("scores").to_pylist() == [[None, 3.0]]


@pytest.mark.parametrize("lost", [(nan, nan), (inf, nan)])
def test_a_pointwise_judgment_needs_a_score_and_finite_ones(tmp_path: Path, lost: tuple[float, ...]) -> None:
    with pytest.raises(JudgescaleError, match="row 1, field scores: (has no score at all|.*not a finite number)"):
        write_set(tmp_path / "p.parquet", [make_record(scores=lost)], {"pointwise": True})


def test_only_a_pointwise_set_says_so(tmp_path: Path) -> None:
    """Files of sets that are not must stay as they were."""
    for meta in ({}, {"pointwise": False}):
        write_set(path := tmp_path / "p.parquet", [make_record()], meta)
        about = json.loads(pq.read_schema(path).metadata[b"judgescale"])
        assert "pointwise" not in about and about["schema"] == 1
        assert read_set(path).meta["pointwise"] is False


def test_an_empty_set_and_unknown_metadata_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JudgescaleError, match="no judgments to write"):
        write_set(tmp_path / "x.parquet", [], {})
    with pytest.raises(JudgescaleError, match="unknown metadata 'vareis'"):
        write_set(tmp_path / "x.parquet", [make_record()], {"vareis": "typo"})


def change_table(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def without_key(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({})


def with_newer_schema(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({b"judgescale": json.dumps({"schema": 4}).encode()})


def set_column(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_key, "no 'judgescale' metadata"),
        (with_newer_schema, "written with schema 4, this judgescale reads up to 3"),
        (lambda table: table.drop_columns(["shown"]), "column 'shown' is missing"),
        (set_column("sample", pa.array(["0"])), "column 'sample' is string, not int16"),
        (set_column("sample", pa.array([0.5])), "column 'sample' is double, not int16"),
        (set_column("sample", pa.array([10**6])), "column 'sample'"),
        (set_column("judge", pa.array([None], pa.string())), "row 1, field judge: is null"),
        (set_column("scores", pa.array([[1.0, None]])), "row 1, field scores"),
        (set_column("scores", pa.array([[1.0, float("inf")]])), "row 1, field scores"),
    ],
)
def test_a_damaged_set_is_explained(tmp_path: Path, change: Callable[[pa.Table], pa.Table], message: str) -> None:
    path = tmp_path / "set.parquet"
    write_set(path, [make_record()], {})
    change_table(path, change)
    with pytest.raises(JudgescaleError) as caught:
        read_set(path)
    assert str(caught.value).startswith(str(path)) and message in str(caught.value) and "\n" not in str(caught.value)


def test_wider_types_of_other_tools_are_read(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    write_set(path, [make_record()], {})
    change_table(path, set_column("sample", pa.array([0], pa.int64())))
    change_table(path, set_column("judge", pa.array(["j"], pa.large_string())))
    change_table(path, set_column("shown", pa.array([[0, 1]], pa.large_list(pa.int64()))))
    assert read_set(path).records == (make_record(),)


def test_a_missing_file_and_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(JudgescaleError, match=r"does not exist; shipped sets: .*vicuna80"):
        read_set(tmp_path / "none.parquet")
    other = tmp_path / "other.parquet"
    other.write_text("hello")
    with pytest.raises(JudgescaleError, match="is not a Parquet file"):
        read_set(other)


def test_importing_the_package_is_light() -> None:
    code = "import sys, judgescale.harness.recorded; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_step_scores_are_kept_and_only_sets_that_have_some_have_the_column(tmp_path: Path) -> None:
    path = tmp_path / "prm.parquet"
    steps = ((0.5, 0.25), ())
    records = [
        make_record(scores=(0.25, float("nan")), steps=steps),
        make_record(sample=1, steps=((0.1,), (0.2, 0.3, 0.4))),
        make_record(sample=2),
    ]
    write_set(path, records, {"pointwise": True})
    found = read_set(path)
    assert [r.judgment.steps for r in found.records] == [steps, ((0.1,), (0.2, 0.3, 0.4)), None]
    assert found.meta["schema"] == 3 and "steps" in pq.read_schema(path).names
    write_set(path, [make_record()], {})
    assert "steps" not in pq.read_schema(path).names and read_set(path).records[0].judgment.steps is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": ((0.5,),)}, "step scores of 1 for 2 responses shown"),
        ({"steps": ((0.5,), ())}, "[] of a response of score 0.0: each needs the other"),
        ({"steps": ((0.5,), (float("inf"),))}, "[inf] has a value that is not a finite number"),
        ({"steps": ((0.5,), (0.5,)), "scores": None, "status": "failed"}, "must be null where status is not ok"),
        ({"steps": (0.5, 0.5)}, "is not a list, each a list, each a number"),
    ],
)
def test_wrong_step_scores_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(JudgescaleError) as caught:
        write_set(tmp_path / "bad.parquet", [make_record(), make_record(**{"sample": 1, **changes})], {})
    assert "row 2, field steps: " in str(caught.value) and message in str(caught.value)


def test_a_null_among_step_scores_is_named(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    write_set(path, [make_record(steps=((0.5,), (0.5,)))], {})
    for bad in ([[0.5], None], [[0.5], [None]]):
        write_set(path, [make_record(steps=((0.5,), (0.5,)))], {})
        change_table(path, set_column("steps", pa.array([bad], pa.list_(pa.list_(pa.float64())))))
        with pytest.raises(JudgescaleError, match="row 1, field steps"):
            read_set(path)
