"""Which jobs of a sweep go to one process: those that ask the same models, so that none is started twice.

Hydra's sweeper makes the jobs and one of its launchers runs them: one after the other, in processes of this machine, or
on a SLURM or a Ray cluster. What a launcher is handed here is not a job but a unit: jobs that ask the same models with
the same options, or a single job of recorded judgments. Within a unit one job follows the other, each as it would run
alone, and the engines stay open in between. A unit finds its jobs in a file in the sweep's folder, which all machines
see.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hydra._internal.callbacks import Callbacks
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from judgescale.harness.errors import explain_error
from judgescale.harness.live.kept import keep_engines_open
from judgescale.harness.plan import find_source
from judgescale.harness.sweep import FAILED, JOBS, Job, leave_word, name_job_folder, read_jobs
from judgescale.harness.types import JudgescaleError

Plugins.instance()  # makes the classes of Hydra's plugins anew, so that those below must be looked up after it
from hydra._internal.core_plugins.basic_launcher import BasicLauncher  # noqa: E402
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402

UNIT = "jobs.json"  # in a unit's folder: its jobs
SHAPE = ("engine", "judge.scorer", "meta", "compare")  # what of a config says which models are started, and how
SUBMITIT = "hydra_plugins.hydra_submitit_launcher."
GRACE = 3  # seconds; a second signal would keep submitit from ending what it started


def use_units() -> None:
    """Let Hydra's basic sweeper, which every sweep has unless it chooses another, be the one below.

    Hydra looks its classes up in this table, and takes none of other packages than its own by their names.
    """
    Plugins.instance().class_name_to_class[f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"] = UnitSweeper


class UnitSweeper(BasicSweeper):
    """Make the jobs as Hydra does, and hand them to the launcher in units."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Set the launcher up to run units. Callbacks hear of jobs only."""
        configs = JobConfigs(hydra_context, config)
        work = RunUnit(task_function, configs, os.getcwd())
        silent = HydraContext(hydra_context.config_loader, Callbacks())
        super().setup(hydra_context=silent, task_function=work, config=config)
        assert self.launcher is not None
        self.launcher = UnitLauncher(self.launcher, configs)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing: to sort the jobs into units each is composed before any work, which finds the same mistakes."""


@dataclass
class JobConfigs:
    """Compose the configs of a sweep's jobs: each once where the process that plans a job runs it too."""

    context: HydraContext
    config: DictConfig  # of the sweep
    _planned: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)

    def plan(self, overrides: Sequence[str]) -> DictConfig:
        """Return a job's config, and keep it for the run. Raises Hydra's errors."""
        return self._planned.setdefault(tuple(overrides), self._compose(overrides))

    def take(self, overrides: Sequence[str]) -> DictConfig:
        """Return a job's config to run it."""
        planned = self._planned.pop(tuple(overrides), None)
        return self._compose(overrides) if planned is None else planned

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        return self.context.config_loader.load_sweep_config(self.config, list(overrides))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the planned configs behind: jobs in other processes get a copy of this."""
        return {**vars(self), "_planned": {}}


@dataclass(frozen=True)
class PlannedJob:
    """Hold a job of a sweep before it runs."""

    number: int
    overrides: tuple[str, ...]
    models: str | None  # which models it asks, and how they are started; None where they are recorded
    told: tuple[str, ...]  # its overrides, as the report tells them
    folder: str
    dry: bool


class UnitLauncher(Launcher):
    """Hand a launcher units of jobs, and find out which jobs got lost with their processes."""

    def __init__(self, inner: Launcher, configs: JobConfigs) -> None:
        self.inner, self.configs = inner, configs
        self.launched = 0  # units of earlier batches

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Do nothing: the launcher within is set up already."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs, those of one unit in one process. Returns nothing: what became of a job stands in its word."""
        sweep = Path(self.configs.config.hydra.sweep.dir).absolute()
        jobs = [plan_job(self.configs, *job) for job in enumerate(job_overrides, initial_job_idx)]
        units = group_jobs(jobs)
        # nothing runs side by side there: one call for all
        shares = [units] if isinstance(self.inner, BasicLauncher) else [[unit] for unit in units]
        overrides = [write_share(sweep, self.launched + i, share) for i, share in enumerate(shares)]
        why = ""
        try:
            with wait_for_all(self.configs.config):
                done = self.inner.launch(overrides, initial_job_idx=self.launched)
            if os.environ.get("JUDGESCALE_DEBUG"):
                return done
            broken = [one._return_value for one in done if one.status != JobStatus.COMPLETED]
            why = explain_error(broken[0]) if broken else ""
        except Exception as error:
            if os.environ.get("JUDGESCALE_DEBUG"):
                raise
            why = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        self.launched += len(shares)
        note_lost(sweep, jobs, why)
        return []


def plan_job(configs: JobConfigs, number: int, overrides: Sequence[str]) -> PlannedJob:
    """Compose a job, as it will be in its own process, and note what it asks. Raises Hydra's errors."""
    cfg = configs.plan(overrides)
    told = OmegaConf.to_container(cfg.hydra.overrides.task, resolve=False)
    assert isinstance(told, list)
    dry = bool(OmegaConf.select(cfg, "run.dry"))
    return PlannedJob(number, tuple(overrides), name_models(cfg), tuple(told), name_job_folder(_root_=cfg), dry)


def name_models(cfg: DictConfig) -> str | None:
    """Write down which models a job asks and how they are started; None where it asks none, or is wrong anyway."""
    try:
        if find_source(cfg) != "model":
            return None
        parts = [OmegaConf.select(cfg, place) for place in SHAPE]
        plain = [OmegaConf.to_container(part, resolve=True) if OmegaConf.is_config(part) else part for part in parts]
    except (JudgescaleError, OmegaConfBaseException):
        return None
    return json.dumps(plain, sort_keys=True, default=str)


def group_jobs(jobs: Sequence[PlannedJob]) -> list[list[PlannedJob]]:
    """Group jobs into units, in the order of their first jobs; one that asks no model is a unit of its own."""
    units: dict[str | int, list[PlannedJob]] = {}
    for job in jobs:
        units.setdefault(job.number if job.models is None else job.models, []).append(job)
    return list(units.values())


def write_share(sweep: Path, number: int, units: Sequence[Sequence[PlannedJob]]) -> list[str]:
    """Write down units for one process to run, and return the override by which it finds them."""
    (folder := sweep / JOBS / f"unit-{number}").mkdir(parents=True)
    text = json.dumps([[(job.number, job.overrides) for job in unit] for unit in units])
    (folder / UNIT).write_text(text, encoding="utf-8")
    quoted = str(folder).replace("'", r"\'")
    return [f"hydra.sweep.subdir='{quoted}'"]


@dataclass(frozen=True)
class RunUnit:
    """Run the jobs of a unit one after the other, with engines that stay open in between: a launcher's task."""

    job: TaskFunction
    configs: JobConfigs
    place: str  # the folder in which the command was given: paths are relative to it

    def __call__(self, cfg: DictConfig) -> None:
        """Run the units that lie in the folder of this call. A job that fails is noted, and the others go on."""
        own = HydraConfig.get()
        os.chdir(self.place)
        units = json.loads((Path(own.runtime.output_dir) / UNIT).read_text(encoding="utf-8"))
        for unit in units:
            with keep_engines_open():
                done = [self.run(number, overrides, own) for number, overrides in unit]
            for one in done:
                one.return_value  # noqa: B018 - raises what the job raised, which only debugging lets out

    def run(self, number: int, overrides: Sequence[str], unit: HydraConf) -> JobReturn:
        """Run a job as Hydra's launchers do. unit: what Hydra knows of the process, such as a cluster's name for it."""
        cfg = self.configs.take(overrides)
        with open_dict(cfg):
            cfg.hydra.job.id, cfg.hydra.job.num = OmegaConf.select(cast(DictConfig, unit), "job.id") or number, number
        return run_job(self.job, cfg, "hydra.sweep.dir", "hydra.sweep.subdir", self.configs.context)


def note_lost(sweep: Path, jobs: Sequence[PlannedJob], why: str) -> None:
    """Leave word of jobs that left none themselves: their process was killed, or wrote into another folder."""
    told = {job.number for job in read_jobs(sweep)}
    for job in jobs:
        if job.number not in told and not job.dry:
            reason = why or f"no word of it came back; its machine must see the folder {sweep}"
            leave_word(sweep, Job(job.number, job.told, job.folder, FAILED, f"it did not end: {reason}"))


def wait_for_end(jobs: Sequence[Any]) -> list[Any]:
    """Wait GRACE seconds for processes of this machine, which a terminal interrupts too; return those that go on."""
    deadline = time.monotonic() + GRACE
    while (left := [job for job in jobs if not job.done()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@contextmanager
def wait_for_all(config: DictConfig) -> Iterator[None]:
    """Let a launcher of submitit return when all of its processes have ended, however they do.

    It raises with the first that died, while others are waiting or at work, and keeps none of them to be cancelled.
    Interrupted, it leaves none of them behind.
    """
    if not str(config.hydra.launcher.get("_target_")).startswith(SUBMITIT):
        yield
        return
    import submitit

    submitted: list[Any] = []
    plain = submitit.AutoExecutor.map_array

    def map_array(executor: Any, *given: Any) -> Any:
        """Submit, and remember what was."""
        submitted.extend(jobs := plain(executor, *given))
        return jobs

    submitit.AutoExecutor.map_array = map_array
    try:
        yield
    except Exception:
        for job in submitted:
            job.wait()
        raise
    except BaseException:
        left = wait_for_end(submitted) if config.hydra.launcher._target_.endswith(".LocalLauncher") else submitted
        for job in left:
            job.cancel()
        raise
    finally:
        submitit.AutoExecutor.map_array = plain
