"""A critique in words, then a scalar head on it (CLoud, arXiv 2408.11791)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import ANY, OURS, make_up_item, material, render, turns_of
from judgescale.harness.judges.reading import answer, read_score, side_by_side
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class CritiqueScalar:
    """Two requests a response: its critique, asked for in a further user turn, then the reward of all of that.

    Raises JudgescaleError where the template cannot be read or has unknown variables.
    """

    format: ClassVar[str] = "critique_scalar"
    template: str | None = None
    thinking: bool = False

    def __post_init__(self) -> None:
        self.requests(make_up_item(1), (0,))

    def widths(self) -> tuple[int, int]:
        return (2, ANY)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        file = str(self.template or OURS / "critique.jinja")
        asks = [(i, render("judge.template", file, material(item, (i,)))) for i in shown]
        return tuple(
            Request((*turns_of(item), ("assistant", item.texts[i]), ("user", ask)), order=(i,)) for i, ask in asks
        )

    def then(
        self, item: Item, shown: tuple[int, ...], request_index: int, request: Request, output: Output
    ) -> Request | None:
        """The scalar head's request on a critique; None where there is no whole critique to score."""
        status, critique = answer(output, self.thinking)
        if status != "ok":
            return None
        return Request((*request.messages, ("assistant", critique)), kind="score", order=request.order)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Of the scalar head's outputs, and of critiques that went no further."""
        return side_by_side(map(self._read, outputs))

    def _read(self, output: Output) -> Reading:
        if output.score is not None:
            return read_score(output)
        status, _ = answer(output, self.thinking)
        return Reading("unparsed" if status == "ok" else status)
