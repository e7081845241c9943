"""What every import does: open and recognise files, check the whole, write."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from result_files import (
    BASE,
    import_set,
    judgebench_row,
    llmbar_row,
    pandalm_row,
    rating_row,
    refuse_import,
    rewardbench2_rows,
)
from shapes import put

from judgescale.harness.recorded import read_set
from judgescale.harness.recorded.__main__ import main


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = json.dumps(BASE | {"winner": "y"})
    damaged = gzip.compress(good.encode() * 50)
    cases: dict[str, tuple[bytes, str]] = {
        "line.jsonl": (f"{good}\n{good[:-9]}\n".encode(), "row 2: is not valid JSON"),
        "array.json": (b"[1, 2", "is not valid JSON"),
        "object.json": (b'{\n"prompt": \n', "is not valid JSON"),
        "deep.json": (b"[" * 100_000, "is n"),
        "numbers.jsonl": (f"{good}\n3\n".encode(), "row 2: is a number, not a JSON object"),
        "cut.jsonl.gz": (damaged[:-20], "the gzip data is damaged"),
        "flipped.jsonl.gz": (damaged[:-6] + b"\x00" * 6, "the gzip data is damaged"),
        "plain.jsonl.gz": (good.encode(), "ends in .gz but is not gzip data"),
        "binary.jsonl": (b'{"prompt": "\xff\xfe"}', "is not UTF-8"),
        "empty.jsonl": (b"", "is empty"),
        "blank.jsonl": (b" \n\n", "is empty"),
        "none.json": (b"[]", "holds no records"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        line = refuse_import(tmp_path, capsys, "jsonl", path)
        assert line.startswith(f"import: {path}") and message in line
    assert "does not exist" in refuse_import(tmp_path, capsys, "jsonl", tmp_path / "nothing.jsonl")
    twin = put(tmp_path / "twin.jsonl", [BASE | {"winner": "y"}])
    copy = put(tmp_path / "copy.jsonl.gz", [BASE | {"winner": "y"}])
    assert "has the same content as" in refuse_import(tmp_path, capsys, "jsonl", twin, copy)
    empty = tmp_path / "folder"
    put(empty / "other.json", {"a": 1})
    assert "no jsonl file among its 1 JSON files" in refuse_import(tmp_path, capsys, "jsonl", empty)


def test_a_file_of_another_format_is_pointed_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = {
        "judgebench": put(tmp_path / "jb.jsonl", [judgebench_row("1", ["A>B"])]),
        "llmbar": put(tmp_path / "result.json", [llmbar_row("1", "1")]),
        "rewardbench2": put(tmp_path / "rb.jsonl", rewardbench2_rows()),
        "pandalm": put(tmp_path / "panda.json", [pandalm_row(0)]),
        "rmb": put(tmp_path / "rmb.json", [{"pair_uid": "1", "category_path": "c", "chosen_reward": 1}]),
        "tournament": put(tmp_path / "answer_a-vs-answer_b-j-reviewer.jsonl", [rating_row(1, 1)]),
        "jsonl": put(tmp_path / "mine.jsonl", [BASE]),
    }
    for given_as in (*examples, "realmistake"):
        for kind, path in examples.items():
            if kind != given_as:
                line = refuse_import(tmp_path, capsys, given_as, path)
                assert f"is not a {given_as} file" in line and f"looks like the format {kind}" in line
    stray = put(tmp_path / "stray.json", [{"a": 1}])
    assert "is of no format known here" in refuse_import(tmp_path, capsys, "rmb", stray)


def test_a_set_never_overwrites_its_source(tmp_path, capsys) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "best": "a", "judge": "j", "scores": [1, 0]}
    path = put(tmp_path / "own.jsonl", [row])
    assert main(["import", "jsonl", str(path), "--out", str(path)]) == 2
    assert "name it SET.parquet" in capsys.readouterr().err and json.loads(path.read_text()) == row


def test_order_is_both_only_where_it_is_even(tmp_path) -> None:
    def rows(counts):
        return [
            {"prompt": f"q{i}", "responses": ["a", "b"], "best": "a", "judge": "j", "shown": shown, "scores": [1, 0]}
            for i in range(2)
            for shown, count in zip((["a", "b"], ["b", "a"]), counts)
            for _ in range(count)
        ]

    for counts, order in (((2, 2), "both"), ((3, 1), "mixed"), ((2, 0), "as_is")):
        import_set(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", rows(counts)))
        assert read_set(tmp_path / "out.parquet").meta["order"] == order


def test_what_a_folder_held_besides_is_said(tmp_path, capsys) -> None:
    folder = tmp_path / "folder"
    row = {"prompt": "q", "responses": ["a", "b"], "best": "a", "judge": "j", "scores": [1, 0]}
    put(folder / "mine.jsonl", [row])
    put(folder / "other.json", [{"something": "else"}])
    import_set(tmp_path, "jsonl", folder)
    assert "1 of 2 JSON files are not of this format (other.json)" in capsys.readouterr().err
