"""Errors as the person at the keyboard meets them: one line that names the culprit and what to do."""

from __future__ import annotations

import difflib
import re

from harness.types import JudgescaleError


def one_line(error: BaseException) -> str:
    """The one line for an exception out of a run; bugs are marked as such and point to the traceback."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, JudgescaleError):
        return f"error: {_flat(str(error))}"
    if isinstance(error, HydraException | OmegaConfBaseException):
        return f"error: {_config(str(error))}"
    if isinstance(error, OSError):
        return f"error: {_flat(str(error))}"
    kind = type(error).__name__
    return f"internal error: {kind}: {_flat(str(error))} (JUDGESCALE_DEBUG=1 shows where; please report it)"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _config(text: str) -> str:
    """Hydra's and OmegaConf's multi-line messages in one line, in our words where we know better."""
    if group := re.search(r"Could not find '([\w@.]+)/([^']*)'\s*Available options in '[^']*':((?:\n\t\S+)+)", text):
        options = group[3].split()
        close = difflib.get_close_matches(group[2], options, 1)
        meant = f" did you mean {close[0]}?" if close else ""
        return f"{group[1]}={group[2]}: no such choice;{meant} there are {', '.join(options)}"
    if option := re.search(r"Could not override '([^']+)'", text):
        return f"{option[1]}: no such option; python run.py --help lists them all"
    if "Missing mandatory value: task.recorded" in text or "task.recorded" in text:
        return "this task has no shipped set: give one with engine.path=SET.parquet"
    return _flat(re.sub(r"\n\s*(full_key|object_type|reference_type)=.*", "", text))
