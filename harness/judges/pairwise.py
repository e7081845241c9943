"""Ask which of two responses is better, with reasoning first and no ties (RRM, arXiv 2505.14674, section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import PromptedJudge, list_untrusted_texts
from judgescale.harness.judges.reading import one_hot, read_verdict
from judgescale.harness.types import Item, JudgescaleError, Output, Request


@dataclass(frozen=True)
class Pairwise(PromptedJudge):
    r"""Take the winner from the last `\boxed{…}`, Assistant 1 or Assistant 2: scores (1, 0) or (0, 1)."""

    format: ClassVar[str] = "pairwise"
    span: ClassVar[tuple[int, int]] = (2, 2)
    verdict_only: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.verdict_only and self.thinking:
            raise JudgescaleError("judge.verdict_only=true leaves no room for thoughts: set judge.thinking=false")

    @property
    def variables(self) -> Mapping[str, Any]:
        """Return the template's `verdict_only`."""
        return {"verdict_only": self.verdict_only}

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request that shows both responses."""
        return (self.write_request(item, shown, pattern=r"\\boxed\{Assistant [12]\}" if self.verdict_only else None),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the winner: 1 for it, 0 for the other."""
        return read_verdict(outputs[0], self.thinking, parse_winner, list_untrusted_texts(item, shown))


def parse_winner(content: str) -> tuple[float, ...] | None:
    """Return one-hot scores for Assistant 1 or Assistant 2, and None for anything else."""
    match = re.fullmatch(r"assistant[ _]?#?([12])", content, re.IGNORECASE | re.ASCII)
    return one_hot(2, int(match[1]) - 1) if match else None
