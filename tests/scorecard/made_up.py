"""Made-up numbers for scorecards: printed rows, what runs measured, and whole runs of judges with a printed name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
from fakes import arm, protocol, recorded_set

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.published.candidates import Candidate
from judgescale.harness.published.lists import Row
from judgescale.harness.published.setting import Setting
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.scorecard.measured import Measured
from judgescale.harness.types import Judgment, Record
from judgescale.tasks import rewardbench

GRM = "DeepSeek-GRM-27B"


def row(model: str = GRM, value: float = 86.0, **changes: Any) -> Row:
    """A printed number, in percent."""
    given = {
        "model": model, "benchmark": "RewardBench", "subset": "Overall", "metric": "accuracy", "value": value / 100,
        "strategy": "single", "k": 1, "k_meta": None, "temperature": None, "prompt": "", "protocol": "",
        "owner": False, "status": "confirmed", "source": "a paper, Table 2", "note": "",
    }  # fmt: skip
    return Row(**(given | changes))


def measure(value: float, judge: str = GRM, run: str = "run", **changes: Any) -> Measured:
    """A number of a run, in percent; a Setting's fields among the changes are put there."""
    setting = Setting(**{name: changes.pop(name) for name in Setting._fields if name in changes})
    given = {
        "benchmark": "RewardBench", "judge": judge, "section": "overall", "metric": "accuracy", "setting": setting,
        "value": value / 100, "items": 100, "mc_error": 0.0, "again": None, "unknown": "asked once", "guess": 0.5,
        "why_not": "",
    }  # fmt: skip
    return Measured(Candidate(**(given | changes)), run, f"judge:{judge}", True)


def judge_pairs(samples: int, pairs: int, right: float) -> Iterator[Record]:
    """Pairs of RewardBench's Chat, with a judge that is right so often, whatever the pair."""
    rng = np.random.default_rng(0)
    for i in range(pairs):
        for sample in range(samples):
            scores = (float(rng.random() < right), 0.5)
            judgment = Judgment(judge="j", shown=(0, 1), scores=scores, sample=sample, meta=float(rng.random()))
            about = {"prompt": f"{i}", "cluster": f"{i}", "subset": "alpacaeval-easy", "responses": ("a", "b")}
            yield Record(**about, gold=(1.0, 0.0), judgment=judgment)


def make_arm(
    strategy: Strategy,
    ks: Sequence[int],
    judge: str = GRM,
    meta: Mapping[str, Any] | None = None,
    benchmark: ModuleType = rewardbench,
    pairs: int = 40,
    right: float = 0.86,
) -> Arm:
    """An arm whose pairs stand for the whole of a benchmark."""
    rows = list(judge_pairs(max(ks), pairs, right))
    task = benchmark.task()
    sizes = Counter(task.section(item) for item in task.load(recorded_set(rows)))
    task = replace(task, sizes=dict(sizes), rollups={})
    mine = arm(rows, strategy, ks, task, replace(protocol(task.protocols[0]), rollup="sections"))
    judgments = RecordedJudgments(recorded_set(rows, **(meta or {})), ("j",))
    return replace(mine, judge=judge, judgments=judgments)
