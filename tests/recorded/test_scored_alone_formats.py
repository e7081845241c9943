"""The importers of responses that were scored alone: criteria ensembling and RewardMATH, of made-up files."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import pytest
from result_files import RIGHT, ensembling_row, import_set, list_verdicts, math_row, refuse_import, step_row
from shapes import put

from judgescale.harness.recorded import read_set
from judgescale.harness.types import Record


def list_scores(records: tuple[Record, ...]) -> list[Any]:
    """Return the scores of every judgment, None in place of those that are missing."""
    scores = [r.judgment.scores for r in records]
    return [None if of is None else [None if isnan(score) else score for score in of] for of in scores]


def test_a_sample_of_all_responses_is_one_judgment(tmp_path: Path) -> None:
    row = ensembling_row(mini_scores=[[1, 2], [3, 4], [5, None], [7, 8]], mini_errors=None)
    records = import_set(tmp_path, "criteria_ensembling", put(tmp_path / "base_both_k8.jsonl.gz", [row]))
    assert [(r.judgment.judge, r.judgment.sample, r.judgment.variant) for r in records] == [
        (judge, sample, "base") for judge in ("GPT-5.4", "GPT-5.4 mini") for sample in (0, 1)
    ]
    assert list_scores(records) == [[9, 6, 5, 4], [8, 6, 5, 3], [1, 3, 5, 7], [2, 4, None, 8]]
    first, meta = records[0], read_set(tmp_path / "out.parquet").meta
    assert (first.prompt, first.cluster, first.subset) == ("Math/7", "Math/7", "Math")
    assert first.responses == ("0", "1", "2", "3") and first.gold == (1, 0, 0, 0)
    assert [r.judgment.completion_tokens for r in records] == [6, 5, None, None], "in equal parts, to the last token"
    assert [r.judgment.prompt_tokens for r in records[:2]] == [50, 50]
    assert meta["pointwise"] is True and meta["temperature"] == 1 and meta["tasks"][0] == "rewardbench2"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("empty_response (finish_reason=content_filter)", "refused"),
        ("policy_refusal", "refused"),
        ("no_score_found", "unparsed"),
        ("cli_error (rc=1): ", "failed"),
        ("finish_reason=length", "truncated"),
    ],
)
def test_a_sample_without_any_score_says_why(tmp_path: Path, error: str, status: str) -> None:
    row = ensembling_row(full_scores=[[9, None], [6, None], [5, None], [4, None]], full_errors=[[None, error]] * 4)
    records = import_set(tmp_path, "criteria_ensembling", put(tmp_path / "base_k2.jsonl", [row]))
    assert [(r.judgment.status, r.judgment.scores is None) for r in records] == [("ok", False), (status, True)]


@pytest.mark.parametrize("scores", [None, [], [None] * 4, [[], [], [], []], [[None, None]] * 4])
def test_a_refused_row_is_so_many_refused_judgments(tmp_path: Path, scores: Any) -> None:
    row = ensembling_row(full_scores=scores, full_errors=None, refused=True)
    records = import_set(tmp_path, "criteria_ensembling", put(tmp_path / "base_k2.jsonl", [row]))
    assert [(r.judgment.status, r.judgment.scores, r.judgment.shown) for r in records] == [
        ("refused", None, (0, 1, 2, 3))
    ] * 2


def test_the_file_s_name_tells_models_and_temperature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claude = put(tmp_path / "criteria_claude_both_k8.jsonl", [ensembling_row(prompt_variant="criteria")])
    (record, *_) = import_set(tmp_path, "criteria_ensembling", claude)
    assert record.judgment.judge == "Claude Sonnet 4.6" and record.judgment.variant == "criteria"
    assert record.judgment.prompt_tokens is None and record.judgment.completion_tokens == 6
    assert "Input tokens" in read_set(tmp_path / "out.parquet").meta["note"]
    cold = put(tmp_path / "base_full_k8_t0.3.jsonl", [ensembling_row()])
    (record, *_) = import_set(tmp_path, "criteria_ensembling", cold)
    assert record.judgment.variant == "base@t0.3" and read_set(tmp_path / "out.parquet").meta["temperature"] == 0.3
    (record, *_) = import_set(
        tmp_path, "criteria_ensembling", put(tmp_path / "combined_k8.jsonl", [ensembling_row(prompt_variant=None)])
    )
    assert record.judgment.variant == "combined"
    both = import_set(tmp_path, "criteria_ensembling", cold, put(tmp_path / "base_k8.jsonl", [ensembling_row(id="8")]))
    assert {r.judgment.variant for r in both} == {"base", "base@t0.3"}
    assert read_set(tmp_path / "out.parquet").meta["temperature"] is None
    row = {name.replace("full", "tiny"): value for name, value in ensembling_row().items()}
    tiny = put(tmp_path / "base_tiny.jsonl", [row])
    line = refuse_import(tmp_path, capsys, "criteria_ensembling", tiny)
    assert "field tiny_scores: nobody says which model 'tiny' is: give it with --names tiny=NAME" in line
    (record, *_) = import_set(tmp_path, "criteria_ensembling", tiny, "--names", "tiny=GPT-5.4 tiny, full=x")
    assert record.judgment.judge == "GPT-5.4 tiny"
    assert "--names tiny: 'tiny' must be WHO=NAME" in refuse_import(
        tmp_path, capsys, "criteria_ensembling", tiny, "--names", "tiny"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"full_scores": [[9, 8], [6], [5, 5], [4, 3]]}, "field full_scores: has 1 and 2 scores"),
        ({"full_scores": [["9", 8], [6, 6], [5, 5], [4, 3]]}, "field full_scores: '9' is neither a number nor null"),
        ({"full_scores": [9, 6, 5, 4]}, "field full_scores: must be a list of scores for each response"),
        ({"full_scores": None, "k": 0}, "field k: 0 is no number of samples"),
        ({"subset": "Ties"}, "field subset: Ties items have several right responses"),
        ({"id": None}, "field id: is null"),
    ],
)
def test_a_wrong_row_of_criteria_ensembling_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    path = put(tmp_path / "base_k2.jsonl", [ensembling_row(id="0"), ensembling_row(**changes)])
    assert f"row 2, {message}" in refuse_import(tmp_path, capsys, "criteria_ensembling", path)


def test_rewardmath_scores_and_step_scores(tmp_path: Path) -> None:
    scalar = put(tmp_path / "rm_reward.json", [math_row("1+1?", [0.5, -1.0, 0.25])])
    stepwise = put(tmp_path / "prm_reward.json.gz", [math_row("1+1?", [[0.9, 0.8], [0.7], []])])
    records = import_set(tmp_path, "rewardmath", scalar, stepwise)
    assert [r.judgment.judge for r in records] == ["rm", "prm"]
    assert list_scores(records) == [[0.5, -1.0, 0.25], [0.8, 0.7, None]], "the last step's"
    assert [r.judgment.steps for r in records] == [None, ((0.9, 0.8), (0.7,), ())]
    assert records[0].responses == (RIGHT, "org/m", "org/n") and records[0].gold == (1, 0, 0)
    assert records[0].prompt == records[0].cluster and "1+1" not in records[0].prompt, "a hash, no text"


def test_rewardmath_rows_that_are_there_twice_and_solutions_that_are_not(tmp_path: Path) -> None:
    unsure = math_row("1+1?", [3, None, "9", "none"], ["org/m", RIGHT, "org/m", ""])
    records = import_set(
        tmp_path,
        "rewardmath",
        put(tmp_path / "a_reward.json", [unsure, unsure]),
        put(tmp_path / "b_reward.json", [math_row("1+1?", [7, 5, 6], [RIGHT, "org/m", "org/x"])]),
    )
    first, second, other = records
    assert second.prompt == f"{first.prompt}#2" and first.cluster == second.cluster == first.prompt
    assert first.responses == (RIGHT, "org/m", "org/m#2", "unknown", "org/x") == other.responses
    assert list_scores(records) == [[None, 3, 9, None, None], [None, 3, 9, None], [7, 5, None, None, 6]]


def test_rewardmath_pairs_stand_where_the_first_file_showed_them(tmp_path: Path) -> None:
    row = math_row("1+1?", ["A", "b", None], ["org/m", "org/n", "org/o"], chosen_position=["A", "B", "B"])
    again = math_row("1+1?", ["B"], ["org/n"], chosen_position=["A"])
    records = import_set(
        tmp_path,
        "rewardmath_pairs",
        put(tmp_path / "gpt_pairwise_reward.json", [row]),
        put(tmp_path / "other_pairwise_reward.json", [again]),
    )
    problem = records[0].cluster
    assert list_verdicts(records) == [
        (f"{problem}/org/m", "gpt", (0, 1), (1.0, 0.0), "ok"),
        (f"{problem}/org/n", "gpt", (0, 1), (0.0, 1.0), "ok"),
        (f"{problem}/org/o", "gpt", (0, 1), None, "unparsed"),
        (f"{problem}/org/n", "other", (1, 0), (0.0, 1.0), "ok"),
    ]
    assert [r.gold for r in records] == [(1, 0), (0, 1), (0, 1), (0, 1)]
    assert records[1].responses == ("org/n", RIGHT), "the second file showed the right one first, and it lost"


def test_math_prm_pairs_in_both_shapes(tmp_path: Path) -> None:
    scalar = math_row("1+1?", [-1.0, 0.5], ["modified_with_GPT-4", RIGHT])
    steps = [step_row("rejected", [0.9, 0.1]), step_row("chosen", [0.5, 0.6]), step_row("chosen", [0.2], problem_id=1)]
    records = import_set(
        tmp_path,
        "rewardbench_math_prm",
        put(tmp_path / "rewardbench_rm.json", [scalar]),
        put(tmp_path / "rewardbench_prm.json", steps),
    )
    assert [r.judgment.judge for r in records] == ["rm", "prm", "prm"]
    assert list_scores(records) == [[0.5, -1.0], [0.6, 0.1], [0.2, None]]
    assert records[1].judgment.steps == ((0.5, 0.6), (0.9, 0.1)) and records[2].prompt == f"{records[1].prompt}#2"
    assert records[0].responses == ("chosen", "rejected") and records[0].subset == "math-prm"
    assert records[0].prompt == records[1].prompt == f"math-prm/{records[0].cluster}"


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("rewardmath", math_row("1?", [1, 2, 3], ["a", "b", "c"]), f"solution_reference: has no '{RIGHT}'"),
        ("rewardmath", math_row("1?", [1, 2], [RIGHT, "b", "c"]), "score: 2 for the 3 solutions"),
        ("rewardmath", math_row("1?", [[1, "x"], [1], [1]]), "score: 'x' is not the score of a step"),
        ("rewardmath", math_row("1?", [True, 1, 1]), "score: True is neither a number"),
        ("rewardmath_pairs", math_row("1?", ["A"], ["b"], chosen_position=["C"]), "chosen_position: 'C' is neither"),
        ("rewardmath_pairs", math_row("1?", ["A"], ["b"], chosen_position=[]), "chosen_position: 0 for the 1"),
        ("rewardbench_math_prm", math_row("1?", [1, 2, 3]), "score: is of 3 solutions, and a pair has two"),
        ("rewardbench_math_prm", step_row("chosen", [0.1], problem_id=0), "solution_type: this problem has a chosen"),
        ("rewardbench_math_prm", step_row("good", [0.1]), "solution_type: 'good' is neither"),
    ],
)
def test_a_wrong_row_of_rewardmath_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, row: dict[str, Any], message: str
) -> None:
    good = {
        "rewardmath": math_row("0?", [1, 2, 3]),
        "rewardmath_pairs": math_row("0?", ["A"], ["b"], chosen_position=["A"]),
        "rewardbench_math_prm": step_row("chosen", [0.1], problem_id=0),
    }
    path = put(tmp_path / "file.json", [good[kind], row])
    assert refuse_import(tmp_path, capsys, kind, path).startswith(f"import: {path}, row 2, field {message}")


def test_each_of_the_three_formats_knows_its_own_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "in" / "rm_reward.json", [math_row("1?", [1, 2, 3])])
    put(tmp_path / "in" / "j_pairwise_reward.json", [math_row("1?", ["A"], ["b"], chosen_position=["A"])])
    put(tmp_path / "in" / "rewardbench_rm.json", [math_row("1?", [1, 2], [RIGHT, "b"])])
    for kind, judge in (("rewardmath", "rm"), ("rewardmath_pairs", "j"), ("rewardbench_math_prm", "rm")):
        (record,) = import_set(tmp_path, kind, tmp_path / "in")
        assert record.judgment.judge == judge
    line = refuse_import(tmp_path, capsys, "rewardmath", tmp_path / "in" / "rewardbench_rm.json")
    assert "use: judgescale recorded import rewardbench_math_prm" in line
