"""Ask a scalar reward model: its head scores the conversation with the response as the last turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Judge, Reading
from judgescale.harness.judges.prompt import UNLIMITED, read_conversation
from judgescale.harness.judges.reading import combine_readings, read_score
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class Scalar(Judge):
    """Make one request a response, and take the head's number as its score."""

    format: ClassVar[str] = "scalar"

    def widths(self) -> tuple[int, int]:
        """Return 2 and no limit: a reward alone says nothing on a scale of 0 to 1."""
        return (2, UNLIMITED)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request a response: the conversation, then the response."""
        turns = read_conversation(item)
        return tuple(Request((*turns, ("assistant", item.texts[i])), kind="score") for i in shown)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read one score a response."""
        return combine_readings(map(read_score, outputs))
