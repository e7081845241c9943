"""Made-up sets with known answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from conftest import ROOT
from omegaconf import OmegaConf

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Engine, Strategy
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.recorded.pools import Pool, RecordedJudgments, make_pool
from judgescale.harness.types import Item, Judgment, Output, Record, Request, Rules, Sampling, Task
from judgescale.tasks.custom import task as custom_task


def pool(scores: Sequence[Sequence[float] | None], meta: Sequence[float] | None = None, width: int = 2) -> Pool:
    """A pool of judgments that saw the responses in item order; None is an unusable judgment."""
    judgments = tuple(
        Judgment(
            judge="judge",
            shown=tuple(range(width)),
            scores=None if s is None else tuple(s),
            status="unparsed" if s is None else "ok",
            sample=i,
        )
        for i, s in enumerate(scores)
    )
    array = np.array([[np.nan] * width if s is None else s for s in scores], float)
    trust = np.full(len(scores), np.nan) if meta is None else np.asarray(meta, float)
    return make_pool(judgments, (tuple(f"r{i}" for i in range(width)),) * len(scores), array, trust)


def judged(
    i: int, scores: Sequence[float] | None, sample: int, gold: Sequence[float] = (1.0, 0.0), subset: str = "",
    judge: str = "j", **more: Any,
) -> Record:  # fmt: skip
    """One judgment about item i, whose responses it saw as they are listed; without scores it is unparsed."""
    status = "unparsed" if scores is None else "ok"
    shown, of_judge = tuple(range(len(gold))), {"status": status, "sample": sample} | more
    return Record(
        prompt=f"q{i}",
        cluster=f"q{i}",
        subset=subset,
        responses=("a", "b")[: len(gold)],
        gold=tuple(map(float, gold)),
        judgment=Judgment(judge=judge, shown=shown, scores=None if scores is None else tuple(scores), **of_judge),
    )


def noisy_pairs(accuracy: float, items: int = 200, samples: int = 9, seed: int = 0) -> list[Record]:
    """Pairs whose first response is right, judged independently by a judge of the given accuracy."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(items):
        for j in range(samples):
            right = rng.random() < accuracy
            shown = (0, 1) if j % 2 == 0 else (1, 0)
            scores = tuple(float(s == (0 if right else 1)) for s in shown)
            rows.append(
                Record(
                    prompt=f"q{i}",
                    cluster=f"q{i}",
                    subset=f"s{i % 2}",
                    responses=("a", "b"),
                    gold=(1.0, 0.0),
                    judgment=Judgment(judge="j", shown=shown, scores=scores, sample=j),
                )
            )
    return rows


def protocol(name: str) -> Rules:
    """The rules of conf/protocol/NAME.yaml."""
    return Rules(**OmegaConf.load(ROOT / f"conf/protocol/{name}.yaml"))


def recorded_set(records: Sequence[Record], **meta: object) -> RecordedSet:
    return RecordedSet(
        Path("made-up.parquet"), "made-up", {"pool": False, "tasks": ["custom"], **meta}, make_columns(records)
    )


def arm(
    records: Sequence[Record],
    strategy: Strategy,
    ks: Sequence[int],
    task: Task | None = None,
    rules: Rules | None = None,
    items: Sequence[Item] | None = None,
) -> Arm:
    data = recorded_set(records)
    task = task or custom_task()
    judges = tuple(sorted({r.judgment.judge for r in records}))
    return Arm(
        judge="judge",
        judgments=RecordedJudgments(data, judges),
        strategy=strategy,
        task=task,
        rules=rules or Rules(name="custom", tie="half", failure=0.5, unusable="abstain", order="as_is"),
        owners_rules=tuple(protocol(name) for name in task.protocols),
        items=tuple(items if items is not None else task.load(data)),
        ks=tuple(ks),
        k=max(ks),
        seed=0,
        draws=200,
    )


class FakeEngine(Engine):
    """An engine that answers by a function of the request and the seed, and remembers what it was asked."""

    name: ClassVar[str] = "fake"

    def __init__(
        self,
        say: Callable[[Request, int], Output | str] = lambda request, seed: r"\boxed{Assistant 1}",
        model: str = "fake-model",
        revision: str | None = None,
        kind: str = "text",
        delay: float = 0.0,
        window: int = 8,
    ):
        super().__init__(model, revision, kind)
        self.say, self.delay, self._window = say, delay, window
        self.asked: list[tuple[Request, tuple[int, ...]]] = []
        self.entered = self.left = self.busy = self.most_busy = 0

    @property
    def window(self) -> int:
        return self._window

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name}

    @property
    def answers(self) -> int:
        return sum(len(seeds) for _, seeds in self.asked)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FakeSession]:
        self.entered += 1
        try:
            yield FakeSession(self)
        finally:
            self.left += 1


class FakeSession:
    """Answers for a FakeEngine, which takes down what happens."""

    def __init__(self, engine: FakeEngine):
        self.faults: Counter[str] = Counter()
        self.engine = engine

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        engine = self.engine
        engine.asked.append((request, tuple(seeds)))
        engine.busy += 1
        engine.most_busy = max(engine.most_busy, engine.busy)
        try:
            await asyncio.sleep(engine.delay)
        finally:
            engine.busy -= 1
        for i, seed in enumerate(seeds):
            said = engine.say(request, seed)
            if not isinstance(said, Output):
                said = Output(said, prompt_tokens=100, completion_tokens=10, shared=i > 0)
            yield i, said
