"""The store: what was added is found again, by any process, and a damaged file is told and left alone."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgescale.harness.store import Question, Store, encode_canonical
from judgescale.harness.store.__main__ import main
from judgescale.harness.store.store import FIELDS, VERSION, digest_row
from judgescale.harness.types import JudgescaleError, Output, Request

SETTINGS = encode_canonical({"model": "m", "engine": {"name": "fake"}, "sampling": {"temperature": 1.0}, "seed": 0})


def asked(text: str = "which?", settings: str = SETTINGS, **fields) -> Question:
    return Question.from_request(settings, Request((("user", text),), **fields))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "store.sqlite"


def filled(path: Path, questions: int = 40, answers: int = 3) -> Path:
    with Store(path) as store:
        for i in range(questions):
            for rank in range(answers):
                text = f"answer {rank} to {i} " * 20
                store.add_answer(asked(f"question {i}"), rank, Output(text, prompt_tokens=10, completion_tokens=5))
    return path


# What goes in comes out.

characters = st.characters(codec=None, exclude_categories=())
texts = st.none() | st.text(characters, max_size=50)
names = st.text(characters, min_size=1, max_size=50)
numbers = st.none() | st.integers(0, 2**62)
outputs = st.builds(
    Output,
    text=texts,
    reasoning=texts,
    finish=st.sampled_from(["stop", "length", "refused"]),
    score=st.none() | st.floats(),
    logprobs=st.none() | st.dictionaries(names, st.floats(), max_size=3),
    prompt_tokens=numbers,
    cached_tokens=numbers,
    completion_tokens=numbers,
    reasoning_tokens=numbers,
    shared=st.booleans(),
    seconds=st.none() | st.floats(0, 1e6),
    error=st.none(),
    steps=st.none() | st.lists(st.floats(), max_size=4).map(tuple),
)


def spelled(text: str | None) -> str | None:
    """Text with lone surrogates, which no file can hold, as their escapes."""
    return text and "".join(rf"\u{ord(c):04x}" if 0xD800 <= ord(c) < 0xE000 else c for c in text)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kept=st.lists(outputs, min_size=1, max_size=3), question=names)
def test_every_answer_comes_back_as_it_was_kept(kept, question):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with Store(path) as store:
            told = [store.add_answer(asked(question), rank, output) for rank, output in enumerate(kept)]
        with Store(path) as store:
            found = store.find_answers(asked(question))
        assert list(map(repr, found.values())) == list(map(repr, told))  # repr: NaN equals NaN
        for rank, output in enumerate(kept):
            assert (found[rank].text, found[rank].reasoning) == (spelled(output.text), spelled(output.reasoning))
            finite = output.score is not None and abs(output.score) < float("inf")
            assert found[rank].score == (output.score if finite else None)
            assert (found[rank].logprobs is None) == (output.logprobs is None)
            for name in ("finish", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens"):
                assert getattr(found[rank], name) == getattr(output, name)
            assert (found[rank].shared, found[rank].seconds) == (output.shared, output.seconds)


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "x" * 5_000_000, "\ud800", "é\r\n\u2028\x1b[2J", "\\ud800"])
def test_odd_texts_come_back(path, text):
    with Store(path) as store:
        store.add_answer(asked(text), 0, Output(text))
    with Store(path) as store:
        assert store.find_answers(asked(text))[0].text == spelled(text)


def test_what_differs_in_anything_is_another_question():
    base = Request((("user", "a"),))
    others = [
        Request((("system", "a"),)),
        Request((("user", "a"), ("user", ""))),
        Request((("user", "a "),)),
        Request((("user", "a"),), kind="score"),
        Request((("user", "a"),), pattern="a"),
        Request((("user", "a"),), labels=("a",)),
        Request((("user", "a"),), order=(0, 1)),
        Request((("user", "a"),), order=(1, 0)),
        Request((("user", "\ud800"),)),
        Request((("user", r"\ud800"),)),
    ]
    keys = {Question.from_request(SETTINGS, request).key for request in [base, *others]}
    assert len(keys | {Question.from_request(encode_canonical({"model": "n"}), base).key}) == len(others) + 2
    assert Question.from_request(SETTINGS, base) == Question.from_request(SETTINGS, dataclasses.replace(base))


def test_the_first_writer_wins(path):
    with Store(path) as one, Store(path) as two:
        assert one.add_answer(asked(), 0, Output("first")).text == "first"
        one.flush()
        assert two.add_answer(asked(), 0, Output("second")).text == "first"
        assert two.add_answer(asked(), 1, Output("another rank")).text == "another rank"
    with Store(path) as store:
        assert [o.text for o in store.find_answers(asked()).values()] == ["first", "another rank"]


def test_what_was_flushed_survives_a_kill(path):
    script = (
        "import os, signal; from test_store import *\n"
        f"store = Store(Path({str(path)!r})).__enter__()\n"
        "for i in range(50): store.add_answer(asked(str(i)), 0, Output('a')); store.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=paths()).returncode == -9
    with Store(path) as store:
        assert store.count_answers() == 50


def paths() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests", Path(__file__).parent)))}


def test_processes_write_side_by_side(path):
    script = (
        "import sys; from test_store import *\n"
        f"with Store(Path({str(path)!r})) as store:\n"
        "  for i in range(300): store.add_answer(asked(str(i)), 0, Output(sys.argv[1])); store.flush()\n"
        "  print(''.join(store.find_answers(asked(str(i)))[0].text for i in range(300)))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, name], cwd=ROOT, env=paths(), stdout=subprocess.PIPE, text=True)
        for name in "abc"
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(said) == 1  # all read the same, whoever wrote it
    with Store(path) as store:
        assert store.count_answers() == 300


# What is broken is told in one line, and its bytes stay.


def overwritten(path: Path, at: float, with_what: bytes) -> None:
    data = bytearray(path.read_bytes())
    start = int(len(data) * at)
    data[start : start + len(with_what)] = with_what
    path.write_bytes(data)


def by_another(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute(statement)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def foreign(path: Path) -> None:
    path.unlink()
    by_another(path, "CREATE TABLE bookmarks (url TEXT)")


def as_version_1(path: Path) -> Path:
    """A store as it was written before answers could have step scores."""
    filled(path, 2)
    by_another(path, "ALTER TABLE answer DROP COLUMN steps")
    by_another(path, "PRAGMA user_version = 1")
    return path


@pytest.mark.parametrize("readonly", [False, True])
def test_a_store_of_version_1_is_read_and_written_on(path, readonly):
    as_version_1(path)
    with Store(path, readonly) as store:
        assert len(store.find_answers(asked("question 1"))) == 3
        if not readonly:
            store.add_answer(asked("question 1"), 3, Output(steps=(0.1, 1.0)))
    with Store(path, readonly=True) as store:
        assert [a.steps for a in store.find_answers(asked("question 1")).values()][3:] == [(0.1, 1.0)] * (not readonly)


def test_what_was_asked_and_kept_before_step_scores_has_the_same_key_and_checksum():
    question = Question.from_request(encode_canonical({"model": "m"}), Request((("user", "hi"),)))
    assert question.key.hex() == "a23f2ec9b0af186e05b50307545cfa99"
    values = {"text": "no", "finish": "stop", "shared": False}
    assert digest_row([question.key, 1, *map(values.get, FIELDS)]) == 2797576606


def test_steps_tell_questions_apart():
    keys = {asked(kind="steps", marks=((3, 4),) * n, good_label=label).key for n in (1, 2) for label in (0, 1)}
    assert len(keys) == 4


def test_an_export_of_version_1_is_imported(path, tmp_path):
    main(["export", str(filled(path, 2)), str(file := tmp_path / "new.parquet")])
    table = pq.read_table(file).drop_columns("steps").replace_schema_metadata({"judgescale": "store 1"})
    pq.write_table(table, old := tmp_path / "old.parquet")
    main(["import", str(old), str(copy := tmp_path / "copy.sqlite")])
    with Store(copy) as store:
        assert len(store.find_answers(asked("question 1"))) == 3


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda p: os.truncate(p, p.stat().st_size // 2), "is damaged"),
    "cut within a page": (lambda p: os.truncate(p, p.stat().st_size - 1000), "is damaged"),
    "overwritten": (lambda p: overwritten(p, 0.5, b"\xff" * 5000), "is damaged"),
    "zeroes": (lambda p: overwritten(p, 0.3, bytes(20_000)), "is damaged"),
    "header": (lambda p: overwritten(p, 0, b"SQLite format 4"), "is damaged"),
    "one letter": (lambda p: p.write_bytes(p.read_bytes().replace(b"answer 1 to 7", b"answer 2 to 7")), "is damaged"),
    "text": (lambda p: p.write_text("my notes\n" * 1000), "is damaged"),
    "short text": (lambda p: p.write_text("x" * 300), "store"),
    "one letter of text": (lambda p: p.write_text("x"), "store"),
    "foreign": (foreign, "is no store of judgescale"),
    "newer": (lambda p: by_another(p, f"PRAGMA user_version = {VERSION + 1}"), "written by a newer judgescale"),
    "changed text": (lambda p: by_another(p, "UPDATE answer SET text = 'A' WHERE rank = 1"), "is damaged"),
    "changed score": (lambda p: by_another(p, "UPDATE answer SET score = 1.0"), "is damaged"),
    "changed steps": (lambda p: by_another(p, "UPDATE answer SET steps = '[1.0]'"), "is damaged"),
    "changed count": (lambda p: by_another(p, "UPDATE answer SET prompt_tokens = '10'"), "is damaged"),
    "lost table": (lambda p: by_another(p, "DROP TABLE answer"), "answer"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("readonly", [False, True])
def test_a_damaged_store_is_told_and_left_alone(path, damage, readonly):
    filled(path)
    harm, said = DAMAGES[damage]
    harm(path)
    before = path.read_bytes()
    with pytest.raises(JudgescaleError) as told, Store(path, readonly) as store:
        for i in range(40):
            store.find_answers(asked(f"question {i}"))
    assert said in str(told.value) and str(path) in str(told.value) and "\n" not in str(told.value)
    assert path.read_bytes() == before


@pytest.fixture
def shut() -> Iterator[Path]:
    """A folder with a store, which this process may not write to."""
    with tempfile.TemporaryDirectory() as name:
        filled(Path(name) / "store.sqlite", 2)
        root = os.geteuid() == 0
        os.chmod(name, 0o555)
        if root:
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(name, 0o755)


def test_a_folder_that_is_read_only_is_one_line(shut):
    for name in ("store.sqlite", "new.sqlite"):
        with pytest.raises(JudgescaleError, match=r"check the folder and the disk, or name run\.store=FILE"):
            Store(shut / name).__enter__()
    assert [p.name for p in shut.iterdir()] == ["store.sqlite"]


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(JudgescaleError, match="unable to open"):
        Store(tmp_path).__enter__()


def test_reading_creates_nothing(path):
    with Store(path, readonly=True) as store:
        assert store.find_answers(asked()) == {} and store.count_answers() == 0
        assert store.average_tokens(SETTINGS) is None
    assert not path.exists()


def test_averages_are_of_these_settings_alone(path):
    other = encode_canonical({"model": "other"})
    with Store(path) as store:
        for rank, written in enumerate((10, 20)):
            store.add_answer(asked(), rank, Output("a", prompt_tokens=50, completion_tokens=written, shared=rank > 0))
        store.add_answer(asked(settings=other), 0, Output("a", prompt_tokens=1, completion_tokens=1))
        store.add_answer(asked("uncounted"), 0, Output("a"))
        per_character, written = store.average_tokens(SETTINGS)
        assert written == 15 and per_character * len(asked().request) == pytest.approx(50)


# Export, import, show.


def rows_of(path: Path) -> list[dict]:
    with Store(path, readonly=True) as store:
        return [{k: v for k, v in row.items() if k != "created"} for row in store.read_rows()]


@pytest.fixture
def exported(path, tmp_path) -> Path:
    with Store(filled(path, 5)) as store:
        odd = Output("\ud800", None, "length", 0.1, {"A": -0.5, "B": float("-inf")}, 1, 0, 2, 3, True, 0.25)
        store.add_answer(asked("odd"), 7, odd)
        store.add_answer(asked("other", encode_canonical({"model": "n"})), 0, Output(score=-3.0))
    main(["export", str(path), str(tmp_path / "out.parquet")])
    return tmp_path / "out.parquet"


def test_an_export_imports_as_it_was_and_only_once(path, exported, tmp_path, capsys):
    copy = tmp_path / "copy.sqlite"
    for told in ("17 new of 17", "0 new of 17"):
        main(["import", str(exported), str(copy)])
        assert told in capsys.readouterr().out
        assert rows_of(copy) == rows_of(path) and len(rows_of(path)) == 17


def test_an_import_keeps_what_the_store_had(exported, tmp_path):
    copy = tmp_path / "copy.sqlite"
    with Store(copy) as store:
        store.add_answer(asked("question 0"), 0, Output("mine"))
    main(["import", str(exported), str(copy)])
    with Store(copy) as store:
        assert store.count_answers() == 17 and store.find_answers(asked("question 0"))[0].text == "mine"


def changed(file: Path, column: str, value: object, row: int = 3) -> None:
    table = pq.read_table(file)
    values = table[column].to_pylist()
    values[row] = value
    place = table.column_names.index(column)
    pq.write_table(
        table.set_column(place, table.schema.field(place), pa.array(values, table.schema.types[place])), file
    )


TAMPERED: dict[str, Callable[[Path], object]] = {
    "request": lambda f: changed(f, "request", asked("another").request),
    "settings": lambda f: changed(f, "settings", encode_canonical({"model": "cheap"})),
    "key": lambda f: changed(f, "key", b"0123456789abcdef"),
    "no request": lambda f: changed(f, "request", None),
    "no rank": lambda f: changed(f, "rank", None),
    "negative rank": lambda f: changed(f, "rank", -1),
    "log-probabilities": lambda f: changed(f, "logprobs", "{'A': 1"),
    "no mapping": lambda f: changed(f, "logprobs", "[1]"),
    "finish": lambda f: changed(f, "finish", "failed"),
    "no finish": lambda f: changed(f, "finish", None),
    "column": lambda f: pq.write_table(pq.read_table(f).drop_columns(["text"]), f),
    "cut": lambda f: os.truncate(f, f.stat().st_size // 2),
    "flipped": lambda f: overwritten(f, 0.2, b"\xff" * 200),
    "no parquet": lambda f: f.write_text("{}"),
    "another parquet": lambda f: pq.write_table(pa.table({"a": [1]}), f),
    "missing": lambda f: f.unlink(),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_export_changes_nothing(exported, tmp_path, how):
    TAMPERED[how](exported)
    copy = filled(tmp_path / "copy.sqlite", 2)
    before = rows_of(copy)
    with pytest.raises(SystemExit) as told:
        main(["import", str(exported), str(copy)])
    assert re.fullmatch(rf"error: .*{re.escape(str(exported))}.*", str(told.value))
    assert rows_of(copy) == before


@pytest.mark.parametrize("width", [50, 80])
def test_show_cuts_no_number_on_a_narrow_terminal(path, capsys, monkeypatch, width):
    sampling = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 8192, "thinking_budget": 4096}
    engine = {"name": "openai", "provider": "api.provider.example"}
    model = encode_canonical({"model": "org/Some-Judge-Model-32B-Instruct", "engine": engine, "sampling": sampling})
    with Store(path) as store:
        store.add_answer(asked("a", model), 0, Output("x", prompt_tokens=67_040, completion_tokens=1_234_567))
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["show", str(path)])
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert all(len(line) <= width for line in shown.splitlines())
    for number in ("67,040", "1,234,567", "max_tokens=8192", "thinking_budget=4096", "top_p=0.95"):
        assert re.search(rf"(?<!\d){number}(?!\d)", shown), shown


def test_show_lists_models_with_their_counts(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    with Store(filled(path)) as store:
        store.add_answer(asked("x", encode_canonical({"model": "[bold]n"})), 0, Output(score=1.0))
    main(["show", str(path)])
    shown = capsys.readouterr().out
    assert "[bold]n" in shown  # a name is no markup
    assert [word for word in shown.split() if word[0].isdigit()] == ["40", "120", "1,200", "600", "1", "1"]


@pytest.mark.parametrize(
    "arguments", [["show", "{none}"], ["export", "{none}", "{out}"], ["import", "{none}", "{out}"]]
)
def test_the_command_line_names_a_file_that_is_missing(tmp_path, arguments):
    given = [a.format(none=tmp_path / "none.file", out=tmp_path / "out.file") for a in arguments]
    with pytest.raises(SystemExit, match=r"error: .*none\.file"):
        main(given)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["show", "export"])
def test_the_command_line_tells_damage_in_one_line(path, tmp_path, command):
    filled(path)
    overwritten(path, 0.5, b"\xff" * 5000)
    with pytest.raises(SystemExit, match=r"^error: store .* is damaged .*$"):
        main([command, str(path), *([str(tmp_path / "out.parquet")] if command == "export" else [])])
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".parquet"] == []


def test_an_option_that_was_renamed_keeps_the_answers_it_had(tmp_path):
    old = encode_canonical({"model": "m", "sampling": {"max_tokens": 9, "thinking_tokens": 4}, "seed": 0})
    new = encode_canonical({"model": "m", "sampling": {"max_tokens": 9, "thinking_budget": 4}, "seed": 0})
    other = encode_canonical({"model": "m", "sampling": {"max_tokens": 9, "thinking_budget": 5}, "seed": 0})
    with Store(tmp_path / "store.sqlite") as store:
        assert store.find_settings(new) == new
        store.add_answer(asked("q", old), 0, Output("kept"))
        assert store.find_settings(new) == old and store.find_settings(other) == other
        assert store.find_answers(asked("q", store.find_settings(new)))[0].text == "kept"


def test_the_log_is_folded_into_the_file_while_the_store_is_written_to(path, tmp_path):
    alone = tmp_path / "alone" / "store.sqlite"  # a copy without its log
    alone.parent.mkdir()
    with Store(path) as store:
        store.add_answer(asked("first"), 0, Output("kept"))
        store.flush()
        store.add_answer(asked("second"), 0, Output("not yet committed"))
        thread = threading.Thread(target=store.fold_log)
        thread.start()
        thread.join()
        shutil.copy(path, alone)
        with Store(alone, readonly=True) as copy:
            assert copy.count_answers() == 1
            assert copy.find_answers(asked("first"))[0].text == "kept"


def test_a_file_that_takes_the_place_of_a_store_is_left_alone(path):
    with Store(path) as store:
        store.add_answer(asked("first"), 0, Output("kept"))
        store.flush()
        path.unlink()
        path.write_text("somebody's")
        store.fold_log()
        assert path.read_text() == "somebody's"
