"""Which published figures an arm is compared with: made-up judgments stand for all items of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fakes import arm, protocol, recorded_set

from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan import plan_arms
from judgescale.harness.recorded import read_set, write_set
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.runner import evaluate_all
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Judgment, Record, Result
from judgescale.tasks import rewardbench, rmb

GRM = "DeepSeek-GRM-27B"


def judge_pairs(subset: str, samples: int, pairs: int = 3) -> Iterator[Record]:
    """Pairs that a judge guesses, with the scores of a meta RM that guesses too."""
    rng = np.random.default_rng(0)
    for i in range(pairs):
        for sample in range(samples):
            scores = (float(rng.random() < 0.6), 0.5)
            judgment = Judgment(judge="j", shown=(0, 1), scores=scores, sample=sample, meta=float(rng.random()))
            yield Record(
                prompt=f"{subset}/{i}",
                cluster=f"{subset}/{i}",
                subset=subset,
                responses=("a", "b"),
                gold=(1.0, 0.0),
                judgment=judgment,
            )


def hold(
    benchmark: ModuleType, subset: str, judge: str, strategy: Strategy, k: int, meta: Mapping[str, Any] | None = None
) -> Result:
    """Evaluate a judge at k on one subset, as if it were the whole benchmark."""
    rows = list(judge_pairs(subset, k))
    task = benchmark.task()
    sizes = Counter(task.section(item) for item in task.load(recorded_set(rows)))
    task = replace(task, sizes=dict(sizes), rollups={})
    mine = arm(rows, strategy, [k], task, replace(protocol(task.protocols[0]), rollup="sections"))
    judgments = RecordedJudgments(recorded_set(rows, **(meta or {})), ("j",))
    return evaluate(replace(mine, judge=judge, judgments=judgments))[0]


def list_compared(result: Result) -> list[float]:
    return sorted({p.value for p in result.published if p.delta is not None and p.section == "overall"})


def find_reasons(result: Result) -> dict[float, str]:
    """The other figures of the same judge, with the reason that stands beside each."""
    found: dict[float, str] = {}
    for p in result.published:  # the best-trusted first
        assert not (p.reason and p.delta is not None)
        if p.reason and p.section == "overall":
            found.setdefault(p.value, p.reason)
    return found


@pytest.mark.parametrize(
    ("strategy", "k", "meta", "theirs"),
    [
        (Single(), 1, {}, 0.852),  # Voting@1; what nobody calls greedy is not
        (Voting(), 1, {}, 0.852),
        (Single(), 1, {"temperature": 0.0}, 0.86),
        (Voting(), 8, {}, 0.877),
        (Voting(), 32, {"temperature": 0.5}, 0.885),
        (MetaVoting(meta="recorded"), 8, {}, 0.898),
        (MetaVoting(meta="recorded"), 32, {}, 0.904),
    ],
)
def test_a_run_is_held_against_the_figure_of_its_own_strategy_and_k(strategy, k, meta, theirs) -> None:
    result = hold(rewardbench, "alpacaeval-easy", GRM, strategy, k, meta)
    assert list_compared(result) == [theirs]
    others = {0.852, 0.86, 0.877, 0.885, 0.898, 0.904} - {theirs}
    assert others <= set(find_reasons(result))


def test_why_no_difference_is_taken_is_told() -> None:
    once = hold(rewardbench, "alpacaeval-easy", GRM, Single(), 1)
    reasons = find_reasons(once)
    assert reasons[0.86] == "same model, greedy" and reasons[0.885] == "same model, voting@32"
    assert reasons[0.904] == "same model, meta voting@32 (16 vote)"
    (note,) = [note for note in once.notes if note.startswith("No difference is taken")]
    assert note.count("88.5 (same model, voting@32)") == 1  # which two sources print
    assert list_compared(hold(rewardbench, "alpacaeval-easy", GRM, Voting(), 4)) == []
    for guess in ("oracle", "random", "logistic"):  # the paper's meta RM is another
        result = hold(rewardbench, "alpacaeval-easy", GRM, MetaVoting(meta=guess), 8)
        assert list_compared(result) == [] and find_reasons(result)[0.898] == "same model, another meta RM"


def test_pairs_are_not_held_against_a_list() -> None:
    greedy = {"temperature": 0.0}
    result = hold(rmb, "Helpfulness/x", GRM, Single(), 1, greedy)
    assert list_compared(result) == [] and find_reasons(result)[0.69] == "same model, list protocol"
    assert [p.value for p in result.published if p.section == "Helpful-Pair" and p.delta is not None][:1] == [0.805]
    scalar = hold(rmb, "Helpfulness/x", "Skywork-Reward-Gemma-2-27B", Single(), 1)
    assert list_compared(scalar) == [0.602]  # whose order of two is the same in a list


def test_another_rule_is_another_number() -> None:
    rows = list(judge_pairs("alpacaeval-easy", 1))
    task = replace(rewardbench.task(), sizes={"Chat": 3}, rollups={})
    rules = replace(protocol("rewardbench"), rollup="sections", failure=1.0)
    result, _ = evaluate(replace(arm(rows, Single(), [1], task, rules), judge=GRM))
    assert list_compared(result) == []
    assert find_reasons(result)[0.852] == "same model, not by the rules of protocol=rewardbench"


def test_another_prompt_is_told_from_the_set(composed, tmp_path: Path) -> None:
    """The shipped judgments of o1-mini, as if they were gpt-4o's, asked with one prompt or another."""
    shipped = [r for r in read_set("judgebench").records if r.judgment.judge == "o1-mini-2024-09-12"]

    def judge(name: str, prompts: Mapping[str, str]) -> Result:
        mine = [replace(r, judgment=replace(r.judgment, judge=name)) for r in shipped]
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"  # sets are read once a path
        write_set(path, mine, {"tasks": ["judgebench"], "order": "both", "prompts": prompts})
        asked = ("task=judgebench", "strategy.k=2", f"engine.path={path}")
        return evaluate_all(plan_arms(composed(*asked)))[0]

    plain, own = judge("gpt-4o", {}), judge("gpt-4o", {"gpt-4o": "mine"})
    assert list_compared(plain) == list_compared(own) == []
    assert find_reasons(plain)[0.5657] == "same model, another prompt for all we know (Arena-Hard)"
    assert find_reasons(own)[0.5657] == "same model, another prompt (Arena-Hard)"
    assert list_compared(judge("gpt-4o", {"gpt-4o": "arena_hard"})) == [0.5657]
    assert list_compared(judge("gpt-4o/vanilla", {"gpt-4o/vanilla": "vanilla"})) == [0.5086]  # as importers name it
