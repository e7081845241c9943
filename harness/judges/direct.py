"""Ask for a verdict without reasoning: a letter, or yes or no for one response (DirectJudge in arXiv 2505.14674)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import LETTERS, PromptedJudge
from judgescale.harness.judges.reading import one_hot, read_answer
from judgescale.harness.types import Item, JudgescaleError, Output, Request

PUNCTUATION = " \t\r\n.,:;!?*_`'\"()[]{}<>$“”‘’"  # what may surround a label that is the whole answer


@dataclass(frozen=True)
class Direct(PromptedJudge):
    """Take the whole answer as one label: A, B, … for the best response; yes or no for "has an error"."""

    format: ClassVar[str] = "direct"
    span: ClassVar[tuple[int, int]] = (1, len(LETTERS))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.thinking:
            raise JudgescaleError("judge.thinking=true: direct asks for the bare verdict; choose another judge")

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request that shows all the responses; its pattern allows the labels only."""
        return (self.write_request(item, shown, pattern="|".join(list_labels(len(shown)))),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the label: 1 for the response that it names, 0 for the others; 1 for a single response with an error."""
        status, text = read_answer(outputs[0])
        if status != "ok":
            return Reading(status)
        said, known = text.strip(PUNCTUATION).lower(), [label.lower() for label in list_labels(len(shown))]
        if said not in known:
            return Reading("unparsed")
        return Reading("ok", one_hot(len(known), known.index(said))[: len(shown)])


def list_labels(n: int) -> tuple[str, ...]:
    """List the answers allowed for n responses: their letters; for a single one, yes (it has an error) and no."""
    return tuple(LETTERS[:n]) if n > 1 else ("yes", "no")
