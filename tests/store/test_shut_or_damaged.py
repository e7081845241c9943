"""A store that cannot be written to is still read; what stands in it unreadable is one line."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from judgescale.harness.store import Question, Store, encode_canonical
from judgescale.harness.store.__main__ import main
from judgescale.harness.types import JudgescaleError, Output, Request

SETTINGS = encode_canonical({"model": "m", "engine": {"name": "openai"}, "sampling": {"temperature": 0.5}})
QUESTION = Question.from_request(SETTINGS, Request((("user", "q"),)))


def fill(path: Path) -> None:
    with Store(path) as store:
        store.add_answer(QUESTION, 0, Output(text="A", prompt_tokens=3, completion_tokens=4))


@contextmanager
def shut(folder: Path) -> Iterator[None]:
    """Make a folder and its files such that this process may not write there, root or not."""
    for path in (*folder.iterdir(), folder):
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        os.chmod(folder, 0o755)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:  # which others may enter, unlike tmp_path
        yield Path(name)


def test_a_store_in_a_read_only_folder_is_read_shown_and_exported(folder, tmp_path, capsys):
    for store in (folder / "s.sqlite", tmp_path / "s.sqlite"):
        fill(store)
    main(["show", str(tmp_path / "s.sqlite")])  # imports what another user may not be able to
    main(["export", str(tmp_path / "s.sqlite"), f"{tmp_path}/s.parquet"])
    capsys.readouterr()
    with tempfile.TemporaryDirectory() as out:
        os.chmod(out, 0o777)
        with shut(folder):
            with Store(folder / "s.sqlite", readonly=True) as store:
                assert store.find_answers(QUESTION)[0].text == "A"
                assert store.average_tokens(SETTINGS) is not None  # as --dry asks
            main(["show", str(folder / "s.sqlite")])
            main(["export", str(folder / "s.sqlite"), f"{out}/s.parquet"])
        said = capsys.readouterr().out
        assert "openai" in said and "1 answers to" in said and Path(out, "s.parquet").stat().st_size
    assert [p.name for p in folder.iterdir()] == ["s.sqlite"]


def test_answers_that_are_still_in_the_log_are_not_passed_over(folder, tmp_path):
    with Store(tmp_path / "s.sqlite") as store:  # still open: what it wrote is in the log
        store.add_answer(QUESTION, 0, Output(text="A"))
        store.flush()
        for name in ("s.sqlite", "s.sqlite-wal"):
            shutil.copy(tmp_path / name, folder)
    with shut(folder), pytest.raises(JudgescaleError, match="its last answers are in s.sqlite-wal"):
        Store(folder / "s.sqlite", readonly=True).__enter__()


@pytest.mark.parametrize(
    "settings",
    ["", "{", "[]", "5", "{}", '{"model": 1, "engine": 5}', '{"model": 1, "sampling": [1]}', b"\xff\x00", "[" * 50_000],
)
def test_damaged_settings_are_one_line(tmp_path, capsys, settings):
    fill(tmp_path / "s.sqlite")
    db = sqlite3.connect(tmp_path / "s.sqlite")
    db.execute("UPDATE model SET settings = ?", (settings,))
    db.commit()
    db.close()
    with pytest.raises(SystemExit) as ended:
        main(["show", str(tmp_path / "s.sqlite")])
    assert "the settings of a model are not what was written" in str(ended.value)
    assert str(tmp_path / "s.sqlite") in str(ended.value) and "\n" not in str(ended.value)


DAMAGES: dict[str, str] = {
    "rank": "UPDATE answer SET rank = 'x'",
    "created": "UPDATE answer SET created = X'ff'",
    "request": "UPDATE question SET request = X'ff00'",
    "key": "UPDATE answer SET key = 'text'; UPDATE question SET key = 'text'",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_export_of_a_damaged_row_is_one_line(tmp_path, damage):
    fill(tmp_path / "s.sqlite")
    db = sqlite3.connect(tmp_path / "s.sqlite")
    db.executescript(DAMAGES[damage])
    db.close()
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "s.sqlite"), str(tmp_path / "out.parquet")])
    assert "damaged" in str(ended.value) and "\n" not in str(ended.value)
    assert not list(tmp_path.glob("*.parquet*"))
