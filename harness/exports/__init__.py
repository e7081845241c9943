"""Exports of finished runs, one file a format: what other tools and trainers read."""

from __future__ import annotations

import argparse
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from judgescale.harness.finished.run import FinishedRun


@dataclass(frozen=True)
class Format:
    """Declare a format: what it is for, its own arguments, and what writes it.

    write: a run, the folder to write to (it exists), and the arguments given; returns the files written. It raises
    JudgescaleError for a run that the format cannot hold, before it writes anything.
    """

    explain: str  # one line: who reads it, and what stands in it
    write: Callable[[FinishedRun, Path, argparse.Namespace], Sequence[Path]]
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None


def list_formats() -> list[str]:
    """List the formats: the files in this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load_format(name: str) -> Format:
    """Load a format by its name."""
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found
