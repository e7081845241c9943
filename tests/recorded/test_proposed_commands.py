"""The command that an import proposes works: it is run, for every importer; where none would, the reason is told."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig
from result_files import (
    BASE,
    RIGHT,
    ensembling_row,
    judgebench_row,
    llmbar_row,
    math_row,
    pandalm_row,
    rating_row,
    rewardbench2_rows,
    step_row,
)
from shapes import put

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan import plan_arms
from judgescale.harness.recorded import formats
from judgescale.harness.recorded.__main__ import main

Compose = Callable[..., DictConfig]

GAMES = [BASE | {"shown": pair, "winner": pair[0]} for pair in (["x", "y"], ["x", "z"], ["y", "z"])]
NO_GOLD = {name: value for name, value in BASE.items() if name != "best"} | {"responses": ["x", "y"]}
REWARD = {"pair_uid": "1", "category_path": "Pairwise_set/Helpfulness/Chat", "chosen_reward": 1, "reject_reward": 0.5}
MISTAKE = {
    "id": "math_problem_generation_8_gpt-4-0613", "task": "math_word_problem_generation", "responder": "gpt-4-0613",
    "judge": "gpt-4", "predictions": ["error", "no_error"], "label": "error",
}  # fmt: skip
SCALAR = {"_record": "metadata", "model": "rm"}
TEN = math_row("1+1?", list(range(10)), [RIGHT, *(f"org/{i}" for i in range(9))])
GAME = math_row("1+1?", ["A"], ["org/m"], chosen_position=["B"])
TIED = {"id": "tied:0", "subset": "Ties", "num_correct": 2, "scores": [3, 2, 1]}

CASES: dict[str, tuple[str, dict[str, list[dict[str, Any]]], str]] = {  # name: (format, files, how the command ends)
    "judgebench": ("judgebench", {"jb.jsonl": [judgebench_row("1", ["A>B", None])]}, "task=judgebench"),
    "llmbar": ("llmbar", {"Natural/evaluators/J/V/result.json": [llmbar_row("1", None)]}, "task=llmbar"),
    "pandalm": ("pandalm", {"t.json": [pandalm_row(i, pandalm_result=1) for i in range(3)]}, "task=pandalm"),
    "realmistake": ("realmistake", {"r.jsonl": [MISTAKE]}, "task=realmistake"),
    "rewardbench2": ("rewardbench2", {"r.jsonl": rewardbench2_rows()}, "task=rewardbench2"),
    "rewardbench2, half of a Ties prompt": ("rewardbench2", {"r.jsonl": [SCALAR, TIED]}, "task=custom"),
    "criteria_ensembling": ("criteria_ensembling", {"base_k2.jsonl": [ensembling_row()]}, "task=rewardbench2"),
    "rewardmath": ("rewardmath", {"rm_reward.json": [TEN]}, "task=rewardmath"),
    "rewardmath, fewer solutions": ("rewardmath", {"rm_reward.json": [math_row("1?", [1, 2, 3])]}, "task=custom"),
    "rewardmath_pairs": ("rewardmath_pairs", {"j_pairwise_reward.json": [GAME]}, "task=rewardmath_pairs"),
    "rewardbench_math_prm": (
        "rewardbench_math_prm",
        {"rewardbench_prm.json": [step_row("chosen", [0.5, 0.75]), step_row("rejected", [0.25])]},
        "task=rewardbench",
    ),
    "rmb": ("rmb", {"m_result.json": [REWARD]}, "task=rmb"),
    "tournament": (
        "tournament",
        {f"ratings-{j}/answer_a-vs-answer_b-{j}-reviewer.jsonl": [rating_row(1, 1)] for j in ("j", "human")},
        "task=vicuna80_pairs",
    ),
    "jsonl": ("jsonl", {"mine.jsonl": [BASE | {"winner": "y"}]}, "task=custom"),
    "jsonl, judges of different items": (
        "jsonl",
        {
            "mine.jsonl": [
                BASE | {"prompt": p, "judge": j, "winner": "y"} for p, j in (("q", "j"), ("q", "k"), ("r", "k"))
            ]
        },
        "task=custom",
    ),
    "jsonl, games of two among three": ("jsonl", {"mine.jsonl": GAMES}, "task=custom strategy=elo"),
}  # fmt: skip


def propose(folder: Path, capsys: pytest.CaptureFixture[str], kind: str, files: dict[str, Any]) -> str:
    for name, rows in files.items():
        put(folder / "given" / name, rows)
    given = [str(folder / "given" / name) for name in files]
    assert main(["import", kind, *given, "--out", str(folder / "a set.parquet")]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out.strip()


@pytest.mark.parametrize("case", CASES)
def test_it_runs(composed: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    kind, files, end = CASES[case]
    command = propose(tmp_path, capsys, kind, files).partition(" Run: python run.py ")[2]
    assert command.endswith(end)
    for arm in plan_arms(composed(*shlex.split(command))):
        assert 0 <= evaluate(arm)[0].headline.value <= 1


def test_every_importer_is_among_them() -> None:
    assert {kind for kind, _, _ in CASES.values()} == set(formats.list_names())


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([NO_GOLD | {"judge": j, "winner": "x"} for j in ("human", "j")], "has no gold label, so this task cannot"),
        (GAMES[:2], "no judgment of these 3 response(s) together was recorded (the set has judgments of 2)"),
    ],
)
def test_none_is_proposed_that_would_be_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[dict[str, Any]], reason: str
) -> None:
    line = propose(tmp_path, capsys, "jsonl", {"mine.jsonl": rows})
    assert "run.py" not in line and f"It cannot be run as it is: {tmp_path}" in line.replace(
        "set a set, item", f"{tmp_path}"
    )
    assert reason in line


def test_a_set_that_is_written_anew_is_read_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert propose(tmp_path, capsys, "jsonl", {"mine.jsonl": GAMES}).endswith("strategy=elo")
    assert propose(tmp_path, capsys, "jsonl", {"mine.jsonl": [BASE | {"winner": "y"}]}).endswith("task=custom")
