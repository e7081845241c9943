"""What `judgescale compare` and `judgescale leaderboard` take alike."""

from __future__ import annotations

import argparse
from pathlib import Path


def make_parser(command: str, about: str, files: str) -> argparse.ArgumentParser:
    """Make the parser of a command about several finished runs, with what such commands share: runs, out, anyway.

    command: its word, as it follows `judgescale`. files: those that it writes into --out.
    """
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=f"judgescale {command}", description=about, formatter_class=raw)
    parser.add_argument("runs", nargs="+", metavar="RUN[:ARM][@K]", help="the folder of a finished run")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"write {files} there")
    parser.add_argument("--anyway", action="store_true", help="take also what is not comparable, with a warning")
    return parser
