"""The importer of one's own judgments."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path
from typing import Any

import pytest
from result_files import BASE, import_set, refuse_import
from shapes import put

from judgescale.harness.recorded import read_set
from judgescale.harness.recorded.__main__ import main
from judgescale.harness.types import JudgescaleError
from judgescale.tasks import custom, ppe_best_of_k


def test_jsonl(tmp_path: Path) -> None:
    rows = [
        BASE | {"winner": "y"},
        BASE | {"winner": 2, "shown": ["z", "y"], "variant": "v", "meta": 0.5, "prompt_tokens": 9, "chars": 3},
        BASE | {"winner": "tie", "shown": [1, 0]},
        BASE | {"winner": None},
        BASE | {"scores": None, "status": "truncated", "completion_tokens": 8192},
        BASE | {"scores": [1, 2.5, 3], "sample": 7},
        BASE | {"scores": [1, 2.5, 3]},
    ]
    records = import_set(tmp_path, "jsonl", put(tmp_path / "mine.jsonl.gz", rows))
    assert [(r.judgment.shown, r.judgment.scores, r.judgment.status, r.judgment.sample) for r in records] == [
        ((0, 1, 2), (0.0, 1.0, 0.0), "ok", 0),
        ((2, 1), (1.0, 0.0), "ok", 0),
        ((1, 0), (0.5, 0.5), "ok", 0),
        ((0, 1, 2), None, "unparsed", 1),
        ((0, 1, 2), None, "truncated", 2),
        ((0, 1, 2), (1.0, 2.5, 3.0), "ok", 7),
        ((0, 1, 2), (1.0, 2.5, 3.0), "ok", 8),
    ]
    assert records[0].gold == (0.0, 1.0, 0.0) and records[0].cluster == "q"
    assert (records[1].judgment.meta, records[1].judgment.prompt_tokens, records[1].judgment.chars) == (0.5, 9, 3)
    assert records[4].judgment.completion_tokens == 8192
    assert read_set(tmp_path / "out.parquet").meta["tasks"] == ["custom"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"winer": "y"}, "row 2, field winer: is not a field of this format"),
        ({"winner": "w"}, "row 2, field winner: 'w' is neither a name"),
        ({"winner": "x", "shown": [1, 2]}, "row 2, field winner"),
        ({"winner": "x", "scores": [1, 2, 3]}, "row 2, field winner: stands beside scores"),
        ({"scores": [1, 2]}, "row 2, field scores: 2 numbers for 3 responses"),
        ({"scores": [1, 2, True]}, "row 2, field scores: True is not a finite number"),
        ({"scores": [1, 2, float("inf")]}, "row 2, field scores: inf is not a finite number"),
        ({"scores": [1, 2, 10**400]}, "row 2, field scores"),
        ({}, "row 2, field scores: is missing"),
        ({"winner": "x", "status": "failed"}, "row 2, field status"),
        ({"winner": "x", "status": "good"}, "row 2, field status"),
        ({"winner": "x", "shown": [0, 0]}, "row 2, field shown"),
        ({"winner": "x", "judge": None}, "row 2, field judge"),
        ({"winner": "x", "best": "w"}, "row 2, field best"),
        ({"winner": "x", "best": "z"}, "row 2, field gold"),
        ({"winner": "x", "sample": 99999}, "row 2, field sample"),
        ({"winner": "x", "sample": 0}, "the same judgment as row 1"),
        ({"winner": "x", "responses": "xyz"}, "row 2, field responses: is text, expected a list"),
        ({"winner": "x", "responses": ["x", "y"], "best": "y"}, "row 2, field responses"),
    ],
)
def test_jsonl_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    path = put(tmp_path / "mine.jsonl", [BASE | {"winner": "y"}, BASE | changes])
    line = refuse_import(tmp_path, capsys, "jsonl", path)
    assert line.startswith(f"import: {path}, row 2") and message in line


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"gold": [0.9, 0.1], "scores": [1, 0]}, "field gold: [0.9, 0.1] must be 0 or 1 a response"),
        ({"best": [], "scores": [1, 0]}, "field best: is empty"),
        ({"responses": ["1", "2"], "best": "1", "winner": 1}, "field winner: 1 may be a name or an index here"),
        (
            {"responses": ["a"], "gold": [1], "scores": [9]},
            "field scores: 9 about a lone response must lie between 0 and 1",
        ),
        ({"responses": [None, "b"], "best": "b", "scores": [1, 0]}, "field responses: None is not a name"),
        ({"best": "a", "scores": [1, 0], "chars": 1.5}, "field chars: 1.5 is not a whole number"),
    ],
)
def test_jsonl_refuses_what_could_be_read_wrongly(tmp_path, capsys, row, words) -> None:
    base = {"prompt": "q", "responses": ["a", "b"], "judge": "j"}
    assert words in refuse_import(tmp_path, capsys, "jsonl", put(tmp_path / "mine.jsonl", [base | row]))


def test_jsonl_takes_an_item_without_a_right_response_for_tasks_that_have_them(tmp_path) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "gold": [0, 0], "judge": "j", "scores": [1, 0]}
    import_set(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", [row]))
    data = read_set(tmp_path / "out.parquet")
    assert [item.gold for item in ppe_best_of_k.task(n=2).load(data)] == [(0.0, 0.0)]
    with pytest.raises(JudgescaleError, match=r"item q: gold \[0.0, 0.0\] must be 0 or 1 a response"):
        custom.task().load(data)


def test_jsonl_takes_whole_floats_as_counts(tmp_path) -> None:
    row = {
        "prompt": "q",
        "responses": ["a", "b"],
        "best": "a",
        "judge": "j",
        "scores": [1, 0],
        "completion_tokens": 12.0,
    }
    assert import_set(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", [row]))[0].judgment.completion_tokens == 12


def test_scores_of_responses_alone_may_be_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [BASE | {"scores": [3, None, 1]}, BASE | {"scores": [None, None, None], "status": "failed"}]
    path = put(tmp_path / "mine.jsonl", rows)
    records = import_set(tmp_path, "jsonl", path, "--pointwise", "yes")
    assert [r.judgment.scores for r in records] == [(3, nan, 1), None]
    assert read_set(tmp_path / "out.parquet").meta["pointwise"] is True
    capsys.readouterr()
    assert main(["show", str(tmp_path / "out.parquet")]) == 0
    assert "each response alone" in capsys.readouterr().out
    assert "row 1, field scores: None is not a finite number" in refuse_import(tmp_path, capsys, "jsonl", path)
    assert "--pointwise maybe: say yes or no" in refuse_import(tmp_path, capsys, "jsonl", path, "--pointwise", "maybe")
    games = put(tmp_path / "games.jsonl", [BASE | {"winner": "y"}])
    assert "field winner: is a verdict on several" in refuse_import(
        tmp_path, capsys, "jsonl", games, "--pointwise", "yes"
    )


def test_jsonl_takes_step_scores_of_responses_scored_alone(tmp_path) -> None:
    rows = [
        BASE | {"steps": [[0.9, 0.5], [0.25], None], "pointwise": True},
        BASE | {"steps": [[0.9, 0.5], [0.25], [1]], "scores": [0.45, 0.25, 1]},
        BASE | {"scores": [1, None, 2]},
        BASE | {"status": "failed"},
    ]
    records = import_set(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", rows))
    first, second, third, fourth = (r.judgment for r in records)
    assert first.steps == ((0.9, 0.5), (0.25,), ()) and first.scores[:2] == (0.5, 0.25) and isnan(first.scores[2])
    assert second.scores == (0.45, 0.25, 1.0) and second.steps[2] == (1.0,)
    assert third.steps is None and isnan(third.scores[1]) and fourth.scores is None
    data = read_set(tmp_path / "out.parquet")
    assert data.meta["pointwise"] is True and data.meta["schema"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": [[1], [1]]}, "field steps: 2 lists of step scores for 3 responses"),
        ({"steps": [[1], [1], []]}, "field steps: a response has no step scores; only a pointwise set may lack some"),
        ({"steps": [[1], [1], 0.5]}, "field steps: 0.5 is not a list of step scores"),
        ({"steps": [[1], [1], [0.5, "x"]]}, "field steps: 'x' is not a finite number"),
        ({"steps": [[1], [1], [True]]}, "field steps: True is not a finite number"),
        ({"steps": 0.5}, "field steps: is a number, expected a list"),
        ({"steps": [[1], [1], [1]], "winner": "x"}, "field winner: stands beside steps, which says the same"),
        ({"steps": [[1], [1], [1]], "scores": None}, "field steps: stand beside scores that say nothing"),
        ({"steps": [[1], [1], [1]], "status": "failed"}, "field status: is failed, but the row has a verdict"),
        ({"winner": "x", "pointwise": "yes"}, "field pointwise: 'yes' must be true or false"),
        ({"winner": "x", "pointwise": True}, "field pointwise: is true, and of this set it is false, by its first row"),
    ],
)
def test_jsonl_says_what_is_wrong_with_steps(tmp_path, capsys, changes, message) -> None:
    path = put(tmp_path / "mine.jsonl", [BASE | {"winner": "y"}, BASE | changes])
    assert f"{path}, row 2, {message}" in refuse_import(tmp_path, capsys, "jsonl", path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": [None, None, []]}, "field steps: no response has step scores; leave the field out"),
        ({"steps": [[1], [1], None], "scores": [1, 1, 1]}, "field steps: response 3 of those shown has only one of"),
        ({"steps": [[1], [1], [1]], "scores": [1, 1, None]}, "field steps: response 3 of those shown has only one of"),
        ({"scores": [1, 1, 1], "pointwise": False}, "field pointwise: is false, and of this set it is true"),
    ],
)
def test_jsonl_says_what_is_wrong_with_a_pointwise_row(tmp_path, capsys, changes, message) -> None:
    path = put(tmp_path / "mine.jsonl", [BASE | {"scores": [1, 2, None], "pointwise": True}, BASE | changes])
    assert f"{path}, row 2, {message}" in refuse_import(tmp_path, capsys, "jsonl", path)
