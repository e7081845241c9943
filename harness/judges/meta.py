"""Meta RMs: how far a judgment is to be trusted, from what was asked and what was said (arXiv 2504.02495, section 4).

No judges: they look at one request and one answer to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from judgescale.harness.judges.prompt import OURS, fence, render
from judgescale.harness.judges.reading import Marker, answer, boxes, closes, plain, read_score, whole_number
from judgescale.harness.judges.untrusted import neutralise
from judgescale.harness.types import Output, Request


@dataclass(frozen=True)
class ScalarMeta:
    """The paper's: a scalar head on the request with the judgment as the assistant's turn."""

    def request(self, request: Request, output: Output) -> Request:
        return Request((*request.messages, ("assistant", _said(output))), kind="score", order=request.order)

    def read(self, output: Output) -> float | None:
        scores = read_score(output).scores
        return scores[0] if scores else None


@dataclass(frozen=True)
class GenerativeMeta:
    r"""A judge of judgments in words: `\boxed{n}`, 1 to 10, at the very end, since judgments hold such boxes too.

    A template sees `request` (what was asked, as text), `judgment` and `fence`. Raises JudgescaleError where it cannot
    be read or has unknown variables.
    """

    template: str | None = None
    thinking: bool = False

    def __post_init__(self) -> None:
        self.request(Request((("user", "?"),)), Output("!"))

    def request(self, request: Request, output: Output) -> Request:
        asked = "\n\n".join(content for _, content in request.messages)
        said = _said(output)
        given = {"request": asked, "judgment": said, "fence": fence((asked, said))}
        text = render("meta.template", str(self.template or OURS / "meta.jinja"), given)
        return Request((("user", text),), order=request.order)

    def read(self, output: Output) -> float | None:
        """1 to 10, or None where the answer does not close with a whole number in a box."""
        _, text = answer(output, self.thinking)
        last = (list(boxes(text)) or [Marker("", 0, 0)])[-1]
        rating = whole_number(plain(last.content)) if closes(text, last.end) else None
        return None if rating is None else float(min(max(rating, 1), 10))


def _said(output: Output) -> str:
    """A judgment without its thoughts; one that was cut inside them as it is."""
    return neutralise(answer(output)[1] or (output.text or "").strip())
