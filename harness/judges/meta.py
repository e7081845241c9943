"""Meta RMs: score how far a judgment can be trusted, from one request and one answer (arXiv 2504.02495, section 4).

A meta RM is no judge: it sees what a judge was asked and what it answered, and never scores a response.
"""

from __future__ import annotations

from dataclasses import dataclass

from judgescale.harness.contracts import MetaRM
from judgescale.harness.judges.prompt import TEMPLATES, make_fence, render_template
from judgescale.harness.judges.reading import parse_whole_number, read_answer, read_score, read_verdict
from judgescale.harness.judges.untrusted import neutralise
from judgescale.harness.types import Output, Request


@dataclass(frozen=True)
class ScalarMeta(MetaRM):
    """Ask a scalar head, as the paper does: the judge's request, with its judgment as the assistant's turn."""

    def request(self, request: Request, output: Output) -> Request:
        """Append the judgment to the judge's own request, and ask for a score."""
        return Request((*request.messages, ("assistant", _read_judgment(output))), kind="score", order=request.order)

    def read(self, output: Output) -> float | None:
        """Return the scalar head's number; None where it is missing or not finite."""
        scores = read_score(output).scores
        return scores[0] if scores else None


@dataclass(frozen=True)
class GenerativeMeta(MetaRM):
    r"""Ask a model to rate a judgment in words, and read `\boxed{n}`, 1 to 10.

    The box must close the answer, since judgments hold such boxes too and the model may quote them. A template sees
    `request` (what the judge was asked, as text), `judgment` and `fence`.

    Making one renders its template once: this raises JudgescaleError where the template cannot be read or uses unknown
    variables.
    """

    template: str | None = None
    thinking: bool = False

    def __post_init__(self) -> None:
        self.request(Request((("user", "?"),)), Output("!"))

    def request(self, request: Request, output: Output) -> Request:
        """Write one user turn that quotes the judge's request and its judgment."""
        asked = "\n\n".join(content for _, content in request.messages)
        judgment = _read_judgment(output)
        given = {"request": asked, "judgment": judgment, "fence": make_fence((asked, judgment))}
        text = render_template("meta.template", str(self.template or TEMPLATES / "meta.jinja"), given)
        return Request((("user", text),), order=request.order)

    def read(self, output: Output) -> float | None:
        """Return the rating, clamped to 1 to 10; None where the answer does not close with a whole number in a box."""
        scores = read_verdict(output, self.thinking, parse_rating, untrusted=(r"\boxed{1}",)).scores
        return scores[0] if scores else None


def parse_rating(content: str) -> tuple[float, ...] | None:
    """Return a whole number clamped to 1 to 10, and None for anything else."""
    rating = parse_whole_number(content)
    return None if rating is None else (float(min(max(rating, 1), 10)),)


def _read_judgment(output: Output) -> str:
    """Return a judge's answer without its thoughts, neutralised; one without a usable answer as it came."""
    return neutralise(read_answer(output)[1] or (output.text or "").strip())
