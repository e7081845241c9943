"""Write the files of an export: whole or not at all, and with texts that any file can hold."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from judgescale.harness.finished.wording import write_files


def write_whole(path: Path, text: str) -> Path:
    """Write a file that appears whole or not at all, and its folder."""
    write_files(path.parent, {path.name: text})
    return path


def clean(value: Any) -> Any:
    """Return a value as JSON can hold it: halves of a character escaped, numbers that are none None."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean(str(name)): clean(one) for name, one in value.items()}
    return [clean(one) for one in value] if isinstance(value, list | tuple) else value
