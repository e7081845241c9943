"""Made-up result files of every format that is imported, and imports of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from shapes import put

from judgescale.harness.recorded import read_set
from judgescale.harness.recorded.__main__ import main
from judgescale.harness.types import Record

BASE: dict[str, Any] = {"prompt": "q", "responses": ["x", "y", "z"], "best": "y", "judge": "j"}


def import_set(tmp_path: Path, kind: str, *arguments: object) -> tuple[Record, ...]:
    """Import files with the command, and read the set."""
    out = tmp_path / "out.parquet"
    assert main(["import", kind, *map(str, arguments), "--out", str(out)]) == 0
    return read_set(out).records


def refuse_import(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, *arguments: object) -> str:
    """Return the one line of an import that is refused, and see that nothing was written."""
    out = tmp_path / "refused.parquet"
    capsys.readouterr()  # what earlier imports said
    assert main(["import", kind, *map(str, arguments), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("import: ") and captured.err.count("\n") == 1 and captured.out == ""
    assert not list(tmp_path.glob("*refused.parquet*"))
    return captured.err


def list_verdicts(records: tuple[Record, ...]) -> list[tuple[Any, ...]]:
    """Return the parts of the judgments that an importer decides."""
    return [(r.prompt, r.judgment.judge, r.judgment.shown, r.judgment.scores, r.judgment.status) for r in records]


def judgebench_row(name: str, decisions: list[Any], **changes: Any) -> dict[str, Any]:
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


def llmbar_row(first: Any, second: Any, **final: Any) -> dict[str, Any]:
    verdicts = {
        "swap = False": {"completion": ["Output (a)", "stop"], "winner": first},
        "swap = True": {"completion": ["Output (a)", "stop"], "winner": second},
    }
    results = [["a helper's text", "stop"], verdicts | final]
    return {"input": "Sum up.", "output_1": "short", "output_2": "long", "label": 2, "results": results}


def rewardbench2_rows(results: Any = 1, letter: str = "B", **header: Any) -> list[dict[str, Any]]:
    first = {"_record": "metadata", "model": "org/judge", "ordering": 6, "permutation": [1, 0, 2, 3]} | header
    return [first, {"id": "9", "subset": "Focus", "results": results, "parsed_letter": letter}]


def pandalm_row(idx: int, votes: tuple[Any, Any, Any] = (1, 2, 0), **changes: Any) -> dict[str, Any]:
    item = {"idx": idx, "cmp_key": "bloom-7b_opt-7b", "instruction": "Rewrite.", "input": "", "response1": "x"}
    return item | {f"annotator{i}": vote for i, vote in enumerate(votes, 1)} | changes


def rating_row(question: int, score: Any, **changes: Any) -> dict[str, Any]:
    return {"question_id": question, "score": score, "text": "why"} | changes


def write_tournament(folder: Path) -> Path:
    """Write the folder of a tournament, with a twin file and files that are no ratings."""
    files: Mapping[str, list[dict[str, Any]]] = {
        "ratings-b-1/answer_a-vs-answer_b-1-b-1-reviewer.jsonl": [rating_row(1, 1), rating_row(2, -1)],
        "ratings-b-1/answer_b-1-vs-answer_a-b-1-reviewer_threeclass.jsonl.gz": [rating_row(1, 3)],
        "ratings-b-1/answer-b-1-vs-answer-a-b-1-reviewer-threeclass.jsonl": [rating_row(1, 1)],
        "ratings-human/answer_a-vs-answer_b-1-human-reviewer.jsonl": [
            rating_row(1, 2),
            rating_row(1, 2),
            rating_row(2, 1),
        ],
        "ratings-human/answer_a-vs-answer_c-human-reviewer.jsonl": [rating_row(1, 2)],
        "prompts/questions.jsonl": [{"question_id": q, "text": "?", "category": "math"} for q in (1, 2)],
        "prompts/reviewer.jsonl": [{"reviewer_id": "r", "category": "general"}],
        "generations/answer_a.jsonl": [{"answer_id": "x", "question_id": 1, "text": "made up"}],
    }
    for name, rows in files.items():
        put(folder / name, rows)
    return folder


RIGHT = "human_to_GPT-4"


def ensembling_row(**changes: Any) -> dict[str, Any]:
    return {
        "id": "7",
        "subset": "Math",
        "prompt_variant": "base",
        "k": 2,
        "full_scores": [[9, 8], [6, 6], [5, 5], [4, 3]],
        "full_errors": [[None, None]] * 4,
        "cost": {"full_input_tokens": 100, "full_output_tokens": 11},
        "refused": False,
    } | changes


def math_row(problem: str, score: list[Any], authors: list[str] | None = None, **changes: Any) -> dict[str, Any]:
    """RewardMATH: a problem's solutions, and what was said of each."""
    return {"problem": problem, "solution_reference": authors or [RIGHT, "org/m", "org/n"], "score": score} | changes


def step_row(kind: str, steps: list[Any], **changes: Any) -> dict[str, Any]:
    """RewardMATH: the step scores of one solution of a math-prm pair."""
    return {"problem": "1+1?", "problem_id": 0, "solution_type": kind, "output": {"step_scores": steps}} | changes
