"""The report of a sweep that is at work: redrawn as jobs end, from what they left in their folders.

Jobs may end in several processes, on several machines: the one that finds the report old enough draws it, and a small
file in the sweep's folder says when that was and how long it took.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from judgescale.harness.types import JudgescaleError

EVERY = 10.0  # seconds between two drawings,
SHARE = 20  # and so many times what the last one took, so that a sweep spends a twentieth of its time on them
DRAWN = ".drawn"


def begin_progress(place: Path) -> None:
    """Note, in the folder in which jobs leave word, that a sweep begins: nothing is drawn yet."""
    place.mkdir(parents=True, exist_ok=True)
    (place / DRAWN).write_text("0", encoding="utf-8")


def draw_progress(place: Path, finished: Sequence[Path], out: Path) -> None:
    """Draw the report of the runs that are finished, if it is due; what hinders that is no failure of a job.

    place: the folder in which jobs leave word. out: the sweep's.
    """
    with contextlib.suppress(Timeout, JudgescaleError, OSError), FileLock(place / ".drawing").acquire(timeout=0):
        if not finished or not is_due(place):
            return
        from judgescale.harness.finished.report import write_report_of

        begun = time.monotonic()
        note = f"The sweep goes on: {len(finished)} of its jobs were finished at {time.strftime('%H:%M:%S')}."
        write_report_of(finished, out, note)
        (place / DRAWN).write_text(f"{time.monotonic() - begun:.3f}", encoding="utf-8")


def is_due(place: Path) -> bool:
    """Tell whether the report was drawn long enough ago; never once the sweep has ended."""
    drawn = place / DRAWN
    try:
        took = float(drawn.read_text(encoding="utf-8"))
        return time.time() - drawn.stat().st_mtime >= max(EVERY, SHARE * took)
    except (OSError, ValueError):
        return False
