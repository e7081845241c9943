"""One judgment, taken as it comes: the baseline every other strategy has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.strategies.voting import Voting


@dataclass(frozen=True)
class Single(Voting):
    name: ClassVar[str] = "single"
    k: int | None = 1
