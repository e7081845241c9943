"""Stopping a run from outside: SIGTERM (kill, a cluster's time limit) and SIGHUP (a closed terminal) are Ctrl-C too."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP


def interrupt(number: int, frame: FrameType | None) -> None:
    """Do what Python does on Ctrl-C."""
    raise KeyboardInterrupt


def treat_signals_as_ctrl_c() -> None:
    """Let each of SIGNALS interrupt this process; one that is ignored (nohup) or handled already stays as it is."""
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)


@contextmanager
def cancel_on_signals(task: asyncio.Task[Any]) -> Iterator[None]:
    """Cancel a task of the running loop on any of SIGNALS, as asyncio does it on Ctrl-C: its clean-up still runs."""
    loop = asyncio.get_running_loop()

    def cancel(number: int, frame: FrameType | None) -> None:
        """Cancel the task, also where the loop is asleep."""
        loop.call_soon_threadsafe(task.cancel)

    ours = [number for number in SIGNALS if signal.getsignal(number) is interrupt]
    for number in ours:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, interrupt)
