"""Read what a finished run says of itself: the arms of its summary.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from judgescale.harness.types import JudgescaleError

TEXTS = ("task", "judge", "strategy", "signature")  # that every arm has


def read_summary(folder: Path, counts: Sequence[str] = ()) -> list[Mapping[str, Any]]:
    """Read the arms of a run's folder. Raises JudgescaleError where it holds no finished run.

    counts: whole numbers that every arm must have too, by name.
    """
    path = folder / "summary.json"
    if not folder.is_dir():
        raise JudgescaleError(f"{folder}: no such folder; give the folder of a finished run, which holds summary.json")
    if not path.is_file():
        raise JudgescaleError(f"{folder}: no finished run, for it holds no summary.json")
    try:
        arms = json.loads(path.read_text(encoding="utf-8"))["arms"]
        told = all(isinstance(arm[name], str) for arm in arms for name in TEXTS)
        if told and all(type(arm[name]) is int for arm in arms for name in counts):
            return list(arms)
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    *first, last = ("task", "judge", "strategy", *counts)
    raise JudgescaleError(
        f"{path}: not the summary.json of a run, which lists {', '.join(first)} and {last} of its arms"
    )


def read_origin(folder: Path) -> tuple[str, str]:
    """Read when a run ended, in ISO 8601, and by which command it was made; empty where its summary.json is silent."""
    try:
        whole = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        date, command = (str(whole.get(name) or "") for name in ("date", "command"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return "", ""
    try:
        datetime.fromisoformat(date)
    except ValueError:
        date = ""
    return date, command
