"""A scalar reward model: the number of its head on the conversation with the response as the last turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import ANY, turns_of
from judgescale.harness.judges.reading import read_score, side_by_side
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class Scalar:
    """One request a response. A lone one is refused: a reward alone says nothing on a scale of 0 to 1."""

    format: ClassVar[str] = "scalar"

    def widths(self) -> tuple[int, int]:
        return (2, ANY)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        turns = turns_of(item)
        return tuple(Request((*turns, ("assistant", item.texts[i])), kind="score") for i in shown)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        return side_by_side(map(read_score, outputs))
