"""A verdict with no reasoning: a letter, or yes or no for a lone response (DirectJudge in arXiv 2505.14674)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import LETTERS, Prompted
from judgescale.harness.judges.reading import answer, one_hot
from judgescale.harness.types import Item, JudgescaleError, Output, Request

AROUND = " \t\r\n.,:;!?*_`'\"()[]{}<>$“”‘’"  # what may surround a label that is the whole answer


@dataclass(frozen=True)
class Direct(Prompted):
    """The whole answer is one label: A, B, … for the best response; yes or no for "has an error"."""

    format: ClassVar[str] = "direct"
    span: ClassVar[tuple[int, int]] = (1, len(LETTERS))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.thinking:
            raise JudgescaleError("judge.thinking=true: direct asks for the bare verdict; choose another judge")

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        return (self.ask(item, shown, pattern="|".join(labels(len(shown)))),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        status, text = answer(outputs[0])
        if status != "ok":
            return Reading(status)
        said, known = text.strip(AROUND).lower(), [label.lower() for label in labels(len(shown))]
        if said not in known:
            return Reading("unparsed")
        return Reading("ok", one_hot(len(known), known.index(said))[: len(shown)])


def labels(n: int) -> tuple[str, ...]:
    """The answers that n responses allow; the first two speak for and against a lone one having an error."""
    return tuple(LETTERS[:n]) if n > 1 else ("yes", "no")
