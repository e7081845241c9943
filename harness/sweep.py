"""`python run.py -m …`: a folder a job, what became of each, and one report over all of them.

A job that an earlier run of the same sweep has finished is not done again (harness/resume.py). Jobs may run in other
processes: each leaves a small file about itself in the sweep's folder, and the report is made of the jobs' folders.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.errors import explain_error, list_some, make_harmless
from judgescale.harness.redaction import redact_text
from judgescale.harness.sweep_progress import begin_progress, draw_progress, is_due
from judgescale.harness.types import MisfitError, Result

if TYPE_CHECKING:
    from judgescale.harness.scorecard.card import Scorecard

LONGEST = 150  # bytes of a job's folder's name; file systems take 255
SHORT = 70  # of a sweep's
DIGITS = 12
JOBS = ".jobs"  # the folder in which jobs say what became of them, while the sweep is at work
SWEEP_FILES = (
    "summary.json, curve.csv, credits.parquet, table.{md,tex,csv}, curve.{png,pdf}, config.yaml, sweep.json,"
    " report.{html,md,csv,png,pdf}"
)
DONE, SKIPPED, FAILED, IMPOSSIBLE = "done", "skipped", "failed", "impossible"
# how overrides begin that leave a finished result alike
NO_MATTER = r"(?:run\.(?:again|batch|dry|max_failures|budget\.\w+)|tracker(?:\.\w+)?)="
UNNAMED = re.compile(rf"{NO_MATTER}|hydra\.|-m$|--multirun$|--dry$")


def name_folder(overrides: str) -> str:
    """Name a job's folder in one flat word: "-" for anything but plain characters.

    A hash ends a name that is too long, and one that "-" made less than it was.
    """
    overrides = redact_text(overrides)
    plain = re.sub(rf"(^|,)\+*{NO_MATTER}[^,]*", "", overrides).removeprefix(",")
    plain = re.sub(r"(^|,)\++", r"\1", plain)
    name = re.sub(r"[^\w.,=+@~\[\]-]+", "-", plain)
    return shorten_name(name, plain, LONGEST, hashed=name != plain)


def shorten_name(name: str, whole: str, longest: int, hashed: bool = False) -> str:
    """Shorten a name to so many bytes, and end it with a hash of the whole; also a short one that is to be `hashed`."""
    if len(name.encode()) <= longest and not hashed:
        return name
    start = name.encode()[: longest - DIGITS - 1].decode(errors="ignore")
    return f"{start}-{hashlib.sha256(whole.encode(errors='replace')).hexdigest()[:DIGITS]}"


def name_sweep(arguments: Sequence[str]) -> str:
    """Name a sweep after what is swept, with a hash of all that its results depend on, in whatever order."""
    words = sorted(redact_text(word) for word in arguments if not UNNAMED.match(word.lstrip("+~")))
    swept = [word for word in words if re.search(r"=.*,", word)] or words
    name = re.sub(r"[^\w.,=+@~-]+", "-", ",".join(swept)).strip("-") or "sweep"
    return shorten_name(name, " ".join(words), SHORT, hashed=True)


def name_job_folder(*, _root_: DictConfig) -> str:
    """Name a job's folder after its overrides, in one order; what stands for a variable's value stays unread."""
    given = OmegaConf.to_container(_root_.hydra.overrides.task, resolve=False)
    assert isinstance(given, list)
    return name_folder(",".join(sorted(map(str, given))))


OmegaConf.register_new_resolver("job_folder", name_job_folder, replace=True)


@dataclass(frozen=True)
class Job:
    """Hold what became of a job."""

    number: int
    overrides: tuple[str, ...]
    folder: str  # its name in the sweep's
    state: str
    why: str = ""  # of one that failed or is impossible; of one that was done, why again


def run_job_of_sweep(
    given: Sequence[str],
    folder: Path,
    number: int,
    cfgs: Sequence[DictConfig],
    suite: Any = None,
    command: str | None = None,
) -> None:
    """Run a job unless an earlier run of the sweep has finished it, and leave word of it in the sweep's folder."""
    from judgescale.harness.resume import describe_origins, find_change
    from judgescale.harness.runner import run, write_config

    about = Job(number, tuple(given), folder.name, DONE)
    if cfgs[0].run.dry:
        run(cfgs, folder, suite, show=False, command=command)
        return
    made_of = describe_origins(cfgs, suite.cfg if suite else None)
    change = "run.again=true" if cfgs[0].run.again else find_change(folder, made_of, write_config(cfgs, suite))
    if change is None:
        leave_word(folder.parent, dataclasses.replace(about, state=SKIPPED))
        return
    if change and (folder / "summary.json").exists():
        (folder / "summary.json").unlink()  # killed now, it is not taken for finished
    run(cfgs, folder, suite, show=False, command=command, sweep=folder.parent.name, made_of=made_of)
    leave_word(folder.parent, dataclasses.replace(about, why=change))


def note_failure(given: Sequence[str], folder: Path, number: int, error: Exception) -> None:
    """Leave word of a job that failed or is impossible; the former is told at once too."""
    state, why = IMPOSSIBLE if isinstance(error, MisfitError) else FAILED, explain_error(error)
    if state == FAILED:
        print(f"{make_harmless(' '.join(given))}: {why}", file=sys.stderr)
    leave_word(folder.parent, Job(number, tuple(given), folder.name, state, why.removeprefix("error: ")))


def leave_word(sweep: Path, job: Job) -> None:
    """Write what became of a job into a file of its own, whole or not at all."""
    (place := sweep / JOBS).mkdir(parents=True, exist_ok=True)
    draft = place / f".{job.number}"
    draft.write_text(redact_text(json.dumps(dataclasses.asdict(job), ensure_ascii=False)), encoding="utf-8")
    draft.replace(place / f"{job.number}.json")


def read_jobs(sweep: Path) -> list[Job]:
    """Read what became of the jobs of a sweep, in their order."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (sweep / JOBS).glob("[0-9]*.json")]
    jobs = [Job(**{**job, "overrides": tuple(job["overrides"])}) for job in found]
    return sorted(jobs, key=lambda job: job.number)


class ReportTogether(Callback):
    """Report what became of the jobs, and what those that are finished found, read from their folders."""

    def __init__(self) -> None:
        self.lock: FileLock | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind: jobs in other processes get a copy of this."""
        return {"lock": None}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Take the sweep's folder, and forget what an earlier run said of its jobs. Exit where another one has it.

        The jobs are then run in units (harness/sweeper.py).
        """
        folder = Path(config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(folder / ".running")
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            sys.exit(
                f"error: {folder}: this sweep is running already; wait for it, or give another folder with"
                " hydra.sweep.dir=DIR"
            )
        shutil.rmtree(folder / JOBS, ignore_errors=True)
        from judgescale.harness.sweeper import use_units

        begin_progress(folder / JOBS)
        use_units()

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Redraw the report where the last one is old: a sweep that takes hours shows what it has."""
        folder = Path(config.hydra.sweep.dir)
        if config.hydra.mode == RunMode.MULTIRUN and is_due(folder / JOBS):
            finished = [folder / job.folder for job in read_jobs(folder) if job.state in (DONE, SKIPPED)]
            draw_progress(folder / JOBS, finished, folder)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and show the results of all jobs; exit with 1 where one failed, or none could be done."""
        folder = Path(config.hydra.sweep.dir)
        jobs = read_jobs(folder)
        try:
            if jobs:
                report_jobs(config, folder, jobs)
        except Exception as error:  # Hydra would only warn of it
            sys.exit(explain_error(error))
        finally:
            self.leave(folder)
        failed = [job for job in jobs if job.state == FAILED]
        if failed or (jobs and all(job.state == IMPOSSIBLE for job in jobs)):
            sys.exit(f"{len(failed)} of the jobs failed, see above" if failed else "none of the jobs can be done")

    def leave(self, folder: Path) -> None:
        """Give the sweep's folder back; nothing is left of it where nothing was written."""
        shutil.rmtree(folder / JOBS, ignore_errors=True)
        if self.lock:
            self.lock.release()
            (folder / ".running").unlink(missing_ok=True)
        if {path.name for path in folder.iterdir()} <= {"multirun.yaml"}:
            shutil.rmtree(folder)


def report_jobs(config: DictConfig, folder: Path, jobs: Sequence[Job]) -> None:
    """Write and show what the finished jobs found, and list what became of all."""
    from judgescale.harness.command import write_command
    from judgescale.harness.report import files, terminal

    command = write_command(config.hydra.overrides.task)
    results = read_finished(folder, jobs)
    if results:
        from judgescale.harness.finished.report import report_runs
        from judgescale.harness.scorecard.render import render_files
        from judgescale.harness.scorecard.show import show_scorecard

        shared = OmegaConf.masked_copy(config, [str(key) for key in config if key not in ("hydra", "prices")])
        card = fill_table(folder, jobs, results)
        more = render_files(card) if card else None
        files.write_files(results, folder, OmegaConf.to_yaml(shared), command, more, judgments=False)
        program = command.split(" -m")[0].split(" --multirun")[0]
        terminal.show_results(
            results, folder, [f"{program} report {shlex.quote(str(folder))} --budget 4"], written=SWEEP_FILES
        )
        if card:
            show_scorecard(card)
        finished = [folder / job.folder for job in jobs if job.state in (DONE, SKIPPED)]
        report_runs(finished, folder)
        from judgescale.harness.page.write import NAME, try_to_write, write_page_of

        terminal.show_notes([line for line in [try_to_write(write_page_of, finished, folder / NAME)] if line])
    text = json.dumps({"command": command, "jobs": [dataclasses.asdict(job) for job in jobs]}, indent=2)
    (folder / "sweep.json").write_text(text + "\n", encoding="utf-8")
    for line in describe_jobs(jobs):
        print(make_harmless(line), file=sys.stderr)


def read_finished(folder: Path, jobs: Sequence[Job]) -> list[Result]:
    """Read the results of the jobs that are finished, one after the other."""
    from judgescale.harness.finished.results import read_results

    results: list[Result] = []
    for job in jobs:
        if job.state in (DONE, SKIPPED):
            results += read_results(folder / job.folder, credits=True)
    return results


def fill_table(folder: Path, jobs: Sequence[Job], results: Sequence[Result]) -> Scorecard | None:
    """Fill the one printed table that all finished jobs ask for; None where they ask for none, or for several.

    Where there are several, each job has its own.
    """
    from judgescale.harness.scorecard.block import read_table
    from judgescale.harness.scorecard.card import fill_from_results

    blocks = []
    for job in jobs:
        if job.state in (DONE, SKIPPED):
            block = OmegaConf.select(OmegaConf.load(folder / job.folder / "config.yaml"), "scorecard")
            blocks += [block] if block is not None and block not in blocks else []
    if len(blocks) != 1:
        return None
    table = read_table(OmegaConf.create({"scorecard": blocks[0]}))
    return fill_from_results(table, results, folder.name) if table else None


def describe_jobs(jobs: Sequence[Job]) -> list[str]:
    """Say what became of the jobs: how many of each, which were skipped, and why the others were not done."""
    shared = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set[str]()
    names = {job.number: " ".join(word for word in job.overrides if word not in shared) for job in jobs}
    counts = Counter(job.state for job in jobs)
    of_each = [f"{counts[state]} {state}" for state in (DONE, SKIPPED, FAILED, IMPOSSIBLE) if counts[state]]
    if list(counts) == [DONE] and not any(job.why for job in jobs):
        return []
    lines = [f"{len(jobs)} jobs: {', '.join(of_each)}"]
    if skipped := [names[job.number] for job in jobs if job.state == SKIPPED]:
        lines.append(f"skipped, finished and unchanged (run.again=true does them again): {list_some(skipped, 8)}")
    again: dict[str, list[str]] = {}
    for job in jobs:
        if job.state == DONE and job.why:
            again.setdefault(job.why, []).append(names[job.number])
    lines += [f"done again, for {why}: {list_some(those, 8)}" for why, those in again.items()]
    lines += [f"failed: {names[job.number]}: {job.why}" for job in jobs if job.state == FAILED]
    reasons: dict[str, list[str]] = {}
    for job in jobs:
        if job.state == IMPOSSIBLE:
            reasons.setdefault(job.why, []).append(names[job.number])
    return lines + [f"impossible: {list_some(those, 8)}: {why}" for why, those in reasons.items()]
