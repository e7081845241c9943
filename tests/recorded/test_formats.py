"""The importers of other people's result files, of made-up ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from result_files import (
    import_set,
    judgebench_row,
    list_verdicts,
    llmbar_row,
    pandalm_row,
    rating_row,
    refuse_import,
    rewardbench2_rows,
    write_tournament,
)
from shapes import put

from judgescale.harness.recorded import formats, read_set
from judgescale.harness.types import Judgment


def test_judgebench(tmp_path: Path) -> None:
    rows = [
        judgebench_row("1", ["A>B", "A>B"]),
        judgebench_row("2", [None, "A=B"]),
        judgebench_row("3", ["error"], question="Was it?"),
        judgebench_row("4", ["B>A", "A>B", "B>A"]),
    ]
    records = import_set(tmp_path, "judgebench", put(tmp_path / "jb.jsonl.gz", rows))
    assert list_verdicts(records) == [
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
    lost = [judgebench_row("1", ["error", "error"])]
    named = put(tmp_path / "dataset=x,judge_name=reward_model,judge_model=org_rm.jsonl", lost)
    assert {r.judgment.judge for r in import_set(tmp_path, "judgebench", named)} == {"org_rm"}
    one = put(tmp_path / "one.jsonl", [judgebench_row("1", ["A>B", "B>A"])])
    two = put(tmp_path / "two.jsonl", [judgebench_row("1", ["A>B", "B>A"], judge_name="arena_hard")])
    assert {r.judgment.judge for r in import_set(tmp_path, "judgebench", one, two)} == {
        "org/judge/vanilla",
        "org/judge/arena_hard",
    }
    assert read_set(tmp_path / "out.parquet").meta["prompts"] == {
        "org/judge/vanilla": "vanilla",
        "org/judge/arena_hard": "arena_hard",
    }
    scalar = put(tmp_path / "rm.jsonl", [judgebench_row("1", ["A>B", "B>A"], judge_name="reward_model")])
    import_set(tmp_path, "judgebench", scalar)
    assert read_set(tmp_path / "out.parquet").meta["prompts"] == {}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_llmbar(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "Natural" / "evaluators" / "GPT-4" / "CoT" / f"result.json{ending}"
    records = import_set(tmp_path, "llmbar", put(path, [llmbar_row("2", "2"), llmbar_row("1", None)]))
    assert list_verdicts(records) == [
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
    assert [s[2:] for s in list_verdicts(import_set(tmp_path, "llmbar", path))] == [
        ((0, 1), (0.0, 1.0), "ok"),
        ((1, 0), (0.0, 1.0), "ok"),
    ]


def test_llmbar_without_the_path_needs_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(tmp_path / "mine.json", [llmbar_row("2", "2")])
    assert "give --subset and --judge" in refuse_import(tmp_path, capsys, "llmbar", path)
    records = import_set(tmp_path, "llmbar", path, "--subset", "Manual", "--judge", "mine", "--variant", "v1")
    assert records[0].prompt == "Manual/0" and records[0].judgment.judge == "mine/v1"


def test_rewardbench2_scalar(tmp_path: Path) -> None:
    header = {"_record": "metadata", "model": "org/rm"}
    rows = [
        {"id": "0", "subset": "Math", "num_correct": 1, "scores": [[2.5], [1], [0.0], [-1.0]], "results": 1.0},
        {"id": "tied:7", "subset": "Ties", "num_correct": 2, "scores": [3, 2, 1], "results": None},
        {"id": "ref:7", "subset": "Ties", "num_correct": 1, "scores": [3, float("nan")], "results": None},
    ]
    records = import_set(tmp_path, "rewardbench2", put(tmp_path / "rm.jsonl.gz", [header, *rows]))
    assert list_verdicts(records) == [
        ("Math/0", "org/rm", (0, 1, 2, 3), (2.5, 1.0, 0.0, -1.0), "ok"),
        ("Ties/tied:7", "org/rm", (0, 1, 2), (3.0, 2.0, 1.0), "ok"),
        ("Ties/ref:7", "org/rm", (0, 1), None, "unparsed"),
    ]
    assert [r.cluster for r in records] == ["Math/0", "Ties/7", "Ties/7"]
    assert records[1].gold == (1.0, 1.0, 0.0)
    bare = put(tmp_path / "bare.jsonl", rows)
    assert import_set(tmp_path, "rewardbench2", bare, "--judge", "org/rm") == records


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
    assert list_verdicts(import_set(tmp_path, "rewardbench2", path)) == [
        ("Math/0", "org/rm", (0, 1), (1.0, 0.5), "ok"),
        ("Focus/1", "org/rm", (0, 1), (0.25, 0.5), "ok"),
    ]
    only_results = {k: v for k, v in columns.items() if k != "scores"}
    message = refuse_import(tmp_path, capsys, "rewardbench2", put(tmp_path / "gen.json", only_results))
    assert "field scores" in message and "not recorded" in message


def test_rewardbench2_generative(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = put(tmp_path / "a.jsonl", rewardbench2_rows())
    lost = put(tmp_path / "b.jsonl.gz", rewardbench2_rows(0.25, "error", ordering=0, permutation=[0, 1, 2, 3]))
    other = put(tmp_path / "c.jsonl", rewardbench2_rows(0, "A", condition="inverted"))
    easy = put(tmp_path / "d.jsonl", rewardbench2_rows(obvious=2))
    records = import_set(tmp_path, "rewardbench2", right, lost, other, easy)
    assert [(r.prompt, r.judgment.variant, r.judgment.shown, r.judgment.scores) for r in records] == [
        ("Focus/9", "arrangement06", (1, 0, 2, 3), (0.0, 1.0, 0.0, 0.0)),
        ("Focus/9", "arrangement00", (0, 1, 2, 3), None),
        ("Focus/9", "arrangement06/inverted", (1, 0, 2, 3), (1.0, 0.0, 0.0, 0.0)),
        ("Focus/9+obvious2", "arrangement06", (1, 0, 2, 3), (0.0, 1.0, 0.0, 0.0)),
    ]
    assert {r.cluster for r in records} == {"Focus/9"}
    wrong = put(tmp_path / "e.jsonl", rewardbench2_rows(0))
    assert "contradicts the letter B" in refuse_import(tmp_path, capsys, "rewardbench2", wrong)
    unknown = put(tmp_path / "f.jsonl", rewardbench2_rows()[1:])
    assert "field permutation" in refuse_import(tmp_path, capsys, "rewardbench2", unknown, "--judge", "j")


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
    records = import_set(tmp_path, "realmistake", put(tmp_path / "sc.jsonl.gz", [repeated]))
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
    other = import_set(tmp_path, "realmistake", put(tmp_path / "single.jsonl", [single]))
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
    (found,) = import_set(tmp_path, "realmistake", put(folder / "cot.jsonl", [single]))
    assert found.judgment == Judgment(judge="judge-7b", shown=(0,), scores=(1.0,), variant="cot", chars=len("made up"))
    assert found.subset == "math_word_problem_generation" and found.cluster == "math_problem_generation_8"
    texts = [{"prompt": "p", "response": "ab"}, {"prompt": "p", "response": "abc"}]
    many = single | {"response": texts, "predictions_list": ["error", None]}
    records = import_set(tmp_path, "realmistake", put(folder / "sc.jsonl", [many]))
    assert [(r.judgment.sample, r.judgment.status, r.judgment.chars) for r in records] == [
        (0, "ok", 2),
        (1, "unparsed", 3),
    ]
    vote = {"prediction": "error", "votes_count": {"error": 2}, "metadata": metadata}
    assert "field label: is missing" in refuse_import(
        tmp_path, capsys, "realmistake", put(folder / "majority_vote.jsonl", [vote])
    )


def test_pandalm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = put(tmp_path / "testset-v1.json.gz", [pandalm_row(0), pandalm_row(1, (1, 1, None))])
    verdicts = [{"idx": 0, "gpt_result": "1", "gpt_reason": "ok"}, {"idx": 1, "gpt_result": "unclear"}]
    results = put(tmp_path / "gpt-3.5-turbo-testset-v1.json", verdicts)
    records = import_set(tmp_path, "pandalm", results, items)
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
        tmp_path / "results_judgelrm.json", [pandalm_row(0, output="<8,2>", result=1), pandalm_row(1, result=None)]
    )
    mine = [r.judgment for r in import_set(tmp_path, "pandalm", both) if r.judgment.judge != "human"]
    assert [(j.judge, j.scores, j.chars) for j in mine] == [("judgelrm", (1.0, 0.0), 5), ("judgelrm", None, None)]
    assert "add testset-v1.json" in refuse_import(tmp_path, capsys, "pandalm", results)
    stray = put(tmp_path / "stray.json", [{"idx": 5, "x_result": 1}])
    assert "5 is not in the test set" in refuse_import(tmp_path, capsys, "pandalm", items, stray)


def test_pandalm_words_that_the_owners_score_as_ties(tmp_path, capsys) -> None:
    items = [
        {"idx": i, "instruction": "Do.", "input": "", "cmp_key": "a_b", **{f"annotator{j}": 0 for j in (1, 2, 3)}}
        for i in range(4)
    ]
    results = [{"idx": i, "gpt_result": said} for i, said in enumerate(["Tie", "tie", "garbage", "neither"])]
    test, judged = put(tmp_path / "testset-v1.json", items), put(tmp_path / "gpt-testset-v1.json", results)
    verdicts = [r.judgment.scores for r in import_set(tmp_path, "pandalm", test, judged) if r.judgment.judge == "gpt"]
    assert verdicts == [(0.5, 0.5), (0.5, 0.5), (0.5, 0.5), None]
    assert "1 verdicts could not be read and count as unparsed: 'neither' x1" in capsys.readouterr().err


def test_rmb(tmp_path: Path) -> None:
    category = "Pairwise_set/Helpfulness/Chat"
    rows = [
        {"pair_uid": "1", "category_path": category, "chosen_reward": [0.5], "reject_reward": 0.25, "is_correct": 1},
        {"pair_uid": "2", "category_path": category, "chosen_reward": 1, "reject_reward": 1, "is_correct": 0},
    ]
    results = put(tmp_path / "RM-1B_result.json", rows)
    records = import_set(tmp_path, "rmb", results)
    assert list_verdicts(records) == [
        ("Helpfulness/Chat/1", "RM-1B", (0, 1), (0.5, 0.25), "ok"),
        ("Helpfulness/Chat/2", "RM-1B", (0, 1), (1.0, 1.0), "ok"),
    ]
    assert records[0].gold == (1.0, 0.0) and records[0].cluster == records[0].prompt
    asked = [{"pair_uid": uid, "category_path": category, "conversation_input": [{"content": "hi"}]} for uid in "12"]
    assert len({r.cluster for r in import_set(tmp_path, "rmb", results, put(tmp_path / "Chat.json", asked))}) == 1


def test_tournament(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_tournament(tmp_path / "set")
    records = import_set(tmp_path, "tournament", folder)
    assert "1 judgments dropped" in capsys.readouterr().err
    assert [(*s, r.judgment.sample) for s, r in zip(list_verdicts(records), records, strict=True)] == [
        ("1", "b-1", (0, 1), (1.0, 0.0), "ok", 0),
        ("2", "b-1", (0, 1), None, "unparsed", 0),
        ("1", "b-1", (1, 0), (0.5, 0.5), "ok", 0),
        ("1", "human", (0, 1), (0.0, 1.0), "ok", 0),
        ("1", "human", (0, 1), (0.0, 1.0), "ok", 1),
        ("2", "human", (0, 1), (1.0, 0.0), "ok", 0),
    ]
    assert {(r.responses, r.subset, r.gold) for r in records} == {(("a", "b-1"), "math", None)}
    found = read_set(tmp_path / "out.parquet")
    assert found.meta["pool"] is True and "1 judgments dropped" in found.meta["note"]
    used = {file["name"] for file in found.meta["sources"][0]["files"]}
    assert used == {
        "ratings-b-1/answer_a-vs-answer_b-1-b-1-reviewer.jsonl",
        "ratings-b-1/answer_b-1-vs-answer_a-b-1-reviewer_threeclass.jsonl",
        "ratings-human/answer_a-vs-answer_b-1-human-reviewer.jsonl",
        "prompts/questions.jsonl",
    }
    everybody = import_set(tmp_path, "tournament", folder, "--models", "a,b-1,c")
    assert everybody[0].responses == ("a", "b-1", "c") and len(everybody) == 7


def test_tournament_names_that_cannot_be_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = put(tmp_path / "answer_a-vs-answer_b-1-j-2-reviewer.jsonl", [rating_row(1, 1)])
    assert "give --models A,B,… or --judge NAME" in refuse_import(tmp_path, capsys, "tournament", path)
    (found,) = import_set(tmp_path, "tournament", path, "--judge", "j-2")
    assert found.responses == ("a", "b-1") and found.judgment.judge == "j-2"


@pytest.mark.parametrize(
    ("kind", "row", "field"),
    [
        ("judgebench", judgebench_row("1", ["A>B"], label="A"), "label"),
        ("judgebench", judgebench_row("1", []), "judgments"),
        ("judgebench", {k: v for k, v in judgebench_row("1", ["A>B"]).items() if k != "pair_id"}, "pair_id"),
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
        ("pandalm", pandalm_row(0, cmp_key=3, x_result=1), "cmp_key"),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, row: dict[str, Any], field: str
) -> None:
    good: dict[str, dict[str, Any]] = {
        "judgebench": judgebench_row("0", ["A>B"]),
        "rmb": {"pair_uid": "0", "category_path": "c", "chosen_reward": 1, "reject_reward": 1},
        "realmistake": {"id": "0", "responder": "r", "judge": "j", "prediction": "error", "label": "error"},
        "rewardbench2": {"id": "0", "subset": "Math", "num_correct": 1, "scores": [1, 2]},
        "pandalm": pandalm_row(9, x_result=1),
    }
    path = put(tmp_path / "file.jsonl", [good[kind], row])
    line = refuse_import(tmp_path, capsys, kind, path, "--judge", "j")
    assert line.startswith(f"import: {path}, row 2, field {field}: ")


@pytest.mark.parametrize("name", formats.list_names())
def test_every_format_shows_an_example_row_and_command(name: str) -> None:
    declared = formats.find_format(name)
    assert re.search(r"^Example (row|line).*\{", declared.manual or "", re.MULTILINE | re.DOTALL)
    assert declared.example.startswith(f"import {name} ") and declared.tasks
