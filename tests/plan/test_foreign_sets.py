"""A set that was made for other benchmarks does not run under a benchmark's name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from omegaconf import DictConfig

import judgescale
from judgescale.harness.plan import plan_arms
from judgescale.harness.recorded import list_shipped_sets, read_set, write_set
from judgescale.harness.types import JudgescaleError

TASKS = sorted(path.stem for path in (ROOT / "conf/task").glob("*.yaml") if "suite" not in path.stem)


@pytest.mark.parametrize("name", list_shipped_sets())
def test_every_shipped_set_runs_as_what_it_is_and_as_nothing_else(
    composed: Callable[..., DictConfig], name: str
) -> None:
    path = f"engine.path=results/recorded/{name}.parquet"
    made_for = read_set(name).meta["tasks"]
    for task in TASKS:
        strategy = "elo" if task == "vicuna80_best_of_5" else "voting"
        cfg = composed(path, f"task={task}", f"strategy={strategy}")
        if task in made_for:
            assert plan_arms(cfg)
        elif task != "custom":
            with pytest.raises(JudgescaleError, match=f"^set {name} is not of task={task}: the set was made") as error:
                plan_arms(cfg)
            line = str(error.value)
            command = re.search(r"run: python run\.py (.*)$", line)
            assert command and "\n" not in line
            assert plan_arms(composed(*shlex.split(command[1])))  # the command works


def test_a_path_that_needs_quotes_is_quoted(composed: Callable[..., DictConfig], tmp_path: Path) -> None:
    data = read_set("pandalm")
    write_set(tmp_path / "it is, mine.parquet", data.records, data.meta)
    with pytest.raises(JudgescaleError) as error:
        plan_arms(composed("task=llmbar", f"engine.path='{tmp_path}/it is, mine.parquet'"))
    assert plan_arms(composed(*shlex.split(str(error.value).split("run.py ")[1])))


def test_judgments_of_one_s_own_may_be_of_any_benchmark(composed: Callable[..., DictConfig], tmp_path: Path) -> None:
    """They say nothing of benchmarks: counts that are not the official ones are told, as ever."""
    data = read_set("judgebench")
    for name, stated in (("silent", {}), ("own", {"tasks": ["custom"]})):
        write_set(tmp_path / f"{name}.parquet", data.records[:40], stated)
        arm = plan_arms(composed("task=judgebench", f"engine.path={tmp_path}/{name}.parquet"))[0]
        assert any("differ from the official ones" in note for note in arm.about)


def test_the_python_face_refuses_too() -> None:
    with pytest.raises(JudgescaleError, match="set judgebench is not of task=llmbar"):
        judgescale.evaluate("judgebench", task=judgescale.load_task("llmbar"))
    assert judgescale.evaluate("judgebench")  # task=custom takes any
