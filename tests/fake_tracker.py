"""A tracker that writes what it is told to a file, or that goes wrong as asked."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from judgescale.harness.contracts import RunInfo, TrackedRun, Tracker


@dataclass(frozen=True)
class FakeTracker(Tracker):
    name: ClassVar[str] = "fake"

    file: str = "told.jsonl"
    trouble: str | None = None  # open, calls, hang

    def open(self, about: RunInfo) -> TrackedRun:
        print("a tracker that chats")
        if self.trouble == "open":
            raise RuntimeError("no network\nat all, Bearer 0123456789abcdef")
        if self.trouble == "hang":
            time.sleep(600)
        return Told(self, about)


class Told:
    def __init__(self, tracker: FakeTracker, about: RunInfo) -> None:
        self.tracker = tracker
        self.write("open", about._asdict())

    def write(self, *said: Any) -> None:
        with Path(self.tracker.file).open("a") as file:
            file.write(json.dumps(said) + "\n")

    def log_progress(self, seconds, values) -> None:
        if self.tracker.trouble == "calls":
            raise OSError("connection lost")
        self.write("progress", seconds, values)

    def log_point(self, arm, k, values) -> None:
        self.write("point", arm, k, values)

    def log_facts(self, facts) -> None:
        self.write("facts", facts)

    def finish(self, files, failed) -> None:
        self.write("finish", [file.name for file in files], failed)
