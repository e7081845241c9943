"""Recorded sets: the file, the importers, the shipped sets. All texts here are made up."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgescale.harness.recorded import COLUMNS, read, shipped, write
from judgescale.harness.recorded.__main__ import main
from judgescale.harness.recorded.build import RECIPES, build
from judgescale.harness.types import STATUSES, JudgescaleError, Judgment, Record
from judgescale.tasks import custom, ppe_best_of_k

DATA = ROOT.parent / "shared" / "data"


# ---------------------------------------------------------------- the file

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
    write(path, records, meta)
    first = path.read_bytes()
    found = read(path)
    assert list(found.records) == records
    assert found.name == "mine" and found.meta["schema"] == 1 and found.meta["pool"] is True
    write(path, found.records, found.meta)
    assert path.read_bytes() == first, "the same set must give the same bytes"
    assert [p.name for p in path.parent.iterdir()] == ["mine.parquet"], "a temporary file was left behind"


def record(**changes: Any) -> Record:
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
    rows = [record(), record(**{"sample": 1, **changes})]
    with pytest.raises(JudgescaleError) as caught:
        write(path, rows, {})
    assert str(caught.value).startswith(str(path)) and message in str(caught.value)
    assert "\n" not in str(caught.value) and not any(tmp_path.iterdir()), "nothing may be half-written"


def test_an_empty_set_and_unknown_metadata_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JudgescaleError, match="no judgments to write"):
        write(tmp_path / "x.parquet", [], {})
    with pytest.raises(JudgescaleError, match="unknown metadata 'vareis'"):
        write(tmp_path / "x.parquet", [record()], {"vareis": "typo"})


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def without_key(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({})


def newer(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({b"judgescale": json.dumps({"schema": 2}).encode()})


def set_column(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_key, "no 'judgescale' metadata"),
        (newer, "written with schema 2, this judgescale reads up to 1"),
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
    write(path, [record()], {})
    rewrite(path, change)
    with pytest.raises(JudgescaleError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and message in str(caught.value) and "\n" not in str(caught.value)


def test_wider_types_of_other_tools_are_read(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    write(path, [record()], {})
    rewrite(path, set_column("sample", pa.array([0], pa.int64())))
    rewrite(path, set_column("judge", pa.array(["j"], pa.large_string())))
    rewrite(path, set_column("shown", pa.array([[0, 1]], pa.large_list(pa.int64()))))
    assert read(path).records == (record(),)


def test_a_missing_file_and_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(JudgescaleError, match=r"does not exist; shipped sets: .*vicuna80"):
        read(tmp_path / "none.parquet")
    other = tmp_path / "other.parquet"
    other.write_text("hello")
    with pytest.raises(JudgescaleError, match="is not a Parquet file"):
        read(other)


def test_importing_the_package_is_light() -> None:
    code = "import sys, judgescale.harness.recorded; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# ---------------------------------------------------------------- the importers


def put(path: Path, rows: Any, *, lines: bool = False) -> Path:
    """Write JSON (or one record a line), gzipped where the name ends in .gz."""
    text = "\n".join(json.dumps(row) for row in rows) + "\n" if lines else json.dumps(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def run(tmp_path: Path, kind: str, *arguments: object) -> tuple[Record, ...]:
    out = tmp_path / "out.parquet"
    assert main(["import", kind, *map(str, arguments), "--out", str(out)]) == 0
    return read(out).records


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, *arguments: object) -> str:
    """The one line of a refused import; nothing may be written."""
    out = tmp_path / "refused.parquet"
    capsys.readouterr()  # what earlier imports said
    assert main(["import", kind, *map(str, arguments), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("import: ") and captured.err.count("\n") == 1 and captured.out == ""
    assert not list(tmp_path.glob("*refused.parquet*"))
    return captured.err


def said(records: tuple[Record, ...]) -> list[tuple[Any, ...]]:
    """The parts of the judgments that an importer decides."""
    return [(r.prompt, r.judgment.judge, r.judgment.shown, r.judgment.scores, r.judgment.status) for r in records]


def pair(name: str, decisions: list[Any], **changes: Any) -> dict[str, Any]:
    def game(decision: Any) -> Any:
        inner = {"judge_model": "org/judge", "prompt": "long", "response": "because"}
        return None if decision == "error" else {"judgment": inner, "decision": decision}

    judgments = [game(decision) for decision in decisions]
    return {
        "pair_id": name,
        "source": "law",
        "question": "Is it?",
        "response_A": "yes",
        "response_B": "no",
        "label": "B>A",
        "judge_name": "vanilla",
        "judgments": judgments,
    } | changes


def test_judgebench(tmp_path: Path) -> None:
    rows = [
        pair("1", ["A>B", "A>B"]),
        pair("2", [None, "A=B"]),
        pair("3", ["error"], question="Was it?"),
        pair("4", ["B>A", "A>B", "B>A"]),
    ]
    records = run(tmp_path, "judgebench", put(tmp_path / "jb.jsonl.gz", rows, lines=True))
    assert said(records) == [
        ("1", "org/judge", (0, 1), (1.0, 0.0), "ok"),
        ("1", "org/judge", (1, 0), (1.0, 0.0), "ok"),
        ("2", "org/judge", (0, 1), None, "unparsed"),
        ("2", "org/judge", (1, 0), (0.5, 0.5), "ok"),
        ("3", "org/judge", (0, 1), None, "failed"),
        ("4", "org/judge", (0, 1), (0.0, 1.0), "ok"),
        ("4", "org/judge", (1, 0), (1.0, 0.0), "ok"),
        ("4", "org/judge", (0, 1), (0.0, 1.0), "ok"),
    ]
    assert [r.judgment.sample for r in records][-3:] == [0, 0, 1]
    assert records[0].gold == (0.0, 1.0) and records[0].subset == "law" and records[0].judgment.chars == len("because")
    assert records[0].cluster == records[2].cluster != records[4].cluster, "pairs of one question share a cluster"


def test_judgebench_judges_are_told_apart(tmp_path: Path) -> None:
    lost = [pair("1", ["error", "error"])]
    named = put(tmp_path / "dataset=x,judge_name=reward_model,judge_model=org_rm.jsonl", lost, lines=True)
    assert {r.judgment.judge for r in run(tmp_path, "judgebench", named)} == {"org_rm"}
    one = put(tmp_path / "one.jsonl", [pair("1", ["A>B", "B>A"])], lines=True)
    two = put(tmp_path / "two.jsonl", [pair("1", ["A>B", "B>A"], judge_name="arena_hard")], lines=True)
    assert {r.judgment.judge for r in run(tmp_path, "judgebench", one, two)} == {
        "org/judge/vanilla",
        "org/judge/arena_hard",
    }


def llmbar_row(first: Any, second: Any, **final: Any) -> dict[str, Any]:
    verdicts = {
        "swap = False": {"completion": ["Output (a)", "stop"], "winner": first},
        "swap = True": {"completion": ["Output (a)", "stop"], "winner": second},
    }
    results = [["a helper's text", "stop"], verdicts | final]
    return {"input": "Sum up.", "output_1": "short", "output_2": "long", "label": 2, "results": results}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_llmbar(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "Natural" / "evaluators" / "GPT-4" / "CoT" / f"result.json{ending}"
    records = run(tmp_path, "llmbar", put(path, [llmbar_row("2", "2"), llmbar_row("1", None)]))
    assert said(records) == [
        ("Natural/0", "GPT-4/CoT", (0, 1), (0.0, 1.0), "ok"),
        ("Natural/0", "GPT-4/CoT", (1, 0), (1.0, 0.0), "ok"),
        ("Natural/1", "GPT-4/CoT", (0, 1), (1.0, 0.0), "ok"),
        ("Natural/1", "GPT-4/CoT", (1, 0), None, "unparsed"),
    ]
    assert records[0].responses == ("1", "2") and records[0].gold == (0.0, 1.0) and records[0].subset == "Natural"


def test_llmbar_keeps_the_files_own_winner_of_a_rating(tmp_path: Path) -> None:
    """Equal ratings: the file lets the response shown second win, so one of the two orders is right."""
    rows = [llmbar_row("2", "1", score_1=["7", "stop"], score_2=["7", "stop"])]
    path = put(tmp_path / "Natural/evaluators/GPT-4/Rating/result.json", rows)
    assert [s[2:] for s in said(run(tmp_path, "llmbar", path))] == [
        ((0, 1), (0.0, 1.0), "ok"),
        ((1, 0), (0.0, 1.0), "ok"),
    ]


def test_llmbar_without_the_path_needs_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(tmp_path / "mine.json", [llmbar_row("2", "2")])
    assert "give --subset and --judge" in refused(tmp_path, capsys, "llmbar", path)
    records = run(tmp_path, "llmbar", path, "--subset", "Manual", "--judge", "mine", "--variant", "v1")
    assert records[0].prompt == "Manual/0" and records[0].judgment.judge == "mine/v1"


def test_rewardbench2_scalar(tmp_path: Path) -> None:
    header = {"_record": "metadata", "model": "org/rm"}
    rows = [
        {"id": "0", "subset": "Math", "num_correct": 1, "scores": [[2.5], [1], [0.0], [-1.0]], "results": 1.0},
        {"id": "tied:7", "subset": "Ties", "num_correct": 2, "scores": [3, 2, 1], "results": None},
        {"id": "ref:7", "subset": "Ties", "num_correct": 1, "scores": [3, float("nan")], "results": None},
    ]
    records = run(tmp_path, "rewardbench2", put(tmp_path / "rm.jsonl.gz", [header, *rows], lines=True))
    assert said(records) == [
        ("Math/0", "org/rm", (0, 1, 2, 3), (2.5, 1.0, 0.0, -1.0), "ok"),
        ("Ties/tied:7", "org/rm", (0, 1, 2), (3.0, 2.0, 1.0), "ok"),
        ("Ties/ref:7", "org/rm", (0, 1), None, "unparsed"),
    ]
    assert [r.cluster for r in records] == ["Math/0", "Ties/7", "Ties/7"]
    assert records[1].gold == (1.0, 1.0, 0.0)
    bare = put(tmp_path / "bare.jsonl", rows, lines=True)
    assert run(tmp_path, "rewardbench2", bare, "--judge", "org/rm") == records


def test_rewardbench2_columns_of_the_evaluator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {
        "id": ["0", "1"],
        "subset": ["Math", "Focus"],
        "num_correct": [1, 1],
        "text": [["x"], ["y"]],
        "scores": [[1.0, 0.5], [0.25, 0.5]],
        "results": [1.0, 0.0],
        "model": "org/rm",
        "model_type": "Seq. Classifier",
    }
    path = tmp_path / "rm.json"
    path.write_text(json.dumps(columns, indent=4))
    assert said(run(tmp_path, "rewardbench2", path)) == [
        ("Math/0", "org/rm", (0, 1), (1.0, 0.5), "ok"),
        ("Focus/1", "org/rm", (0, 1), (0.25, 0.5), "ok"),
    ]
    only_results = {k: v for k, v in columns.items() if k != "scores"}
    message = refused(tmp_path, capsys, "rewardbench2", put(tmp_path / "gen.json", only_results))
    assert "field scores" in message and "not recorded" in message


def generative(results: Any = 1, letter: str = "B", **header: Any) -> list[dict[str, Any]]:
    first = {"_record": "metadata", "model": "org/judge", "ordering": 6, "permutation": [1, 0, 2, 3]} | header
    return [first, {"id": "9", "subset": "Focus", "results": results, "parsed_letter": letter}]


def test_rewardbench2_generative(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = put(tmp_path / "a.jsonl", generative(), lines=True)
    lost = put(tmp_path / "b.jsonl.gz", generative(0.25, "error", ordering=0, permutation=[0, 1, 2, 3]), lines=True)
    other = put(tmp_path / "c.jsonl", generative(0, "A", condition="inverted"), lines=True)
    easy = put(tmp_path / "d.jsonl", generative(obvious=2), lines=True)
    records = run(tmp_path, "rewardbench2", right, lost, other, easy)
    assert [(r.prompt, r.judgment.variant, r.judgment.shown, r.judgment.scores) for r in records] == [
        ("Focus/9", "arrangement06", (1, 0, 2, 3), (0.0, 1.0, 0.0, 0.0)),
        ("Focus/9", "arrangement00", (0, 1, 2, 3), None),
        ("Focus/9", "arrangement06/inverted", (1, 0, 2, 3), (1.0, 0.0, 0.0, 0.0)),
        ("Focus/9+obvious2", "arrangement06", (1, 0, 2, 3), (0.0, 1.0, 0.0, 0.0)),
    ]
    assert {r.cluster for r in records} == {"Focus/9"}
    wrong = put(tmp_path / "e.jsonl", generative(0), lines=True)
    assert "contradicts the letter B" in refused(tmp_path, capsys, "rewardbench2", wrong)
    unknown = put(tmp_path / "f.jsonl", generative()[1:], lines=True)
    assert "field permutation" in refused(tmp_path, capsys, "rewardbench2", unknown, "--judge", "j")


def test_realmistake(tmp_path: Path) -> None:
    name = "math_problem_generation_8_meta-llama/Llama-2-70b-chat-hf"
    repeated = {
        "id": name,
        "task": "math_word_problem_generation",
        "responder": "Llama-2-70b-chat-hf",
        "judge": "j",
        "predictions": ["error", "no_error", None],
        "final": "error",
        "label": "no_error",
    }
    records = run(tmp_path, "realmistake", put(tmp_path / "sc.jsonl.gz", [repeated], lines=True))
    assert [(r.judgment.sample, r.judgment.scores, r.judgment.status) for r in records] == [
        (0, (1.0,), "ok"),
        (1, (0.0,), "ok"),
        (2, None, "unparsed"),
    ]
    assert records[0].gold == (0.0,) and records[0].cluster == "math_problem_generation_8"
    single = {
        "id": name,
        "responder": "Llama-2-70b-chat-hf",
        "judge": "j",
        "prompt": "cot",
        "prediction": "None",
        "label": "no_error",
    }
    other = run(tmp_path, "realmistake", put(tmp_path / "single.jsonl", [single], lines=True))
    assert other[0].judgment.status == "unparsed" and other[0].judgment.variant == "cot"
    assert other[0].subset == records[0].subset == "math_word_problem_generation"


def test_realmistake_original_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = {
        "id": "math_problem_generation_8_gpt-4-0613",
        "task_name": "math_problem_generation",
        "llm_response_model": "gpt-4-0613",
    }
    folder = tmp_path / "kind" / "math_word_problem_generation" / "gpt-4-0613" / "judge-7b"
    single = {"response": "made up", "prediction": "error", "label": "error", "correct": True, "metadata": metadata}
    (found,) = run(tmp_path, "realmistake", put(folder / "cot.jsonl", [single], lines=True))
    assert found.judgment == Judgment(judge="judge-7b", shown=(0,), scores=(1.0,), variant="cot", chars=len("made up"))
    assert found.subset == "math_word_problem_generation" and found.cluster == "math_problem_generation_8"
    texts = [{"prompt": "p", "response": "ab"}, {"prompt": "p", "response": "abc"}]
    many = single | {"response": texts, "predictions_list": ["error", None]}
    records = run(tmp_path, "realmistake", put(folder / "sc.jsonl", [many], lines=True))
    assert [(r.judgment.sample, r.judgment.status, r.judgment.chars) for r in records] == [
        (0, "ok", 2),
        (1, "unparsed", 3),
    ]
    vote = {"prediction": "error", "votes_count": {"error": 2}, "metadata": metadata}
    assert "field label: is missing" in refused(
        tmp_path, capsys, "realmistake", put(folder / "majority_vote.jsonl", [vote], lines=True)
    )


def panda_item(idx: int, votes: tuple[Any, Any, Any] = (1, 2, 0), **changes: Any) -> dict[str, Any]:
    item = {"idx": idx, "cmp_key": "bloom-7b_opt-7b", "instruction": "Rewrite.", "input": "", "response1": "x"}
    return item | {f"annotator{i}": vote for i, vote in enumerate(votes, 1)} | changes


def test_pandalm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = put(tmp_path / "testset-v1.json.gz", [panda_item(0), panda_item(1, (1, 1, None))])
    verdicts = [{"idx": 0, "gpt_result": "1", "gpt_reason": "ok"}, {"idx": 1, "gpt_result": "unclear"}]
    results = put(tmp_path / "gpt-3.5-turbo-testset-v1.json", verdicts)
    records = run(tmp_path, "pandalm", results, items)
    assert [(r.prompt, r.judgment.judge, r.judgment.sample, r.judgment.scores) for r in records] == [
        ("0", "human", 0, (1.0, 0.0)),
        ("0", "human", 1, (0.0, 1.0)),
        ("0", "human", 2, (0.5, 0.5)),
        ("1", "human", 0, (1.0, 0.0)),
        ("1", "human", 1, (1.0, 0.0)),
        ("1", "human", 2, None),
        ("0", "gpt-3.5-turbo", 0, (1.0, 0.0)),
        ("1", "gpt-3.5-turbo", 0, None),
    ]
    assert records[0].gold is None and records[0].responses == ("bloom-7b", "opt-7b")
    assert len({r.cluster for r in records}) == 1, "pairs of one question share a cluster"
    both = put(
        tmp_path / "results_judgelrm.json", [panda_item(0, output="<8,2>", result=1), panda_item(1, result=None)]
    )
    mine = [r.judgment for r in run(tmp_path, "pandalm", both) if r.judgment.judge != "human"]
    assert [(j.judge, j.scores, j.chars) for j in mine] == [("judgelrm", (1.0, 0.0), 5), ("judgelrm", None, None)]
    assert "add testset-v1.json" in refused(tmp_path, capsys, "pandalm", results)
    stray = put(tmp_path / "stray.json", [{"idx": 5, "x_result": 1}])
    assert "5 is not in the test set" in refused(tmp_path, capsys, "pandalm", items, stray)


def test_rmb(tmp_path: Path) -> None:
    category = "Pairwise_set/Helpfulness/Chat"
    rows = [
        {"pair_uid": "1", "category_path": category, "chosen_reward": [0.5], "reject_reward": 0.25, "is_correct": 1},
        {"pair_uid": "2", "category_path": category, "chosen_reward": 1, "reject_reward": 1, "is_correct": 0},
    ]
    results = put(tmp_path / "RM-1B_result.json", rows)
    records = run(tmp_path, "rmb", results)
    assert said(records) == [
        ("Helpfulness/Chat/1", "RM-1B", (0, 1), (0.5, 0.25), "ok"),
        ("Helpfulness/Chat/2", "RM-1B", (0, 1), (1.0, 1.0), "ok"),
    ]
    assert records[0].gold == (1.0, 0.0) and records[0].cluster == records[0].prompt
    asked = [{"pair_uid": uid, "category_path": category, "conversation_input": [{"content": "hi"}]} for uid in "12"]
    assert len({r.cluster for r in run(tmp_path, "rmb", results, put(tmp_path / "Chat.json", asked))}) == 1


def rating(question: int, score: Any, **changes: Any) -> dict[str, Any]:
    return {"question_id": question, "score": score, "text": "why"} | changes


def tournament(folder: Path) -> Path:
    files: Mapping[str, list[dict[str, Any]]] = {
        "ratings-b-1/answer_a-vs-answer_b-1-b-1-reviewer.jsonl": [rating(1, 1), rating(2, -1)],
        "ratings-b-1/answer_b-1-vs-answer_a-b-1-reviewer_threeclass.jsonl.gz": [rating(1, 3)],
        "ratings-b-1/answer-b-1-vs-answer-a-b-1-reviewer-threeclass.jsonl": [rating(1, 1)],
        "ratings-human/answer_a-vs-answer_b-1-human-reviewer.jsonl": [rating(1, 2), rating(1, 2), rating(2, 1)],
        "ratings-human/answer_a-vs-answer_c-human-reviewer.jsonl": [rating(1, 2)],
        "prompts/questions.jsonl": [{"question_id": q, "text": "?", "category": "math"} for q in (1, 2)],
        "prompts/reviewer.jsonl": [{"reviewer_id": "r", "category": "general"}],
        "generations/answer_a.jsonl": [{"answer_id": "x", "question_id": 1, "text": "made up"}],
    }
    for name, rows in files.items():
        put(folder / name, rows, lines=True)
    return folder


def test_tournament(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tournament(tmp_path / "set")
    records = run(tmp_path, "tournament", folder)
    assert "1 judgments dropped" in capsys.readouterr().err
    assert [(*s, r.judgment.sample) for s, r in zip(said(records), records, strict=True)] == [
        ("1", "b-1", (0, 1), (1.0, 0.0), "ok", 0),
        ("2", "b-1", (0, 1), None, "unparsed", 0),
        ("1", "b-1", (1, 0), (0.5, 0.5), "ok", 0),
        ("1", "human", (0, 1), (0.0, 1.0), "ok", 0),
        ("1", "human", (0, 1), (0.0, 1.0), "ok", 1),
        ("2", "human", (0, 1), (1.0, 0.0), "ok", 0),
    ]
    assert {(r.responses, r.subset, r.gold) for r in records} == {(("a", "b-1"), "math", None)}
    found = read(tmp_path / "out.parquet")
    assert found.meta["pool"] is True and "1 judgments dropped" in found.meta["note"]
    used = {file["name"] for file in found.meta["sources"][0]["files"]}
    assert used == {
        "ratings-b-1/answer_a-vs-answer_b-1-b-1-reviewer.jsonl",
        "ratings-b-1/answer_b-1-vs-answer_a-b-1-reviewer_threeclass.jsonl",
        "ratings-human/answer_a-vs-answer_b-1-human-reviewer.jsonl",
        "prompts/questions.jsonl",
    }
    everybody = run(tmp_path, "tournament", folder, "--models", "a,b-1,c")
    assert everybody[0].responses == ("a", "b-1", "c") and len(everybody) == 7


def test_tournament_names_that_cannot_be_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(tmp_path / "answer_a-vs-answer_b-1-j-2-reviewer.jsonl", [rating(1, 1)], lines=True)
    assert "give --models A,B,… or --judge NAME" in refused(tmp_path, capsys, "tournament", path)
    (found,) = run(tmp_path, "tournament", path, "--judge", "j-2")
    assert found.responses == ("a", "b-1") and found.judgment.judge == "j-2"


BASE: dict[str, Any] = {"prompt": "q", "responses": ["x", "y", "z"], "best": "y", "judge": "j"}


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
    records = run(tmp_path, "jsonl", put(tmp_path / "mine.jsonl.gz", rows, lines=True))
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
    assert read(tmp_path / "out.parquet").meta["tasks"] == ["custom"]


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
    path = put(tmp_path / "mine.jsonl", [BASE | {"winner": "y"}, BASE | changes], lines=True)
    line = refused(tmp_path, capsys, "jsonl", path)
    assert line.startswith(f"import: {path}, row 2") and message in line


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
        line = refused(tmp_path, capsys, "jsonl", path)
        assert line.startswith(f"import: {path}") and message in line
    assert "does not exist" in refused(tmp_path, capsys, "jsonl", tmp_path / "nothing.jsonl")
    twin = put(tmp_path / "twin.jsonl", [BASE | {"winner": "y"}], lines=True)
    copy = put(tmp_path / "copy.jsonl.gz", [BASE | {"winner": "y"}], lines=True)
    assert "has the same content as" in refused(tmp_path, capsys, "jsonl", twin, copy)
    empty = tmp_path / "folder"
    put(empty / "other.json", {"a": 1})
    assert "no jsonl file among its 1 JSON files" in refused(tmp_path, capsys, "jsonl", empty)


def test_a_file_of_another_format_is_pointed_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = {
        "judgebench": put(tmp_path / "jb.jsonl", [pair("1", ["A>B"])], lines=True),
        "llmbar": put(tmp_path / "result.json", [llmbar_row("1", "1")]),
        "rewardbench2": put(tmp_path / "rb.jsonl", generative(), lines=True),
        "pandalm": put(tmp_path / "panda.json", [panda_item(0)]),
        "rmb": put(tmp_path / "rmb.json", [{"pair_uid": "1", "category_path": "c", "chosen_reward": 1}]),
        "tournament": put(tmp_path / "answer_a-vs-answer_b-j-reviewer.jsonl", [rating(1, 1)], lines=True),
        "jsonl": put(tmp_path / "mine.jsonl", [BASE], lines=True),
    }
    for given_as in (*examples, "realmistake"):
        for kind, path in examples.items():
            if kind != given_as:
                line = refused(tmp_path, capsys, given_as, path)
                assert f"is not a {given_as} file" in line and f"looks like the format {kind}" in line
    stray = put(tmp_path / "stray.json", [{"a": 1}])
    assert "is of no format known here" in refused(tmp_path, capsys, "rmb", stray)


@pytest.mark.parametrize(
    ("kind", "row", "field"),
    [
        ("judgebench", pair("1", ["A>B"], label="A"), "label"),
        ("judgebench", pair("1", []), "judgments"),
        ("judgebench", {k: v for k, v in pair("1", ["A>B"]).items() if k != "pair_id"}, "pair_id"),
        ("rmb", {"pair_uid": "1", "category_path": "c", "chosen_reward": [1, 2], "reject_reward": 1}, "chosen_reward"),
        ("rmb", {"pair_uid": "1", "category_path": "c", "chosen_reward": 1}, "reject_reward"),
        (
            "realmistake",
            {"id": "1", "responder": "r", "judge": "j", "predictions": [], "label": "error"},
            "predictions",
        ),
        ("realmistake", {"id": "1", "responder": "r", "judge": "j", "prediction": "error", "label": "x"}, "label"),
        ("rewardbench2", {"id": "1", "subset": "Ties", "scores": [1, 2]}, "num_correct"),
        ("rewardbench2", {"id": "1", "subset": "Math", "num_correct": 3, "scores": [1, 2]}, "num_correct"),
        ("rewardbench2", {"id": "1", "subset": "Math", "num_correct": 1, "scores": [[1, 2]]}, "scores"),
        ("pandalm", panda_item(0, cmp_key=3, x_result=1), "cmp_key"),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, row: dict[str, Any], field: str
) -> None:
    good: dict[str, dict[str, Any]] = {
        "judgebench": pair("0", ["A>B"]),
        "rmb": {"pair_uid": "0", "category_path": "c", "chosen_reward": 1, "reject_reward": 1},
        "realmistake": {"id": "0", "responder": "r", "judge": "j", "prediction": "error", "label": "error"},
        "rewardbench2": {"id": "0", "subset": "Math", "num_correct": 1, "scores": [1, 2]},
        "pandalm": panda_item(9, x_result=1),
    }
    path = put(tmp_path / "file.jsonl", [good[kind], row], lines=True)
    line = refused(tmp_path, capsys, kind, path, "--judge", "j")
    assert line.startswith(f"import: {path}, row 2, field {field}: ")


def test_the_last_line_says_how_to_run_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "judgebench", put(tmp_path / "jb.jsonl", [pair("1", ["A>B", None])], lines=True))
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "1 items, 2 judgments (1 without scores), 1 judge (org/judge)" in out
    assert f"python run.py engine=recorded engine.path={tmp_path / 'out.parquet'} task=judgebench" in out


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", [BASE | {"winner": "y"}, BASE | {"winner": None}], lines=True))
    capsys.readouterr()
    assert main(["show", str(tmp_path / "out.parquet")]) == 0
    out = capsys.readouterr().out
    assert "up to 2 samples each: repeated sampling" in out and "1 ok, 1 unparsed" in out
    assert main(["show", str(tmp_path / "none.parquet")]) == 2
    assert capsys.readouterr().err.startswith(f"show: {tmp_path / 'none.parquet'} does not exist; shipped sets: ")


# ---------------------------------------------------------------- the shipped sets

SIZES = {  # judgments, human labels, items, clusters, judges, unusable judgments
    "vicuna80": (8000, 1760, 80, 80, 5, 0),
    "rewardbench2_scalar": (3730, 0, 1865, 1814, 2, 0),
    "rewardbench2_generative": (1800, 0, 150, 150, 2, 3),
    "realmistake": (2250, 0, 150, 150, 3, 71),
    "realmistake_math": (18000, 0, 300, 160, 12, 455),
    "judgebench": (1400, 0, 350, 350, 2, 0),
    "llmbar": (4680, 0, 234, 234, 10, 4),
    "rmb_armorm": (849, 0, 849, 849, 1, 0),
    "pandalm": (999, 2997, 999, 170, 1, 0),
}


def test_the_shipped_sets_are_the_documented_ones() -> None:
    assert set(shipped()) == set(SIZES) == {recipe.name for recipe in RECIPES}
    assert sum(path.stat().st_size for path in shipped().values()) < 2_000_000
    sources = (ROOT / "results" / "recorded" / "SOURCES.md").read_text(encoding="utf-8")
    for name in SIZES:
        assert f"`{name}`" in sources and f"**{name}**" in sources
        for source in read(name).meta["sources"]:
            assert source["repo"] in sources and source["commit"] in sources and source["licence"] and source["files"]


@pytest.mark.parametrize("name", SIZES)
def test_a_shipped_set_holds_what_it_should(name: str) -> None:
    found = read(name)
    records = found.records
    machine = [r for r in records if r.judgment.judge != "human"]
    assert SIZES[name] == (
        len(machine),
        len(records) - len(machine),
        len({r.prompt for r in records}),
        len({r.cluster for r in records}),
        len({r.judgment.judge for r in machine}),
        sum(r.judgment.status != "ok" for r in machine),
    )
    assert found.meta["pool"] is (name in ("vicuna80", "realmistake_math"))
    schema = pq.read_schema(found.path)
    assert schema.names == list(COLUMNS)
    longest = max(len(text) for r in records for text in (r.prompt, r.cluster, r.subset, *r.responses))
    assert longest < 100, "ids only, no texts"


def in_item_order(judgment: Judgment) -> tuple[float, ...] | None:
    if judgment.scores is None:
        return None
    by_response = dict(zip(judgment.shown, judgment.scores, strict=True))
    return tuple(by_response[i] for i in sorted(by_response))


def test_judgebench_gives_the_leaderboards_numbers() -> None:
    points: Counter[tuple[str, str]] = Counter()
    for r in read("judgebench").records:
        scores = in_item_order(r.judgment)
        assert scores is not None and r.gold is not None
        right = (scores[0] - scores[1]) * (r.gold[0] - r.gold[1])
        points[r.judgment.judge, r.prompt] += (right > 0) - (right < 0)
    for judge, accuracy in (("o1-mini-2024-09-12", 0.6571), ("Skywork/Skywork-Reward-Gemma-2-27B", 0.6429)):
        won = [value > 0 for (who, _), value in points.items() if who == judge]
        assert len(won) == 350 and round(sum(won) / 350, 4) == accuracy


def test_llmbar_gives_its_own_statistics() -> None:
    right: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    for r in read("llmbar").records:
        right[r.subset, r.judgment.judge, r.judgment.shown] += in_item_order(r.judgment) == r.gold
    assert (right["Natural", "GPT-4/Vanilla", (0, 1)], right["Natural", "GPT-4/Vanilla", (1, 0)]) == (95, 96)
    assert (right["Natural", "GPT-4/Swap", (0, 1)], right["Natural", "GPT-4/Swap", (1, 0)]) == (94, 95)


def test_pandalm_and_rmb_give_the_published_accuracies() -> None:
    votes: dict[str, Counter[Any]] = {}
    verdicts: dict[str, Any] = {}
    for r in read("pandalm").records:
        if r.judgment.judge == "human":
            votes.setdefault(r.prompt, Counter())[r.judgment.scores] += 1
        else:
            verdicts[r.prompt] = r.judgment.scores
    labels = {prompt: count.most_common(1)[0][0] for prompt, count in votes.items()}
    assert sorted(Counter(labels.values()).values()) == [105, 422, 472]
    assert round(sum(labels[p] == verdicts[p] for p in labels) / 999, 4) == 0.6677
    rewards = [r.judgment.scores or (0.0, 0.0) for r in read("rmb_armorm").records]
    assert round(sum(a > b for a, b in rewards) / 849, 4) == 0.7951 and sum(a == b for a, b in rewards) == 12


def test_the_tournament_is_complete() -> None:
    seen = Counter((r.judgment.judge, r.prompt) for r in read("vicuna80").records)
    assert {n for (judge, _), n in seen.items() if judge != "human"} == {20}, "10 pairs in both orders"
    assert {n for (judge, _), n in seen.items() if judge == "human"} == {22}, "6 pairs x 3 and 4 pairs x 1"


@pytest.mark.skipif(not DATA.is_dir(), reason="the source files are not beside the project")
def test_rebuilding_gives_the_same_bytes(tmp_path: Path) -> None:
    assert len(list(build(DATA, tmp_path))) == len(RECIPES)
    for name, path in shipped().items():
        again = tmp_path / path.name
        old, new = read(path), read(again)
        assert new.records == old.records and new.meta == old.meta, name
        if pq.read_metadata(again).created_by == pq.read_metadata(path).created_by:  # another pyarrow, other bytes
            assert again.read_bytes() == path.read_bytes(), name


# ---- what an unkind file may hold ----------------------------------------------------------------------------------


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
    assert words in refused(tmp_path, capsys, "jsonl", put(tmp_path / "mine.jsonl", [base | row], lines=True))


def test_jsonl_takes_an_item_without_a_right_response_for_tasks_that_have_them(tmp_path) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "gold": [0, 0], "judge": "j", "scores": [1, 0]}
    run(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", [row], lines=True))
    data = read(tmp_path / "out.parquet")
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
    assert run(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", [row], lines=True))[0].judgment.completion_tokens == 12


def test_a_set_never_overwrites_its_source(tmp_path, capsys) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "best": "a", "judge": "j", "scores": [1, 0]}
    path = put(tmp_path / "own.jsonl", [row], lines=True)
    assert main(["import", "jsonl", str(path), "--out", str(path)]) == 2
    assert "name it SET.parquet" in capsys.readouterr().err and json.loads(path.read_text()) == row


def test_pandalm_words_that_the_owners_score_as_ties(tmp_path, capsys) -> None:
    items = [
        {"idx": i, "instruction": "Do.", "input": "", "cmp_key": "a_b", **{f"annotator{j}": 0 for j in (1, 2, 3)}}
        for i in range(4)
    ]
    results = [{"idx": i, "gpt_result": said} for i, said in enumerate(["Tie", "tie", "garbage", "neither"])]
    test, judged = put(tmp_path / "testset-v1.json", items), put(tmp_path / "gpt-testset-v1.json", results)
    verdicts = [r.judgment.scores for r in run(tmp_path, "pandalm", test, judged) if r.judgment.judge == "gpt"]
    assert verdicts == [(0.5, 0.5), (0.5, 0.5), (0.5, 0.5), None]
    assert "1 verdicts could not be read and count as unparsed: 'neither' x1" in capsys.readouterr().err


def test_order_is_both_only_where_it_is_even(tmp_path) -> None:
    def rows(counts):
        return [
            {"prompt": f"q{i}", "responses": ["a", "b"], "best": "a", "judge": "j", "shown": shown, "scores": [1, 0]}
            for i in range(2)
            for shown, count in zip((["a", "b"], ["b", "a"]), counts)
            for _ in range(count)
        ]

    for counts, order in (((2, 2), "both"), ((3, 1), "mixed"), ((2, 0), "as_is")):
        run(tmp_path, "jsonl", put(tmp_path / "mine.jsonl", rows(counts), lines=True))
        assert read(tmp_path / "out.parquet").meta["order"] == order


def test_what_a_folder_held_besides_is_said(tmp_path, capsys) -> None:
    folder = tmp_path / "folder"
    row = {"prompt": "q", "responses": ["a", "b"], "best": "a", "judge": "j", "scores": [1, 0]}
    put(folder / "mine.jsonl", [row], lines=True)
    put(folder / "other.json", [{"something": "else"}])
    run(tmp_path, "jsonl", folder)
    assert "1 of 2 JSON files are not of this format (other.json)" in capsys.readouterr().err
