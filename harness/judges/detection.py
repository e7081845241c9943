"""Does a lone response contain an error? Reasoning, then a verdict (ReaLMistake, arXiv 2404.03602, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import Prompted, shown_texts
from judgescale.harness.judges.reading import read_verdict
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class Detection(Prompted):
    r"""The last box is `\boxed{error}` or `\boxed{no error}`: score 1 or 0."""

    format: ClassVar[str] = "detection"
    span: ClassVar[tuple[int, int]] = (1, 1)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        return (self.ask(item, shown),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        return read_verdict(outputs[0], self.thinking, error, shown_texts(item, shown))


def error(content: str) -> tuple[float, ...] | None:
    return {"error": (1.0,), "no error": (0.0,)}.get(content.lower())
