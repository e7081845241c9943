"""The commands of batch files, which `run.batch=FOLDER` writes and reads.

    judgescale batch send    FOLDER             send the requests that were not sent yet
    judgescale batch collect FOLDER [--wait]    fetch the answers that are ready; exits with 1 while some are not

In a checkout, `python -m harness.batch` is the same.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from judgescale.harness.batch.folder import find_requests, lock_folder
from judgescale.harness.batch.provider import collect, send
from judgescale.harness.errors import explain_error
from judgescale.harness.types import JudgescaleError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exit with one line where the caller can mend what went wrong."""
    given = build_parser().parse_args(arguments)
    try:
        if not find_requests(given.folder):
            raise JudgescaleError(f"{given.folder}: no batch files; a run with run.batch={given.folder} writes them")
        with lock_folder(given.folder):
            if given.command == "send":
                print("\n".join(asyncio.run(send(given.folder))) or "nothing to send")
            elif collect_answers(given.folder, given.every if given.wait else None):
                sys.exit(1)
    except (JudgescaleError, OSError) as error:
        sys.exit(explain_error(error))


def build_parser() -> argparse.ArgumentParser:
    """Declare the commands and their arguments."""
    parser = argparse.ArgumentParser(prog="judgescale batch", description="Batch files of run.batch=FOLDER.")
    commands = parser.add_subparsers(dest="command", required=True)
    out = commands.add_parser("send", help="send the requests that were not sent yet")
    out.add_argument("folder", type=Path)
    back = commands.add_parser("collect", help="fetch the answers that are ready")
    back.add_argument("folder", type=Path)
    back.add_argument("--wait", action="store_true", help="ask again until all are there")
    back.add_argument("--every", type=float, default=60.0, metavar="SECONDS", help="how often to ask (60)")
    return parser


def collect_answers(folder: Path, every: float | None) -> int:
    """Fetch what is ready, again and again where `every` is given (seconds); return how many are under way."""
    while True:
        told, under_way = asyncio.run(collect(folder))
        print("\n".join(told) or "nothing under way", flush=True)
        if not under_way or every is None:
            return under_way
        time.sleep(every)


if __name__ == "__main__":
    main()
