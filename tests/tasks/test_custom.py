"""Items of one's own: rows of choices and of lone responses come out right, every wrong field is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shapes import CUSTOM, put, read, refused, right

from judgescale.harness.types import Rules
from judgescale.tasks import custom


def test_custom_rows(tmp_path: Path) -> None:
    said = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    file = put(
        tmp_path / "mine.jsonl",
        [
            {"prompt": "q", "responses": ["a", "b", "c"], "best": 2},
            {"prompt": said, "responses": ["a", "b", "c"], "best": [0, 1], "id": 17, "subset": "hard", "cluster": "c"},
            {"prompt": "q", "chosen": "good", "rejected": ["x", "y"]},
        ],
    )
    one, two, three = read(custom.task, file)
    assert (one.id, one.gold, one.subset, one.responses) == ("1", (0.0, 0.0, 1.0), "", ("1", "2", "3"))
    assert (two.id, two.gold, two.subset, two.cluster) == ("17", (1.0, 1.0, 0.0), "hard", "c")
    assert two.conversation == (("system", "s"), ("user", "q"))
    assert right(three) == {"good"} and set(three.texts) == {"good", "x", "y"} and three.cluster == one.cluster
    columns = {
        "prompt": ["q", "r"],
        "responses": [["a", "b"], None],
        "best": [1, None],
        "chosen": [None, ["good"]],
        "rejected": [None, ["x", "y"]],
    }
    pq.write_table(pa.table(columns), tmp_path / "mine.parquet")
    assert [right(item) for item in read(custom.task, tmp_path / "mine.parquet")] == [{"b"}, {"good"}]


def test_custom_rows_of_lone_responses(tmp_path: Path) -> None:
    lone = [{"prompt": "q", "response": "2 + 2 = 5", "error": True}, {"prompt": "r", "response": "4", "error": False}]
    wrong, fine = read(custom.task, put(tmp_path / "lone.jsonl", lone))
    assert (wrong.texts, wrong.gold, fine.gold) == (("2 + 2 = 5",), (1.0,), (0.0,))
    decisions = [np.array([[0.9]]), np.array([[0.2]])]
    credit, rules = custom.task().credit, Rules(name="mine", tie="zero", failure=0.0, unusable="abstain", order="any")
    earned = [credit((item,), (d,), rules).tolist() for item in (wrong, fine) for d in decisions]
    assert earned == [[1], [0], [0], [1]]
    assert "row 2, field response: must be in every row or in none" in refused(
        custom.task, put(tmp_path / "mixed.jsonl", [lone[0], CUSTOM])
    )
    assert "field response: must be" in refused(custom.task, put(tmp_path / "mixed2.jsonl", [CUSTOM, lone[0]]))
    for changes, field in (({"error": None}, "error"), ({"error": 1}, "error"), ({"chosen": "x"}, "chosen")):
        assert f"field {field}: " in refused(custom.task, put(tmp_path / "x.jsonl", [lone[0] | changes]))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": 5}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["q"]}, "prompt[0]"),
        ({"prompt": [{"role": "user"}]}, "prompt[0].content"),
        ({"prompt": [{"role": "robot", "content": "q"}]}, "prompt[0].role"),
        ({"prompt": [{"role": "assistant", "content": "q"}]}, "prompt"),
        ({"responses": ["a"]}, "responses"),
        ({"responses": ["a", ""]}, "responses[1]"),
        ({"responses": ["a", None]}, "responses[1]"),
        ({"responses": ["a", "\ud800"]}, "responses[1]"),
        ({"responses": {}}, "responses"),
        ({"responses": None}, "chosen"),
        ({"best": 2}, "best"),
        ({"best": -1}, "best"),
        ({"best": True}, "best"),
        ({"best": []}, "best"),
        ({"best": [0, 1]}, "best"),
        ({"chosen": "a", "rejected": "b"}, "chosen"),
        ({"best": [0, "1"]}, "best"),
        ({"best": None}, "best"),
        ({"id": 1.5}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"subset": []}, "subset"),
        ({"responses": None, "chosen": "a"}, "rejected"),
        ({"responses": None, "chosen": [], "rejected": "b"}, "chosen"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    file = put(tmp_path / "mine.jsonl", [CUSTOM, CUSTOM | changes])
    assert refused(custom.task, file).startswith(f"{file}, row 2, field {field}: ")
