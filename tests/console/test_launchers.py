"""Sweeps under Hydra's launchers: one report whatever runs the jobs, and no model started twice."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, run

from judgescale.harness.sweeper import group_jobs, name_models, PlannedJob

LAUNCHERS = ("joblib", "submitit_local", "ray")
LIVE = ("judge=direct", "judge.model=a,b", "engine=random", "engine._target_=counted.Counted", "task=sanity")
COUNTED = """
import os, time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from judgescale.harness.engines.random import Random

HERE = Path(__file__).parent

@dataclass(frozen=True)
class Counted(Random):
    @asynccontextmanager
    async def open(self):
        with (HERE / "opened").open("a") as file:
            print(self.model, os.getpid(), file=file)
        while (HERE / f"hold-{self.model}").exists():  # a model that takes long to load
            time.sleep(0.05)
        async with super().open() as session:
            yield session
"""


@pytest.fixture
def counted(tmp_path, monkeypatch) -> Path:
    """A file in which an engine notes the name of each model that it opens, and the process."""
    (tmp_path / "counted.py").write_text(COUNTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "opened"


def sweep_live(folder: Path, *more: str) -> list[str]:
    strategies = ("strategy=voting,knockout", "strategy.k=1,2", "task.size=8", "run.draws=5")
    return ["-m", *LIVE, *strategies, f"run.store={folder}/store.sqlite", f"hydra.sweep.dir={folder}/sweep", *more]


def read_states(sweep: Path) -> Counter[str]:
    return Counter(job["state"] for job in json.loads((sweep / "sweep.json").read_text())["jobs"])


def read_numbers(sweep: Path) -> list[dict[str, str]]:
    """All that the sweep found, but for how long it took."""
    with (sweep / "curve.csv").open() as file:
        return list(csv.DictReader(file))


def test_one_after_the_other_each_model_is_opened_once(tmp_path, counted):
    done = run(*sweep_live(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in counted.read_text().splitlines()] == ["a", "b"]
    assert read_states(tmp_path / "sweep") == {"done": 8}
    again = run(*sweep_live(tmp_path))
    assert again.returncode == 0 and read_states(tmp_path / "sweep") == {"skipped": 8}
    assert len(counted.read_text().splitlines()) == 2
