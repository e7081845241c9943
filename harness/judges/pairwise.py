"""Two responses, one winner, no ties: the judge reasons, then names it (RRM, arXiv 2505.14674, section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import Prompted, shown_texts
from judgescale.harness.judges.reading import one_hot, read_verdict
from judgescale.harness.types import Item, JudgescaleError, Output, Request


@dataclass(frozen=True)
class Pairwise(Prompted):
    r"""The last `\boxed{…}` holds Assistant 1 or Assistant 2: scores (1, 0) or (0, 1)."""

    format: ClassVar[str] = "pairwise"
    span: ClassVar[tuple[int, int]] = (2, 2)
    verdict_only: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.verdict_only and self.thinking:
            raise JudgescaleError("judge.verdict_only=true leaves no room for thoughts: set judge.thinking=false")

    def variables(self) -> Mapping[str, Any]:
        return {"verdict_only": self.verdict_only}

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        return (self.ask(item, shown, pattern=r"\\boxed\{Assistant [12]\}" if self.verdict_only else None),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        return read_verdict(outputs[0], self.thinking, winner, shown_texts(item, shown))


def winner(content: str) -> tuple[float, ...] | None:
    named = re.fullmatch(r"assistant ?([12])", content, re.IGNORECASE | re.ASCII)
    return one_hot(2, int(named[1]) - 1) if named else None
