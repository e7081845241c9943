"""Ask for a critique in words, then let a scalar head score response and critique (CLoud, arXiv 2408.11791)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Judge, Reading
from judgescale.harness.judges.prompt import (
    TEMPLATES,
    UNLIMITED,
    collect_variables,
    make_up_item,
    read_conversation,
    render_template,
)
from judgescale.harness.judges.reading import combine_readings, read_answer, read_score
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class CritiqueScalar(Judge):
    """Make two requests a response: its critique, asked for in a further user turn, then the reward of it all.

    Making one renders its template once: this raises JudgescaleError where the template cannot be read or uses unknown
    variables.
    """

    format: ClassVar[str] = "critique_scalar"
    template: str | None = None
    thinking: bool = False

    def __post_init__(self) -> None:
        self.requests(make_up_item(1), (0,))

    def widths(self) -> tuple[int, int]:
        """Return 2 and no limit: a reward alone says nothing on a scale of 0 to 1."""
        return (2, UNLIMITED)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request a response: the conversation, the response, and the turn that asks for its critique."""
        file = str(self.template or TEMPLATES / "critique.jinja")
        turns = [(i, render_template("judge.template", file, collect_variables(item, (i,)))) for i in shown]
        return tuple(
            Request((*read_conversation(item), ("assistant", item.texts[i]), ("user", turn)), order=(i,))
            for i, turn in turns
        )

    def then(
        self, item: Item, shown: tuple[int, ...], request_index: int, request: Request, output: Output
    ) -> Request | None:
        """Write what the scalar head is asked about a critique; None where there is no whole critique to score."""
        status, critique = read_answer(output, self.thinking)
        if status != "ok":
            return None
        return Request((*request.messages, ("assistant", critique)), kind="score", order=request.order)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the scalar head's scores; where it was not asked, `outputs` holds the unusable critique instead."""
        return combine_readings(map(self._read_one, outputs))

    def _read_one(self, output: Output) -> Reading:
        if output.score is not None:
            return read_score(output)
        status, _ = read_answer(output, self.thinking)
        return Reading("unparsed" if status == "ok" else status)
