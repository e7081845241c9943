"""`python run.py -m …`: a folder a job, and one table, one figure and one curve.csv over all of them."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.redaction import redact_text

LONGEST = 150  # bytes of a folder's name; file systems take 255


def name_folder(overrides: str) -> str:
    """Name a job's folder in one flat word: "-" for anything but plain characters, and a hash ends a long one."""
    overrides = redact_text(overrides)
    name = re.sub(r"[^\w.,=+@~\[\]-]+", "-", re.sub(r"(^|,)\++", r"\1", overrides))
    if len(name.encode()) <= LONGEST:
        return name
    start = name.encode()[: LONGEST - 13].decode(errors="ignore")
    return f"{start}-{hashlib.sha256(overrides.encode(errors='replace')).hexdigest()[:12]}"


OmegaConf.register_new_resolver("folder_name", name_folder, replace=True)


@dataclass(frozen=True)
class FailedJob:
    """Stand for the results of a job that failed and has said why."""

    overrides: list[str]


class ReportTogether(Callback):
    """Gather what each job returns (launchers that run jobs in this process) and report it once."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.failed: list[FailedJob] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Keep a job's results."""
        if job_return.status != JobStatus.COMPLETED:
            return
        if isinstance(job_return.return_value, FailedJob):
            self.failed.append(job_return.return_value)
        else:
            self.results.extend(job_return.return_value or [])

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and show the results of all jobs; exit with 1 where one of them failed."""
        if self.results:
            from judgescale.harness.command import write_command
            from judgescale.harness.report import files, terminal

            folder = Path(config.hydra.sweep.dir)
            shared = OmegaConf.to_yaml(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
            files.write_files(self.results, folder, shared, write_command(config.hydra.overrides.task))
            terminal.show_results(self.results, folder, ["python run.py", "python run.py --help"])
        if self.failed:
            sys.exit(f"{len(self.failed)} of the jobs failed, see above")
