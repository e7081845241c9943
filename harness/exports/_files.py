"""Write the files of an export: whole or not at all, and with texts that any file can hold."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from judgescale.harness.report.files import DRAFT


def write_whole(path: Path, text: str) -> Path:
    """Write a file that appears whole or not at all, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=DRAFT) as scratch:
        draft = Path(scratch) / path.name
        draft.write_text(text, encoding="utf-8", newline="")
        return draft.replace(path)


def clean(value: Any) -> Any:
    """Return a value as JSON can hold it: halves of a character escaped, numbers that are none None."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean(str(name)): clean(one) for name, one in value.items()}
    return [clean(one) for one in value] if isinstance(value, list | tuple) else value
