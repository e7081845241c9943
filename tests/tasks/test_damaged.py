"""Damaged copies of every benchmark that is read from local files: one line that says where, and nothing left behind.

The rows are made up, in the owners' shape.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from conftest import run as run_py
from omegaconf import DictConfig
from shapes import (
    CUSTOM,
    JUDGEBENCH,
    LLMBAR,
    REWARDBENCH,
    REWARDBENCH2,
    RM_BENCH,
    answers,
    best_of,
    mistake,
    pair,
    panda,
    put,
    vote,
)

from judgescale.harness.errors import explain_error
from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.plan import plan_arms, releases
from judgescale.harness.plan.common import read_shared
from judgescale.harness.plan.live import LiveArm
from judgescale.harness.plan.releases import check_release, format_release, list_digests
from judgescale.harness.runner import run
from judgescale.harness.types import Item, JudgescaleError, Loaded, Task

Rows = list[dict[str, Any]]


class Shape(NamedTuple):
    """A benchmark's file: two rows, a text of the second one, its label, and a label that there is not."""

    file: str
    rows: Rows
    text: str  # with dots where it lies within another field
    label: str
    wrong: Any
    same_id: dict[str, Any] | None  # what gives the second row the id of the first
    swap: Callable[[dict[str, Any]], None] = lambda row: None  # the label says the opposite
    judge: str = "pairwise"
    beside: dict[str, Rows] = {}
    options: dict[str, Any] = {}


def exchange(a: str, b: str) -> Callable[[dict[str, Any]], None]:
    def swap(row: dict[str, Any]) -> None:
        row[a], row[b] = row[b], row[a]

    return swap


def best_for_loser(row: dict[str, Any]) -> None:
    row["bon_best"], row["loser_list"][0] = row["loser_list"][0], row["bon_best"]


MODELS = ("bard", "claude", "gpt35", "gpt4", "vicuna-13b")
ONE, TWO = ({"question_id": f"{i}"} for i in range(2))
SHAPES = {
    "custom": Shape(
        "mine.jsonl", [CUSTOM | {"id": i} for i in range(2)], "prompt", "best", 2, {"id": 0},
        lambda row: row.update(best=1 - row["best"]),
    ),
    "llmbar": Shape(
        "Natural/dataset.json", [LLMBAR | {"input": f"q{i}"} for i in range(2)], "output_2", "label", 3, None,
        lambda row: row.update(label=3 - row["label"]),
    ),
    "judgebench": Shape(
        "dataset=judgebench,response_model=m.jsonl", [JUDGEBENCH | {"pair_id": f"p{i}"} for i in range(2)],
        "response_B", "label", "A=B", {"pair_id": "p0"}, lambda row: row.update(label="B>A"),
    ),
    "pandalm": Shape(
        "testset-v1.json", [panda(i, (1, 1, 2)) for i in range(2)], "response2", "annotator3", 3, {"idx": 0},
        lambda row: row.update(annotator2=2),
    ),
    "rm_bench": Shape(
        "chat_filtered.json", [RM_BENCH | {"id": i} for i in range(2)], "prompt", "domain", "poetry", {"id": 0},
        exchange("chosen", "rejected"),
    ),
    "rmb": Shape(
        "Pairwise_set/Helpfulness/Chat.json", [pair(i) for i in range(2)], "reject.answer", "category_path",
        "Other_set/x", {"pair_uid": 0}, exchange("chosen", "reject"),
    ),
    "rmb_bon": Shape(
        "BoN_set/Harmlessness/S1.json", [best_of(i, 2) for i in range(2)], "bon_best.answer", "category_path",
        "Pairwise_set/x", {"bon_uid": 0}, best_for_loser, judge="pointwise",
    ),
    "rewardbench": Shape(
        "filtered.jsonl", [REWARDBENCH | {"id": i} for i in range(2)], "rejected", "prompt",
        [{"role": "robot", "content": "q"}], {"id": 0}, exchange("chosen", "rejected"),
    ),
    "rewardbench2": Shape(
        "test.jsonl", [REWARDBENCH2 | {"id": f"{i}"} for i in range(2)], "prompt", "chosen", [], {"id": "0"},
        lambda row: row.update(chosen=["x"], rejected=["good", "y", "z"]), judge="choice",
    ),
    "realmistake": Shape(
        "math_word_problem_generation/gpt-4-0613.jsonl", [mistake(i) for i in range(2)], "llm_response", "label",
        "maybe", {"metadata": mistake(0)["metadata"]}, lambda row: row.update(label="no_error"), judge="detection",
    ),
    "ppe_preference": Shape(
        "test.jsonl", [vote(**ONE), vote(**TWO)], "response_2", "winner", "model_c", ONE,
        lambda row: row.update(winner="model_b"),
    ),
    "ppe_correctness": Shape(
        "math.jsonl", [answers([True, False], [[0, 1]], **id) for id in (ONE, TWO)], "response_2", "scores[1]", 7, ONE,
        lambda row: row.update(scores=[False, True]),
    ),
    "ppe_best_of_k": Shape(
        "math.jsonl", [answers([True, False], **id) for id in (ONE, TWO)], "response_2", "scores[1]", 7, ONE,
        lambda row: row.update(scores=[False, True]), options={"n": 2},
    ),
    "vicuna80_pairs": Shape(
        "prompts/vicuna_questions.jsonl", [{"question_id": i, "text": f"q{i}"} for i in range(1, 81)],
        "text", "question_id", [], {"question_id": 1},
        beside={f"generations/answer_{model}.jsonl": [{"question_id": i, "text": f"{model} {i}"} for i in range(1, 81)]
                for model in MODELS},
    ),
}  # fmt: skip
CONFIGS: dict[str, DictConfig] = {}  # composing takes longer than all else
FOLDERS = ("llmbar", "vicuna80_pairs")  # whose readers are given the folder
HELD = ("llmbar", "judgebench", "pandalm", "rm_bench", "rmb", "rmb_bon")  # those that know their owners' release


class Copy:
    """A copy of a benchmark in a folder, its path as task.path, and the config of a live run on it."""

    def __init__(self, name: str, folder: Path, composed: Callable[..., DictConfig]) -> None:
        self.name, self.shape = name, SHAPES[name]
        self.rows = copy.deepcopy(self.shape.rows)
        self.folder, self.file = folder / "copy", folder / "copy" / self.shape.file
        self.out, self.store = folder / "out", folder / "store.sqlite"
        for file, rows in self.shape.beside.items():
            put(self.folder / file, rows)
        if name not in CONFIGS:
            judge = f"judge={self.shape.judge}"
            CONFIGS[name] = composed(judge, "judge.model=m", "engine=openai", f"task={name}", "strategy=single")
        self.cfg = copy.deepcopy(CONFIGS[name])
        self.cfg.run.store = str(self.store)
        for option, value in self.shape.options.items():
            self.cfg.task[option] = value

    def put(self, bytes_: bytes | None = None, suffix: str = "") -> None:
        """Write the rows, or these bytes, and make them what a run would read."""
        file = self.file.with_name(self.file.name + suffix) if suffix else self.file
        file.parent.mkdir(parents=True, exist_ok=True)
        put(file, self.rows) if bytes_ is None else file.write_bytes(bytes_)
        whole = self.name in FOLDERS and suffix != ".parquet"
        self.cfg.task.path = str(self.folder if whole else file)

    def plan(self) -> tuple[str, ...]:
        """What a run over the rows would tell of them; JudgescaleError where there can be none."""
        self.put()
        (arm,) = plan_arms(self.cfg)
        assert isinstance(arm, LiveArm) and arm.arm.items
        return arm.arm.about

    def refused(self, bytes_: bytes | None = None, suffix: str = "") -> str:
        self.put(bytes_, suffix)
        with pytest.raises(JudgescaleError) as error:
            run([self.cfg], self.out, show=False)
        assert not self.out.exists() and not self.store.exists()
        line = explain_error(error.value)
        assert "\n" not in line and "internal" not in line
        return line.removeprefix("error: ")


@pytest.fixture(params=SHAPES)
def damaged(request: pytest.FixtureRequest, tmp_path: Path, composed: Callable[..., DictConfig]) -> Copy:
    return Copy(request.param, tmp_path, composed)


def change(row: dict[str, Any], field: str, value: Any) -> None:
    """Set a field by its dotted name, an element of a list by its index; delete it for None."""
    *outer, last = field.replace("[", ".").replace("]", "").split(".")
    held: Any = row
    for name in outer:
        held = held[name]
    if value is None:
        del held[last]
    elif isinstance(held, list):
        held[int(last)] = value
    else:
        held[last] = value


def test_whole_copies_are_read(damaged: Copy) -> None:
    damaged.plan()


def test_bad_json(damaged: Copy) -> None:
    damaged.plan()
    text = damaged.file.read_bytes()
    row = f", row {len(damaged.rows)}" if ".jsonl" in damaged.file.name else ""
    assert damaged.refused(text[:-3]).startswith(f"{damaged.file}{row}: is not valid JSON: ")


def test_a_missing_field(damaged: Copy) -> None:
    change(damaged.rows[1], damaged.shape.text, None)
    line = damaged.refused()
    assert line.startswith(f"{damaged.file}, row 2, field {damaged.shape.text}: is missing; the record has: ")


@pytest.mark.parametrize("value", [{"a": 1}, 1.5])
def test_a_mistyped_field(damaged: Copy, value: Any) -> None:
    change(damaged.rows[1], damaged.shape.text, value)
    kind = "an object" if value != 1.5 else "a number"
    line = damaged.refused()
    assert line.startswith(f"{damaged.file}, row 2, field {damaged.shape.text}: is {kind}, expected text")


def test_a_label_out_of_range(damaged: Copy) -> None:
    change(damaged.rows[1], damaged.shape.label, damaged.shape.wrong)
    line = damaged.refused()
    assert line.startswith(f"{damaged.file}, row 2, field {damaged.shape.label}"), line


def test_an_id_that_is_there_twice(damaged: Copy) -> None:
    if damaged.shape.same_id is None:
        pytest.skip("its items are numbered by their rows")
    damaged.rows[1].update(damaged.shape.same_id)
    line = damaged.refused()
    assert line.startswith(f"{damaged.file}, row 2") and "is there already: " in line and line.endswith("row 1")


def test_an_empty_file(damaged: Copy) -> None:
    assert damaged.refused(b"\n") == f"{damaged.file}: is empty"
    assert damaged.refused(b"[]") == f"{damaged.file}: holds no records"


def test_wrong_gzip(damaged: Copy) -> None:
    text = json.dumps(damaged.rows * 50).encode()
    assert f"{damaged.file}.gz: the gzip data is damaged" in damaged.refused(gzip.compress(text)[:-20], ".gz")
    assert f"{damaged.file}.gz: ends in .gz but is not gzip data; rename it" in damaged.refused(text, ".gz")
    zipped = bytearray(gzip.compress(text))
    zipped[-6] ^= 1  # the check sum
    assert f"{damaged.file}.gz: the gzip data is damaged" in damaged.refused(bytes(zipped), ".gz")


def test_wrong_parquet(damaged: Copy) -> None:
    if damaged.name == "vicuna80_pairs":
        pytest.skip("reads JSON Lines")
    assert f"{damaged.file}.parquet: is not a Parquet file" in damaged.refused(b"PAR1 no more", ".parquet")
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table({"nothing": ["x"] * 1000}), buffer)
    whole = buffer.getvalue().to_pybytes()
    assert f"{damaged.file}.parquet: is not a Parquet file" in damaged.refused(whole[:-100], ".parquet")
    assert f"{damaged.file}.parquet, row 1, field " in damaged.refused(whole, ".parquet")
    spoiled = whole[:20] + bytes(len(whole) // 2) + whole[20 + len(whole) // 2 :]
    assert f"{damaged.file}.parquet: is not a Parquet file" in damaged.refused(spoiled, ".parquet")


@pytest.fixture(params=HELD)
def released(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    composed: Callable[..., DictConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> Copy:
    """A copy of a benchmark that knows its release: that of the copy as it is."""
    made = Copy(request.param, tmp_path, composed)
    made.plan()
    package = tmp_path / f"made_up_{request.param}"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"""
from dataclasses import replace
from pathlib import Path
from judgescale.tasks import {request.param}

def task(**options):
    return replace({request.param}.task(**options), release=Path(__file__).with_name("release.json"))
"""
    )
    task = read_shared(made.cfg).task
    assert task.read
    (package / "release.json").write_text(format_release(SOURCE, list_digests(task, task.read().items)))
    monkeypatch.syspath_prepend(tmp_path)
    made.cfg.task["_target_"] = f"{package.name}.task"
    return made


SOURCE = "github.com/owner/name@0123456789abcdef"
SHOWN = "(github.com/owner/name@01234567)"


def test_swapped_labels_are_noticed(released: Copy) -> None:
    assert not any(SHOWN in note for note in released.plan())
    released.shape.swap(released.rows[1])
    line = released.refused()
    assert line.startswith(f"task.path={released.cfg.task.path}, ") and SHOWN in line
    assert "items): the labels are not those of the owners' release" in line and "task.release=false" in line
    released.cfg.task.release = False
    assert "Labels were not held against the owners' release (task.release=false)." in released.plan()
    released.cfg.task.release = "yes"
    assert "task.release=yes: must be true, or false" in released.refused()


def test_other_texts_and_other_items_are_told(released: Copy) -> None:
    text = released.rows[1]
    change(text, released.shape.text, "another text")
    assert any(re.match(r"The texts of .* differ from the owners' release", note) for note in released.plan())
    del released.rows[1]
    told = [note for note in released.plan() if SHOWN in note]
    assert len(told) == 1 and told[0].startswith("Other items than in the checked release")


def test_of_the_hub_other_labels_are_told() -> None:
    item = Item(
        id="1",
        prompt="1",
        cluster="1",
        responses=("A", "B"),
        gold=(1.0, 0.0),
        subset="s",
        conversation=(("user", "q"),),
        texts=("a", "b"),
    )
    task = Task(name="mine", revision="1", load=lambda data: [], credit=credit_best)
    with tempfile.TemporaryDirectory() as folder:
        release = Path(folder) / "release.json"
        release.write_text(format_release(SOURCE, list_digests(task, [item])))
        turned = replace(item, responses=("B", "A"), gold=(0.0, 1.0), texts=("b", "a"))
        assert check_release(Loaded([turned], {"hub": "owner/name"}), task, release, "") == []
        wrong = Loaded([replace(item, gold=(0.0, 1.0))], {"hub": "owner/name"})
        assert check_release(wrong, task, release, "") == [
            f"The labels of s (1 items) differ from the owners' release {SHOWN}."
        ]


def test_the_releases_that_are_shipped() -> None:
    files = sorted(ROOT.glob("tasks/*/release.json"))
    assert [file.parent.name for file in files] == sorted(HELD)
    assert sum(file.stat().st_size for file in files) < 40_000
    for file in files:
        known = json.loads(file.read_text())
        assert re.fullmatch(r"github\.com/[\w.-]+/[\w.-]+@[0-9a-f]{40}", known["source"])
        entries = known["subsets"]
        assert len({(entry["subset"], entry["ids"]) for entry in entries}) == len(entries)
        assert all(re.fullmatch("[0-9a-f]{12}", entry[name]) for entry in entries for name in ("ids", "gold", "texts"))


def test_the_command_line_prints_a_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = SHAPES["llmbar"]
    put(tmp_path / shape.file, shape.rows)
    with patch("sys.argv", ["releases", "judgescale.tasks.llmbar.task", str(tmp_path), "--source", SOURCE]):
        releases.main()
    known = json.loads(capsys.readouterr().out)
    assert known["source"] == SOURCE and [(e["subset"], e["items"]) for e in known["subsets"]] == [("Natural", 2)]


@pytest.mark.parametrize(
    ("name", "path", "source", "says"),
    [
        (
            "judgescale.tasks.llmbar.task",
            "nowhere",
            SOURCE,
            "error: task.path=nowhere: there is no such file or folder",
        ),
        ("nothing", ".", SOURCE, "nothing: is no task's _target_, as in judgescale.tasks.rmb.task"),
        ("judgescale.tasks.llmbar.nothing", ".", SOURCE, "judgescale.tasks.llmbar.nothing: is no task's _target_"),
        ("judgescale.tasks.sanity.task", ".", SOURCE, "error: task.path: judgescale.tasks.sanity.task has no such"),
        (
            "judgescale.tasks.llmbar.task",
            ".",
            "github.com/owner/name",
            "--source github.com/owner/name: names no commit",
        ),
    ],
)
def test_a_release_that_cannot_be_made(
    name: str, path: str, source: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch("sys.argv", ["releases", name, path, "--source", source]), pytest.raises(SystemExit) as error:
        releases.main()
    assert says in str(error.value) + capsys.readouterr().err


@pytest.mark.parametrize("name", ["judgebench", "vicuna80_pairs"])
def test_the_command_line_says_one_line_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    for file, rows in ({shape.file: shape.rows} | shape.beside).items():
        put(tmp_path / "copy" / file, rows)
    file = tmp_path / "copy" / shape.file
    file.write_bytes(file.read_bytes()[:-3])
    done = run_py(
        "judge=pairwise",
        "judge.model=m",
        "engine=openai",
        f"task={name}",
        f"task.path={tmp_path}/copy",
        f"hydra.run.dir={tmp_path}/out",
        f"run.store={tmp_path}/store.sqlite",
    )
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {file}, row {len(shape.rows)}: is not valid JSON: ")
    assert {path.name for path in tmp_path.iterdir()} == {"copy"}
