"""Sweeps under Hydra's launchers: one report whatever runs the jobs, and no model started twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, run

from judgescale.harness.sweeper import PlannedJob, group_jobs, name_models

LAUNCHERS = ("joblib", "submitit_local", "ray")
RECORDED = ("strategy=voting,knockout", "task=vicuna80_pairs", "run.limit=20")
LIVE = ("judge=direct", "judge.model=a,b", "engine=random", "engine._target_=counted.Counted", "task=sanity",
        "task.size=8", "strategy=voting,knockout")  # fmt: skip
FEW = (*LIVE[:-1], "strategy=voting")
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
def opened(tmp_path, monkeypatch) -> Path:
    """A file in which an engine notes the name of each model that it opens, and where."""
    (tmp_path / "counted.py").write_text(COUNTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "opened"


def write_sweep(folder: Path, *words: str) -> list[str]:
    store = f"run.store='{folder}/store-${{judge.label}}.sqlite'" if "judge.model=a,b" in words else "run.draws=5"
    return ["-m", *words, "strategy.k=2", "run.draws=5", store, f"hydra.sweep.dir={folder}"]


def read_sweep(sweep: Path) -> list[dict[str, Any]]:
    """What became of each job."""
    return json.loads((sweep / "sweep.json").read_text())["jobs"]


def read_models(opened: Path) -> list[str]:
    return sorted(line.split()[0] for line in opened.read_text().splitlines())


def test_one_after_the_other_each_model_is_opened_once(tmp_path, opened):
    done = run(*write_sweep(tmp_path / "sweep", *LIVE))
    assert done.returncode == 0, done.stderr
    assert (
        read_models(opened) == ["a", "b"] and [job["state"] for job in read_sweep(tmp_path / "sweep")] == ["done"] * 4
    )
    assert not list((tmp_path / "sweep").glob(".*"))


def test_jobs_of_the_same_models_are_a_unit_and_recorded_ones_are_alone(composed):
    live = ("judge=pairwise", "judge.model=a", "engine=vllm", "task=sanity")
    same = ("strategy=knockout", "strategy.k=4", "seed=1", "protocol=common", "judge.sampling.temperature=0.5")
    assert len({name_models(composed(*live, more)) for more in ("seed=0", *same)}) == 1
    others = (
        "judge.model=b",
        "judge.revision=c",
        "engine.max_model_len=9",
        "meta=scalar",
        'compare=[["judge.model=b"]]',
    )
    assert len({name_models(composed(*live, more)) for more in ("seed=0", *others)}) == 6
    assert name_models(composed("task=vicuna80_pairs")) is None  # recorded
    assert name_models(composed("judge=pairwise", "task=sanity", "engine._target_=no.such")) is None

    jobs = [PlannedJob(i, (), models, (), "", False) for i, models in enumerate(["a", None, "b", "a", None])]
    assert [[job.number for job in unit] for unit in group_jobs(jobs)] == [[0, 3], [1], [2], [4]]


def test_a_launcher_that_is_not_installed_is_named_with_its_extra():
    if find_spec("hydra_plugins") is None:
        refused = run("-m", "strategy=single,voting", "hydra/launcher=submitit_slurm")
        assert refused.stderr.startswith(
            "error: hydra/launcher=submitit_slurm is not installed: pip install -e '.[submitit]'"
        )


# ------------------------------------------------------------------------------ what the lane of launchers runs


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of two workers, one processor each; its head runs nothing."""
    made = pytest.importorskip("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made.address
    finally:
        made.shutdown()


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A folder with the two sweeps as they are without a launcher."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "counted.py").write_text(COUNTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        for name, words in (("recorded", RECORDED), ("live", LIVE)):
            done = run(*write_sweep(folder / name, *words))
            assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.launchers
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_leaves_the_same_report_and_opens_each_model_once(launcher, plain, opened, request):
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    chosen = [f"hydra/launcher={launcher}"]
    if launcher == "joblib":
        chosen += ["hydra.launcher.n_jobs=2"]
    if launcher == "ray":
        address = request.getfixturevalue("cluster")
        chosen = ["hydra/launcher=ray_cluster", f"hydra.launcher.ray.init.address='{address}'"]
    for name, words in (("recorded", RECORDED), ("live", LIVE)):
        done = run(*write_sweep(opened.parent / name, *words, *chosen))
        assert done.returncode == 0, done.stderr
        sweep, before = opened.parent / name, plain / name
        for file in ("curve.csv", "table.csv"):
            assert (sweep / file).read_text() == (before / file).read_text(), file
        assert read_jobs(sweep) == read_jobs(before) and read_headlines(sweep) == read_headlines(before)
        assert not (sweep / ".jobs").exists() and not list(sweep.glob("*/.running"))
    assert read_models(opened) == ["a", "b"]
    processes = {line.split()[1] for line in opened.read_text().splitlines()}
    assert launcher == "joblib" or len(processes) == 2  # its first worker may be done before its second one starts


def read_jobs(sweep: Path) -> list[tuple[str, str]]:
    return [(job["folder"].split(",run.store")[0], job["state"]) for job in read_sweep(sweep)]


def read_headlines(sweep: Path) -> list[tuple[str, str, int, float, list[float]]]:
    arms = json.loads((sweep / "summary.json").read_text())["arms"]
    return [(arm["judge"], arm["strategy"], arm["k"], arm["headline"]["value"], arm["headline"]["ci"]) for arm in arms]


def start_held(opened: Path, launcher: str, *held: str) -> subprocess.Popen[str]:
    """Start the live sweep with models that go on loading; return it once both are being opened."""
    for model in held:
        (opened.parent / f"hold-{model}").touch()
    command = [sys.executable, "run.py", *write_sweep(opened.parent / "live", *FEW, f"hydra/launcher={launcher}")]
    sweep = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job inherits it ignored
    )
    wait_until(lambda: opened.exists() and read_models(opened) == ["a", "b"])
    return sweep


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def find_processes(opened: Path) -> dict[str, int]:
    """The process that opened each model."""
    return {model: int(pid) for model, pid in map(str.split, opened.read_text().splitlines())}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.launchers
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_whose_process_is_killed_are_told_and_done_by_the_same_command(launcher, opened):
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    sweep = start_held(opened, launcher, "b")
    wait_until((opened.parent / "live/.jobs/0.json").exists)  # the job of the other model is done
    os.kill(find_processes(opened)["b"], signal.SIGKILL)
    _, told = sweep.communicate(timeout=100)
    assert sweep.returncode == 1 and "1 of the jobs failed" in told, told
    assert "failed: judge.model=b: it did not end: " in told, told
    (opened.parent / "hold-b").unlink()
    again = run(*write_sweep(opened.parent / "live", *FEW, f"hydra/launcher={launcher}"))
    assert again.returncode == 0, again.stderr
    assert sorted(job["state"] for job in read_sweep(opened.parent / "live")) == ["done", "skipped"]


@pytest.mark.launchers
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_ctrl_c_leaves_nothing_running(launcher, opened):
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    sweep = start_held(opened, launcher, "a", "b")
    os.killpg(sweep.pid, signal.SIGINT)
    _, told = sweep.communicate(timeout=100)
    assert sweep.returncode == 130 and "interrupted: nothing of the run in progress was written" in told, told
    wait_until(lambda: not any(map(is_alive, find_processes(opened).values())))
