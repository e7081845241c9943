"""run.log, in the folder of every live run: what was started, how it goes, and how it ended, written as it happens.

Plain UTF-8 text, a line an event, each with its time. What it quotes of servers and models is harmless, and secrets are
hidden. A later run in the same folder writes below the earlier one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from judgescale.harness.errors import make_harmless
from judgescale.harness.live.meter import Meter
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.redaction import redact_text
from judgescale.harness.watching.cadence import Cadence
from judgescale.harness.watching.progress import Progress, View
from judgescale.harness.watching.wording import describe_progress, describe_total, describe_view

NAME = "run.log"
MOST_KINDS = 100  # kinds of faults of which the first message is kept: a server may make up any number


class RunLog:
    """Write the log of a run. Where that is not possible (a full disk), say so once, and let the run go on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.had_work = path.exists()  # of this run, or of an earlier one: then the log is kept
        self._file: TextIO | None = None
        self._cadence = Cadence()
        self._told: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._states: dict[str, str] = {}
        self._stopped = False
        self._trouble = False
        try:
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self._give_up(error)

    def write(self, line: str) -> None:
        """Write one line, with the time in UTC, at once."""
        self._write_plain(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}  {make_harmless(line)}")

    def begin(self, command: str, lines: Iterable[str]) -> None:
        """Write what was started: the command line, whole, and what is to be known of it."""
        if self.had_work:
            self._write_plain("")
        self._write_plain(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}  begun: {flatten_text(redact_text(command))}")
        for line in lines:
            self.write(line)

    def look(self, meter: Meter, progress: Progress) -> None:
        """Write what is new: faults of a new kind at once, how far the run is now and then."""
        self.had_work |= bool(meter.bought or meter.reused or meter.failed)
        for line, count in (Counter(meter.told) + Counter(meter.faults.told) - self._told).items():
            self._told[line] += count
            self.write(line + (f" ({count} times)" if count > 1 else ""))
        for kind in meter.faults:
            if kind not in self._kinds and len(self._kinds) < MOST_KINDS:
                self._kinds.add(kind)
                said = meter.faults.first.get(kind)
                self.write(f"fault: {said if said and said.startswith(kind) else f'{kind}: {said}' if said else kind}")
        if meter.failed and not self._trouble:
            self._trouble = True
            self.write(f"an answer failed: {meter.first_trouble or 'no reason given'}")
        for view in progress.arms if len(progress.arms) > 1 else ():
            self._note_state(view)
        if progress.stopped and not self._stopped:
            self._stopped = True
            self.write(f"stopping: {progress.stopped}; {progress.in_flight:,} requests are in flight")
        if self._cadence.is_due(progress.seconds):
            self._write_progress(progress)

    def end_buying(self, progress: Progress) -> None:
        """Write what was bought."""
        self.write(f"bought {describe_total(progress)}")

    def close(self) -> None:
        """Close the log; where nothing came of the run, nothing is left."""
        if self._file is None:
            return
        with suppress(OSError):  # a full disk was told already
            self._file.close()
        self._file = None
        if not self.had_work:
            self.path.unlink(missing_ok=True)

    def _note_state(self, view: View) -> None:
        """Write that an arm is done."""
        name = view.plan.name
        if view.state == "done" and self._states.get(name, "waiting") != "done":
            self.write(f"{name}: done: {describe_view(view)}")
        self._states[name] = view.state

    def _write_progress(self, progress: Progress) -> None:
        self.write(f"judging: {describe_progress(progress)}")
        if len(progress.arms) > 1:
            for view in progress.arms:
                if view.state == "at work":
                    self.write(f"{view.plan.name}: {describe_view(view)}")

    def _write_plain(self, line: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(f"{line}\n")
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None
        print(f"{self.path}: no log is written: {error.strerror or error}", file=sys.stderr)
