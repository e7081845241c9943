"""RewardMATH: the owners' figures out of the shipped sets, every rule for step scores, and the texts of both tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig
from shapes import put, read, refused

from judgescale.harness.plan import plan_arms
from judgescale.harness.report.next_commands import choose_part
from judgescale.harness.types import JudgescaleError, Result, Task
from judgescale.tasks import rewardbench, rewardmath

RIGHT = rewardmath.RIGHT
Evaluate = Callable[..., Mapping[str, Result]]

# strict accuracy, mean reciprocal rank, and accuracy where ties count as right
SCORED = {
    "internlm2": (37.27, 55.17, 37.27),
    "skywork_llama3": (22.15, 44.69, 22.15),
    "ArmoRM": (20.50, 42.18, 21.53),
    "Eurus-RM": (16.98, 38.30, 16.98),
    "gpt4o": (25.98, 46.70, 51.75),
    "sonnet-3-5": (2.07, 17.60, 73.50),
    "llama3_70B": (0.62, 17.16, 65.42),
    "Math_Shepherd": (18.22, 38.83, 18.22),
    "ReasonEval_7B": (14.91, 36.27, 14.91),
}
SHARED = {"ArmoRM": 21.01, "gpt4o": 35.71, "sonnet-3-5": 13.85, "internlm2": 37.27}  # 1/m among m tied
STEPS = {  # strict accuracy of Math_Shepherd and ReasonEval_7B; on the math-prm pairs
    "min": ((15.32, 19.46), (83.00, 41.83)),
    "max": ((3.93, 12.01), (68.68, 5.82)),
    "prod": ((17.18, 18.22), (94.41, 63.09)),
    "geometric_mean": ((15.73, 20.29), (81.43, 14.77)),
    "mean": ((15.11, 20.08), (81.21, 12.08)),
    "mean_logit": ((14.70, 20.91), (80.76, 9.84)),
    "mean_odd": ((9.32, 19.25), (78.52, 7.83)),
    "last": ((18.22, 14.91), (65.77, 23.49)),
}


def percent(value: float) -> float:
    return round(100 * value, 2)


def test_the_owners_figures_of_scores(evaluated: Evaluate) -> None:
    for judge, result in evaluated("task=rewardmath", "strategy=single").items():
        of_metrics = [result.sections[name].value for name in ("mrr", "tie_right")]
        assert (percent(result.headline.value), *map(percent, of_metrics)) == SCORED[judge], judge
        assert result.items == (485 if judge == "gpt4o" else 483)


def test_a_share_of_a_tie(evaluated: Evaluate) -> None:
    names = ",".join(SHARED)
    found = evaluated("task=rewardmath", "strategy=single", "strategy.tie=share", f"judge.names=[{names}]")
    assert {judge: percent(result.headline.value) for judge, result in found.items()} == SHARED


def test_the_owners_figures_of_pairs(evaluated: Evaluate) -> None:
    found = evaluated("task=rewardmath_pairs", "strategy=single")
    both = {j: (percent(r.headline.value), percent(r.sections["pair_accuracy"].value)) for j, r in found.items()}
    assert both == {"gpt4o": (24.64, 76.33), "llama3_70B": (9.73, 68.12)}


@pytest.mark.parametrize("rule", STEPS)
def test_every_rule_for_step_scores(composed: Callable[..., DictConfig], rule: str) -> None:
    """Not through `evaluated`: of a whole report only the strict comparison is looked at."""
    of_solutions, of_pairs = STEPS[rule]
    for task, expected in (("rewardmath", of_solutions), ("rewardbench_math_prm", of_pairs)):
        where = f"engine.path=results/recorded/{task}.parquet"
        names = "judge.names=[Math_Shepherd,ReasonEval_7B]"
        arms = plan_arms(composed(f"task={task.split('_')[0]}", where, names, f"judge.steps={rule}", "strategy=single"))
        assert [arm.judge for arm in arms] == [f"Math_Shepherd ({rule})", f"ReasonEval_7B ({rule})"]
        for arm, accuracy in zip(arms, expected, strict=True):
            right = 0
            for item in arm.items:
                (scores,) = arm.judgments.find_pool(item, range(len(item.responses))).scores
                gold = np.array(item.gold)
                right += scores[gold == 1].min() > scores[gold == 0].max()
            assert percent(right / len(arm.items)) == accuracy


def test_options_that_choose_part_of_a_set(composed: Callable[..., DictConfig]) -> None:
    def refuse(*options: str) -> str:
        with pytest.raises(JudgescaleError) as caught:
            plan_arms(composed("task=rewardmath", *options))
        return str(caught.value)

    assert "judge.steps=last: ArmoRM has no step scores in set rewardmath" in refuse("judge.steps=last")
    assert "judge.steps=sum: choose min, max, prod, geometric_mean, " in refuse("judge.steps=sum")
    assert "judge.variants: 'cot' is not among those of these judges in set rewardmath; it has ''" in refuse(
        "judge.variants=[cot]"
    )
    assert "judge.variants=[]: must be a list of variants" in refuse("judge.variants=[]")
    of_samples = ("task=rewardbench2", "engine.path=results/recorded/rewardbench2_samples.parquet")
    line = refuse(*of_samples, "judge.names=[GPT-5.4,GPT-5.4 nano]", "judge.variants=[criteria]")
    assert line.startswith("judge.variants: GPT-5.4 nano has no judgment of criteria in set rewardbench2_samples")
    (arm,) = plan_arms(composed(*of_samples, "judge.names=[GPT-5.4 mini]", "judge.variants=criteria"))
    assert (arm.judge, arm.k, len(arm.items)) == ("GPT-5.4 mini (criteria)", 8, 1742)
    assert choose_part(arm) == " 'judge.names=[GPT-5.4 mini]' 'judge.variants=[criteria]'"


def test_ranks_of_ties_and_of_what_has_no_score() -> None:
    gold = np.array([[0.0, 1.0, 0.0]] * 4)
    decisions = np.array([[1.0, 2.0, 0.0], [2.0, 2.0, 0.0], [np.nan, 1.0, 3.0], [np.nan] * 3])
    assert rewardmath.find_reciprocal_rank(gold, decisions) == pytest.approx((1 + 1 / 2 + 1 / 2 + 0) / 4)
    assert rewardmath.find_tie_right(gold, decisions) == 0.5


def solution(author: str, problem: str = "1+1?", **changes: Any) -> dict[str, Any]:
    steps = {"eval_solution": ["First.", f"By {author}."]}
    return {"problem": problem, "solution_reference": author, "level": 3, "subject": "Algebra"} | steps | changes


def test_ten_solutions_are_an_item_in_an_order_that_tells_nothing(tmp_path: Path) -> None:
    rows = [
        solution(a, f"{i}+1?")
        for i in range(20)
        for a in (RIGHT, "org/m", "org/m", "", *(f"org/{j}" for j in range(6)))
    ]
    items = read(rewardmath.solutions, put(tmp_path / "RewardMATH_direct.json", rows))
    assert len(items) == 20 and all(len(item.texts) == 10 and sum(item.gold) == 1 for item in items)
    first = items[0]
    assert first.texts[first.gold.index(1.0)] == f"First.\nBy {RIGHT}." and first.conversation == (("user", "0+1?"),)
    assert {"org/m", "org/m#2", "unknown"} < set(first.responses) and ("subject", "Algebra") in first.tags
    assert len({item.gold.index(1.0) for item in items}) > 3


def test_pairs_stand_where_the_owners_put_them(tmp_path: Path) -> None:
    texts = {"eval_solution_A": ["a"], "eval_solution_B": ["b"]}
    rows = [solution("org/m", chosen_position=place, **texts) for place in "AB"]
    first, second = read(rewardmath.pairs, put(tmp_path / "RewardMATH_pairwise.json", rows))
    assert (first.responses, first.gold) == ((RIGHT, "org/m"), (1, 0)) and first.texts == ("a", "b")
    assert (second.responses, second.gold) == (("org/m#2", RIGHT), (0, 1)) and second.texts == ("a", "b")
    assert first.cluster == second.cluster == rewardmath.name_problem(first)


def test_math_prm_pairs_of_the_owners_file(tmp_path: Path) -> None:
    rows = [solution("unaligned_GPT-4"), solution(RIGHT)]
    (item,) = read(rewardbench.task, put(tmp_path / "rewardbench_math_prm_.json", rows))
    assert sorted(zip(item.responses, item.gold, strict=True)) == [("chosen", 1), ("rejected", 0)]
    assert item.subset == "math-prm" and item.id == f"math-prm/{item.cluster}"


@pytest.mark.parametrize(
    ("make", "rows", "message"),
    [
        (rewardmath.solutions, [solution(RIGHT), solution(RIGHT)], f"there is a solution of {RIGHT} already"),
        (rewardmath.solutions, [solution(RIGHT), solution("m")], "problem: has 2 solutions, not 10"),
        (rewardmath.solutions, [solution("m")], f"problem: has 1 solutions, and none of {RIGHT}"),
        (rewardmath.pairs, [solution("m", chosen_position="C")], "chosen_position: 'C' is neither 'A' nor 'B'"),
        (rewardbench.task, [solution("m"), solution("n")], "its problem has a rejected solution already: row 1"),
        (rewardbench.task, [solution("m")], "problem: has only a rejected solution"),
    ],
)
def test_rows_that_make_no_item(
    tmp_path: Path, make: Callable[..., Task], rows: list[dict[str, Any]], message: str
) -> None:
    assert message in refused(make, put(tmp_path / "rows.json", rows))
