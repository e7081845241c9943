"""Rows of the benchmarks' documented shapes, made up, and their way into files and out again as items."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from judgescale.harness.types import Item, JudgescaleError, Loaded, Task

CUSTOM = {"prompt": "q", "responses": ["a", "b"], "best": 0}
JUDGEBENCH = {"pair_id": "p", "source": "livecodebench", "question": "q", "response_A": "a", "response_B": "b",
              "label": "A>B"}  # fmt: skip
LLMBAR = {"input": "q", "output_1": "a", "output_2": "b", "label": 1}
REWARDBENCH = {"prompt": "q", "chosen": "good", "rejected": "bad", "subset": "math-prm", "id": 7, "chosen_model": "m",
               "rejected_model": "n"}  # fmt: skip
REWARDBENCH2 = {"id": "1", "subset": "Focus", "prompt": "q", "chosen": ["good"], "rejected": ["x", "y", "z"]}
RM_BENCH = {
    "id": 8, "prompt": "q", "chosen": [f"good {style}" for style in ("concise", "detailed", "markdown")],
    "rejected": [f"bad {style}" for style in ("concise", "detailed", "markdown")], "domain": "chat",
}  # fmt: skip
GPT4 = "gpt-4-0613"


def pair(uid: Any = "7", category: str = "Pairwise_set/Helpfulness/Chat", **changes: Any) -> dict[str, Any]:
    """RMB."""
    return {
        "pair_uid": uid,
        "category_path": category,
        "conversation_input": [{"role": "user", "content": "hi"}],
        "chosen": {"llm_name": "m", "answer": "good"},
        "reject": {"llm_name": "n", "answer": "bad"},
    } | changes


def best_of(uid: Any, losers: int, category: str = "BoN_set/Harmlessness/S1", **changes: Any) -> dict[str, Any]:
    """RMB best-of-N."""
    return {
        "bon_uid": uid,
        "category_path": category,
        "conversation_input": [{"role": "user", "content": f"{uid}"}],
        "bon_best": {"llm_name": "top", "answer": "best"},
        "loser_list": [{"llm_name": f"m{i}", "answer": f"loser {i}"} for i in range(losers)],
    } | changes


def vote(winner: str = "model_a", **changes: Any) -> dict[str, Any]:
    """PPE human preference."""
    tokens = {"context_a_tokens": 1, "context_b_tokens": 1, "sum_user_tokens": 1, "turns": 1}
    return {
        "question_id": "q",
        "model_a": "org/m",
        "model_b": "n",
        "winner": winner,
        "prompt": "hi",
        "response_1": "said by a",
        "response_2": "said by b",
        "language": "English",
        "conv_metadata": tokens,
        "is_code": True,
        "is_refusal": False,
        "category_tag": {"math_v0.1": {"math": False}},
        "sim": 0.5,
        "length_a": 3,
        "length_b": 3,
        "token_diff": 0.0,
        "longer_won": "tie",
        "hard_prompt": True,
        "easy_prompt": False,
        "if_prompt": True,
        "math_prompt": False,
    } | changes


def answers(scores: Sequence[Any], pairs: Sequence[Any] = (), **changes: Any) -> dict[str, Any]:
    """PPE correctness and best-of-K."""
    said = {f"response_{i + 1}": f"answer {i}" for i in range(len(scores))}
    return {
        "question_id": "7",
        "model_name": "m",
        "prompt": "how many?",
        **said,
        "scores": list(scores),
        "mean_score": 0.5,
        "conflict_pairs": [[0, 1]],
        "sampled_conflict_pairs": list(pairs),
    } | changes


def panda(idx: int, votes: tuple[Any, Any, Any] = (1, 1, 1), **changes: Any) -> dict[str, Any]:
    """PandaLM's test set."""
    return {
        "idx": idx,
        "motivation_app": "app",
        "cmp_key": "m-1_m-2",
        "instruction": "Do it.",
        "input": f"in {idx}",
        "response1": "one",
        "response2": "two",
        **{f"annotator{i}": vote for i, vote in enumerate(votes, 1)},
    } | changes


def mistake(n: int, model: str = GPT4, label: str = "error", field: str = "label", **changes: Any) -> dict[str, Any]:
    """ReaLMistake; `field` is called error_label on the Hub."""
    return {
        "input": f"q{n}",
        "llm_response": f"answer {n} of {model}",
        field: label,
        "error_categories": [],
        "human_explanation": "",
        "metadata": {"id": f"math_problem_generation_{n}_{model}", "llm_response_model": model},
    } | changes


def put(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Parquet, JSON Lines or an array, as the name says; gzipped likewise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
        return path
    text = "".join(json.dumps(row) + "\n" for row in rows) if ".jsonl" in path.name else json.dumps(rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def texts(task: Task) -> Loaded:
    """A task's items with their texts, every one of them whole."""
    assert task.read is not None
    loaded = task.read()
    for item in loaded.items:
        assert len(item.responses) == len(set(item.responses)) == len(item.texts) == len(item.gold)
        assert item.conversation[-1][0] == "user"
    return loaded


def read(task: Callable[..., Task], path: Path) -> list[Item]:
    return list(texts(task(path=str(path))).items)


def refused(task: Callable[..., Task], path: Path | None = None, **options: Any) -> str:
    """The one line that says why there are no items."""
    with pytest.raises(JudgescaleError) as error:
        texts(task(**{"path": str(path)} if path else {}, **options))
    assert "\n" not in str(error.value)
    return str(error.value)


def right(item: Item) -> set[str]:
    """The texts of the right responses."""
    return {text for text, gold in zip(item.texts, item.gold) if gold}
