"""Engine `recorded`: judgments somebody already paid for, in place of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Recorded:
    """Name the set that is read; `plan/recorded.py` makes arms of it, and no model is ever asked."""

    name: ClassVar[str] = "recorded"
    source: ClassVar[str] = "recorded"

    path: str
