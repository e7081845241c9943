"""Keep a server for as long as somebody holds this process's standard input open, and leave none of it behind.

    python -I keeper.py SECONDS COMMAND …

The command runs in a process group of its own. When standard input closes, which it also does where the process at its
other end is killed (kill -9), the group is asked to end (SIGTERM), and killed after so many seconds. When the command
ends by itself, what it left of the group is ended too. Exits with the command's status. For Linux and macOS; on Linux,
processes of the group whose parent has died are this one's to collect, so that an ended group is seen as such in any
container.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

ADOPT_ORPHANS = 36  # Linux's PR_SET_CHILD_SUBREAPER
STEP = 0.05  # seconds between two looks


def keep(command: list[str], seconds: float) -> int:
    """Run the command until it ends or nobody wants it any more; return its exit status."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    unwanted = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: unwanted.set())
    threading.Thread(target=wait_for_end, args=(unwanted,), daemon=True).start()
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    status: int | None = None
    while status is None and not unwanted.wait(STEP):
        status = collect_ended(server.pid)
    ended = end_group(server.pid, seconds)
    return status if status is not None else ended or 0


def wait_for_end(unwanted: threading.Event) -> None:
    """Set the event once standard input is closed."""
    while os.read(0, 1024):
        pass
    unwanted.set()


def end_group(group: int, seconds: float) -> int | None:
    """End a process group, by force after so many seconds; return the status of its leader where it was collected."""
    status: int | None = None
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + patience
        try:
            os.killpg(group, number)
            while time.monotonic() < deadline:
                found = collect_ended(group)
                status = found if status is None else status
                os.killpg(group, 0)
                time.sleep(STEP)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of ended processes
            break
    return status


def collect_ended(wanted: int) -> int | None:
    """Collect children that have ended; return the exit status of the wanted one if it is among them."""
    status: int | None = None
    while True:
        try:
            pid, found = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if not pid:
            return status
        if pid == wanted:
            status = os.waitstatus_to_exitcode(found)


if __name__ == "__main__":
    try:
        code = keep(sys.argv[2:], float(sys.argv[1]))
    except OSError as error:  # there is no such command
        print(f"error: {sys.argv[2]}: {error.strerror or error}", file=sys.stderr, flush=True)
        code = 127
    os._exit(code if 0 <= code < 128 else 128 + (-code) % 128)  # not waiting for the thread that reads
