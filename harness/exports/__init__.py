"""Exports of finished runs, one file a format: what other tools and trainers read."""

from __future__ import annotations

import argparse
import difflib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from judgescale.harness.errors import write_install
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import JudgescaleError


@dataclass(frozen=True)
class Format:
    """Declare a format: what it is for, its own arguments, what it needs installed, and what writes it.

    write: a run, the folder to write to (it exists), and the arguments given; returns the files written. It raises
    JudgescaleError for a run that the format cannot hold, before it writes anything; its files appear whole.
    """

    explain: str  # one line: who reads it, and what stands in it
    write: Callable[[FinishedRun, Path, argparse.Namespace], Sequence[Path]]
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    needs: Sequence[str] = ()  # packages that must be there, by the names that they are imported by
    extra: str = ""  # what installs them: judgescale[extra]


def list_formats() -> list[str]:
    """List the formats: the files in this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load_format(name: str) -> Format:
    """Load a format by its name. Raises JudgescaleError where there is none of that name."""
    names = list_formats()
    if name not in names:
        like = difflib.get_close_matches(name, names, 1, 0.5)
        hint = f"did you mean {like[0]}? " if like else ""
        raise JudgescaleError(f"export {flatten_text(name)}: no such format; {hint}there are {', '.join(names)}")
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found


def check_installed(name: str) -> None:
    """Raise JudgescaleError where a package that a format needs is not installed, naming the extra that brings it."""
    kind = load_format(name)
    if lacking := [package for package in kind.needs if find_spec(package) is None]:
        raise JudgescaleError(f"export {name} needs {lacking[0]}, which is not installed: {write_install(kind.extra)}")
