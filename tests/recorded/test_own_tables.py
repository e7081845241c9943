"""Parquet files of one's own judgments: read by column, they make the same set as the same rows of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.recorded import read_set
from judgescale.harness.recorded.importing import import_files
from judgescale.harness.recorded.own_tables import make_set_table
from judgescale.harness.types import JudgescaleError

NAMES = ("a", "b", "c")


@st.composite
def own_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows that are right, all with the same fields; which fields these are differs."""
    says = draw(st.sampled_from(["scores", "winner"]))
    label, ordered, counted = draw(st.sampled_from(["gold", "best"])), draw(st.booleans()), draw(st.booleans())
    rows = []
    for i in range(draw(st.integers(1, 3))):
        names = list(NAMES[: draw(st.integers(2, 3))])
        right = draw(st.sampled_from(names))
        for sample in range(draw(st.integers(1, 4))):
            shown = draw(st.permutations(names)) if ordered else names
            row: dict[str, Any] = {"prompt": f"q{i}", "responses": names, "judge": draw(st.sampled_from(["x", "y"]))}
            row[label] = right if label == "best" else [float(name == right) for name in names]
            row |= {"shown": shown} if ordered else {}
            scores = st.none() | st.lists(st.integers(0, 9), min_size=len(shown), max_size=len(shown))
            row[says] = draw(scores if says == "scores" else st.sampled_from([*names, "tie", None]))
            row |= (
                {"sample": sample, "subset": draw(st.just("s")), "chars": draw(st.none() | st.integers(0, 99))}
                if (counted)
                else {}
            )
            rows.append(row)
    return rows


@settings(max_examples=30, deadline=None)
@given(rows=own_rows())
def test_a_table_makes_the_same_set_as_lines_of_json(tmp_path_factory: pytest.TempPathFactory, rows: Any) -> None:
    folder = tmp_path_factory.mktemp("own")
    says = "scores" if "scores" in rows[0] else "winner"
    if all(row[says] is None for row in rows):
        rows[0][says] = [1] * len(rows[0]["responses"]) if says == "scores" else "tie"
    table = pa.Table.from_pylist(rows)
    assert make_set_table(table, None) is not None
    pq.write_table(table, folder / "own.parquet")
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for ending in ("parquet", "jsonl"):
        import_files("jsonl", [folder / f"own.{ending}"], folder / f"{ending}-set.parquet")
    by_column, by_row = (read_set(folder / f"{ending}-set.parquet") for ending in ("parquet", "jsonl"))
    assert by_column.records == by_row.records
    assert all(by_column.meta[name] == by_row.meta[name] for name in ("varies", "order", "tasks", "schema"))


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("winner", "z", "row 2, field winner: 'z' is neither a name"),
        ("shown", ["a", "a"], "row 2, field shown: ['a', 'a'] must hold different responses"),
        ("judge", None, "row 2, field judge: is missing"),
        ("gold", [0.5, 0.0], "row 2, field gold: [0.5, 0.0] must be 0 or 1"),
        ("sample", 0, "row 2: the same judgment as row 1"),
        ("cluster", "other", "row 2, field cluster: 'other' for item 'q'"),
        ("chars", -1, "row 2, field chars: -1 is not between 0"),
    ],
)
def test_a_wrong_row_of_a_table_is_named(tmp_path: Path, field: str, value: object, told: str) -> None:
    base = {"prompt": "q", "responses": ["a", "b"], "gold": [1.0, 0.0], "judge": "j", "shown": ["a", "b"]}
    base |= {"winner": "a", "cluster": "c", "chars": 5}
    rows = [{**base, "sample": 0}, {**base, "sample": 1, field: value}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "own.parquet")
    with pytest.raises(JudgescaleError) as caught:
        import_files("jsonl", [tmp_path / "own.parquet"], tmp_path / "set.parquet")
    assert told in str(caught.value)
    assert not (tmp_path / "set.parquet").exists()
