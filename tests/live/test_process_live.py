"""Step scores bought live: kept, paid once, and read under another rule; other engines refuse before any cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from judgescale.harness.contracts import Engine
from judgescale.harness.recorded.sets import read_set
from judgescale.harness.runner import run
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

asked: list[Request] = []  # by every StepEngine


@dataclass(frozen=True)
class StepEngine(Engine):
    """Find a step the more probable the longer it is; give one number too few where a response says "odd"."""

    name: ClassVar[str] = "stepwise"
    kinds: ClassVar[tuple[str, ...]] = ("steps",)

    @property
    def window(self) -> int:
        return 4

    def identity(self) -> Mapping[str, Any]:
        return {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[StepSession]:
        yield StepSession()


class StepSession:
    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        asked.append(request)
        begins = [0, *(end for _, end in request.marks)]
        steps = tuple(1 - 1 / (2 + start - begin) for begin, (start, _) in zip(begins, request.marks))
        if "odd" in request.messages[-1][1]:
            steps = steps[1:]
        for i in range(len(seeds)):
            yield i, Output(steps=steps, prompt_tokens=50, completion_tokens=0, shared=i > 0)


RIGHT, WRONG = "aaaa\n\naaaa", "bbbbbbbbbbb\n\nbb\n\nbbbbbbbbbbb"  # by their shortest step, by their longest
ROWS = [{"id": f"q{i}", "prompt": f"2 + {i}?", "chosen": RIGHT, "rejected": WRONG} for i in range(4)]


@pytest.fixture
def go(composed, tmp_path):
    asked.clear()
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(map(json.dumps, ROWS)))

    def go(*more: str, folder: str = "out"):
        cfg = composed(
            "judge=process", "judge.model=prm", "engine=random", f"engine._target_={__name__}.StepEngine",
            "task=custom", f"task.path={rows}", "strategy=single", f"run.store={tmp_path}/store.sqlite", *more,
        )  # fmt: skip
        (result,) = run([cfg], tmp_path / folder, show=False)
        return result

    return go


def test_steps_are_bought_once_kept_and_read_under_another_rule(go, composed, tmp_path):
    by_min = go("judge.steps=min")
    assert by_min.headline.value == 1 and len(asked) == 8
    assert by_min.compute["prompt_tokens"] == 400 and by_min.compute["completion_tokens"] == 0
    asked.clear()
    by_max = go("judge.steps=max", folder="max")
    assert by_max.headline.value == 0 and asked == []  # every answer was in the store
    file = tmp_path / "out" / "recorded.parquet"
    (record, *_) = read_set(file).records
    steps = dict(zip(record.judgment.shown, record.judgment.steps))
    assert steps[record.gold.index(1)] == pytest.approx((5 / 6, 5 / 6)) and len(steps[record.gold.index(0)]) == 3

    def replay(*more: str):
        where = ("engine=recorded", f"engine.path={file}", "task=custom", "strategy=single")
        (result,) = run([composed(*where, *more)], tmp_path / "again", show=False)
        return result.headline.value

    assert (replay(), replay("judge.steps=min"), replay("judge.steps=max")) == (1, 1, 0)
    assert asked == []


def test_a_number_too_few_is_an_unparsed_judgment(go, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(rows.read_text().replace("aaaa", "odd a", 1))
    result = go()
    assert result.health["unparseable"] == 1


@pytest.mark.parametrize("engine", ["random", "openai", "openvino", "lm_eval"])
def test_engines_without_step_scores_refuse_before_anything_is_bought(composed, tmp_path, engine):
    cfg = composed(
        "judge=process", "judge.model=m", f"engine={engine}", "task=sanity", f"run.store={tmp_path}/store.sqlite"
    )
    with pytest.raises(JudgescaleError, match=f"judge.kind=steps: engine={engine} does not answer such requests"):
        run([cfg], tmp_path / "out", show=False)
    assert list(tmp_path.iterdir()) == []


def test_a_meta_rm_cannot_read_steps(go):
    with pytest.raises(JudgescaleError, match="a judgment of judge format process is not one"):
        go("strategy=meta_voting", "strategy.meta=recorded", "meta=scalar", "meta.model=rm", "engine@meta.engine=vllm")
