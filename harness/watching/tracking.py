"""One callback for all experiment trackers: what a run tells a process of its own, which cannot stop or slow it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from judgescale.harness.contracts import RunInfo, Tracker
from judgescale.harness.errors import make_harmless, write_install
from judgescale.harness.options import build
from judgescale.harness.redaction import redact
from judgescale.harness.types import JudgescaleError, Result
from judgescale.harness.watching.progress import Progress

FILES = ("summary.json", "config.yaml", "curve.csv", "curve.png", "table.md", "table.csv")  # none holds a judge's text
PATIENCE_FAILED = 10.0  # seconds after a run that failed or was interrupted
MOST_WAITING = 1_000  # messages; further progress is left out while a tracker is slow


def read_tracker(cfg: DictConfig) -> Tracker | None:
    """Read which tracker a config chooses; None for none. Raises JudgescaleError where it cannot be had."""
    if OmegaConf.select(cfg, "tracker._target_") is None:
        return None
    made = build(cfg.tracker, "tracker")
    if not isinstance(made, Tracker):
        raise JudgescaleError(f"tracker._target_={cfg.tracker._target_}: must name a Tracker (harness/contracts.py)")
    if missing := [name for name in made.needs if not find_spec(name)]:
        raise JudgescaleError(f"tracker={made.name} needs {missing[0]}: {write_install(made.extra_name)}")
    return made


@dataclass(frozen=True)
class Told:
    """Say which tracker is told of a run, and of what config."""

    tracker: Tracker
    cfg: DictConfig  # which holds the tracker's own options
    config_yaml: str  # of the run, as config.yaml holds it

    def read_options(self) -> dict[str, Any]:
        """Read the tracker's options as plain values."""
        return cast("dict[str, Any]", OmegaConf.to_container(self.cfg.tracker, resolve=True))

    def read_config(self) -> dict[str, Any]:
        """Read the run's config, without secrets and without what is not of the run."""
        config = redact(OmegaConf.to_container(OmegaConf.create(self.config_yaml)))
        return {name: value for name, value in config.items() if name not in ("hydra", "tracker")}


class Feed:
    """Tell a tracker's process what happens. Nothing here waits for it but `finish`, and that only so long."""

    def __init__(self, told: Told, about: RunInfo, warn: Callable[[str], None]) -> None:
        self._tracker, self._warn = told.tracker, warn
        self._messages: queue.Queue[list[Any] | None] = queue.Queue()
        self._next_report = 0.0
        self._complained = False
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "judgescale.harness.watching.sender"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # Ctrl-C is for the run, which then says so
            )
        except OSError as error:
            self._complain(str(error))
            return
        self._messages.put([told.read_options(), about._asdict()])
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def log_progress(self, progress: Progress, last: bool = False) -> None:
        """Report the progress, every now and then, and at the end."""
        if last or (progress.seconds >= self._next_report and self._messages.qsize() < MOST_WAITING):
            self._next_report = progress.seconds + self._tracker.every
            self._put("log_progress", int(progress.seconds), list_values(progress))

    def log_results(self, results: Sequence[Result], names: Sequence[str]) -> None:
        """Report the curves, and the headline and signature of every arm."""
        facts: dict[str, str | float] = {}
        for name, result in zip(names, results, strict=True):
            name = name.replace("/", "_")
            points = [point for point in result.curve if point.section == "overall"]
            for point in points:
                values = {**list_estimate(point.estimate), "judgments_per_item": point.judgments_per_item}
                self._put("log_point", name, point.k, keep_finite(values))
            facts |= keep_finite({f"headline/{name}/{n}": v for n, v in list_estimate(result.headline).items()})
            facts[f"signature/{name}"] = make_harmless(result.signature)
        self._put("log_facts", facts)

    def finish(self, folder: Path, failed: bool) -> None:
        """Send the run's files, and wait until all is sent, or patience is at an end; a run that failed has little."""
        if self._process is None:
            return
        files = [] if failed else [str((folder / name).resolve()) for name in FILES if (folder / name).is_file()]
        self._put("finish", files, failed)
        self._messages.put(None)
        patience = min(self._tracker.patience, PATIENCE_FAILED) if failed else self._tracker.patience
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for thread in self._threads:  # whose pipes are closed now
                thread.join(1)
            self._complain(f"was not done {patience:g} s after the run (tracker.patience)")

    def _put(self, *message: Any) -> None:
        self._messages.put(list(message))

    def _write(self) -> None:
        """Write the messages, as fast as the process takes them; the end of its input is the end of the run."""
        assert self._process is not None and self._process.stdin is not None
        with suppress(OSError, ValueError), self._process.stdin as stdin:
            while (message := self._messages.get()) is not None:
                stdin.write(json.dumps(message, default=str) + "\n")
                stdin.flush()

    def _read(self) -> None:
        """Read what went wrong."""
        assert self._process is not None and self._process.stdout is not None
        with suppress(OSError, ValueError), self._process.stdout as stdout:
            for line in stdout:
                self._complain(line)

    def _complain(self, why: str) -> None:
        """Warn once."""
        if not self._complained:
            self._complained = True
            said = make_harmless(why).rstrip(".")
            self._warn(f"tracker={self._tracker.name}: {said}; the run goes on without it")


def list_values(progress: Progress) -> dict[str, float]:
    """List the numbers of a moment, by name."""
    whole = progress.whole
    values = {
        "items": whole.items,
        "judgments": whole.judgments,
        "answers_bought": whole.bought,
        "answers_reused": whole.reused,
        "tokens": progress.tokens,
        "dollars": progress.dollars,
        "judgments_per_second": whole.rate,
        "tokens_per_second": whole.tokens_rate,
        "unusable": sum(progress.unusable.values()),
        "faults": sum(progress.faults.values()),
    }
    return keep_finite(values)


def list_estimate(estimate: Any) -> dict[str, float | None]:
    """List a number and its interval, by name."""
    low, high = estimate.ci or (None, None)
    return {"accuracy": estimate.value, "low": low, "high": high}


def keep_finite(values: Mapping[str, float | None]) -> dict[str, float]:
    """Keep the numbers that are known."""
    return {name: float(value) for name, value in values.items() if value is not None and isfinite(value)}
