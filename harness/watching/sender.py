"""The process that talks to an experiment tracker, so that the run need not: `python -m …watching.sender`.

It reads a line of JSON a message: first what to open, then the calls (contracts.TrackedRun). What goes wrong is a line
on its standard output, where the run reads it; whatever trackers print goes nowhere, and they have nobody to ask.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from judgescale.harness.contracts import RunInfo, TrackedRun, Tracker
from judgescale.harness.errors import make_harmless
from judgescale.harness.options import build

MOST_FAILURES = 3  # calls in a row that fail before no more are made


def main() -> None:
    """Read messages until there are no more; exit with 1 where the tracker was given up on."""
    for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)  # the run says when it is over, also on Ctrl-C
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    messages = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(nowhere, 0)
    done = send((json.loads(line) for line in messages), answers)
    answers.close()
    os._exit(0 if done else 1)  # no tracker's thread may keep it


def send(messages: Iterable[list[Any]], answers: TextIO) -> bool:
    """Send what the messages say; tell whether all went well. A run that breaks off is ended as one that failed."""
    messages = iter(messages)
    first = next(messages, None)
    if first is None:
        return False
    try:
        run = open_run(*first)
    except BaseException as error:  # some trackers exit
        complain(error, answers)
        return False
    failures = 0  # in a row
    ended = False
    for message in messages:
        if failures >= MOST_FAILURES and message[0] != "finish":
            continue
        try:
            pass_on(run, message)
            failures = 0
        except BaseException as error:
            failures += 1
            complain(error, answers)
        ended |= message[0] == "finish"
    if not ended:
        run.finish([], True)
    return not failures


def pass_on(run: TrackedRun, message: list[Any]) -> None:
    """Make the call that a message is about. Raises whatever the tracker raises."""
    match message:
        case ["log_progress", seconds, values]:
            run.log_progress(seconds, values)
        case ["log_point", arm, k, values]:
            run.log_point(arm, k, values)
        case ["log_facts", facts]:
            run.log_facts(facts)
        case ["finish", files, failed]:
            run.finish([Path(file) for file in files], failed)


def open_run(options: dict[str, Any], about: dict[str, Any]) -> TrackedRun:
    """Open the tracker that the options name."""
    tracker: Tracker = build(options, "tracker")
    return tracker.open(RunInfo(**about))


def complain(error: BaseException, answers: TextIO) -> None:
    """Say in a line what went wrong."""
    said = make_harmless(str(error)) or "no reason given"
    answers.write(f"{type(error).__name__}: {said}\n")
    answers.flush()


if __name__ == "__main__":
    main()
