"""One judgment, taken as it comes: the baseline every other strategy has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.strategies.voting import Voting


@dataclass(frozen=True)
class Single(Voting):
    name: ClassVar[str] = "single"
    k: int | None = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", 1)  # so that one sweep over k serves every strategy
