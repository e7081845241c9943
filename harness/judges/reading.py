"""Reading a verdict out of an answer: strictly, and never out of what the answer may merely quote."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from judgescale.harness.contracts import Reading
from judgescale.harness.types import Output

V = TypeVar("V")


class Marker(NamedTuple):
    """What stands between `text[start:end]`'s brackets."""

    content: str
    start: int
    end: int


Markers = Callable[[str], Iterable[Marker]]

HELD = r"(?:[^{}]|\{(?:[^{}]|\{[^{}]*+\})*+\})*+"  # what a marker may hold: braces two deep, read in linear time
BOXED = re.compile(r"\\boxed\s*+\{(?:(?=(" + HELD + r")(\}))|)")
BRACKETED = re.compile(r"\[\[([^\[\]]{0,40})\]\]")
STYLED = re.compile(r"\\(?:text(?:bf|it|rm|tt|sf)?|math(?:bf|it|rm|tt|sf)|boldsymbol|mbox|emph)\s*\{([^{}]*)\}")
SPACING = re.compile(r"\\(?:[ ,;:!]|q?quad)|~")
AFTER = re.compile(r"(?:[\s.*$}_!`]|\\[)\]])*+")  # what may follow a verdict that closes the answer
EITHER = re.compile(r"\W*or\W*", re.IGNORECASE)  # between two verdicts, of which neither then is one


def answer(output: Output, thinking: bool = False) -> tuple[str, str]:
    """(status, what the model answered after its thoughts); the text is "" unless the status is "ok".

    `thinking`: the chat template opens the thought itself, so that an answer without its end was cut.
    """
    if output.finish in ("refused", "failed"):
        return output.finish, ""
    _, ended, said = (output.text or "").rpartition("</think>")
    unended = thinking and not ended and output.reasoning is None
    said = said.strip()
    if output.finish == "length" or unended or said.startswith("<think>"):
        return "truncated", ""
    return ("ok", said) if said else ("unparsed", "")


def boxes(text: str) -> Iterator[Marker]:
    r"""Every `\boxed{…}`; one that does not close holds ""."""
    for box in BOXED.finditer(text):
        yield Marker(box[1], box.start(), box.end(2)) if box[2] else Marker("", box.start(), box.end())


def boxes_and_brackets(text: str) -> Iterator[Marker]:
    """Those and every `[[…]]`, in the order in which they end."""
    found = [*boxes(text), *(Marker(m[1], m.start(), m.end()) for m in BRACKETED.finditer(text))]
    yield from sorted(found, key=lambda marker: marker.end)


def last_verdict(
    text: str, parse: Callable[[str], V | None], shown: Iterable[str], markers: Markers = boxes
) -> V | None:
    """What the last marker of an answer says; None where there is none or `parse` can make nothing of it.

    "This or that" says nothing: so weak models repeat what they were told to choose from. Where a text that the judge
    was `shown` holds a marker of the kind that `parse` would take, the judge may be quoting it: then the last marker
    must close the answer.
    """
    if not (found := list(markers(text))):
        return None
    last = found[-1]
    if len(found) > 1 and EITHER.fullmatch(text, found[-2].end, last.start):
        return None
    quotable = not closes(text, last.end) and any(
        parse(plain(theirs.content)) is not None
        for seen in shown
        for theirs in markers(seen)
        if seen[theirs.start] == text[last.start]
    )
    return None if quotable else parse(plain(last.content))


def read_verdict(
    output: Output,
    thinking: bool,
    parse: Callable[[str], tuple[float, ...] | None],
    shown: Iterable[str],
    markers: Markers = boxes,
) -> Reading:
    """The scores in an answer's last marker, as `answer` and `last_verdict` read it."""
    status, text = answer(output, thinking)
    if status != "ok":
        return Reading(status)
    scores = last_verdict(text, parse, shown, markers)
    return Reading("unparsed") if scores is None else Reading("ok", scores)


def closes(text: str, end: int) -> bool:
    """Whether nothing but white space and punctuation follows a marker that ends there."""
    return AFTER.fullmatch(text, end) is not None


def plain(content: str) -> str:
    r"""A marker's content without LaTeX's and Markdown's dress: `\text{**Assistant 1**}` to `Assistant 1`."""
    for _ in range(2):  # as deep as a marker holds braces
        content = STYLED.sub(r"\1", content)
    return " ".join(SPACING.sub(" ", content).strip("*_$`'\"()[] \t\n").rstrip(".").split())


def whole_number(text: str) -> int | None:
    """The integer that a text is, or None."""
    digits = text.strip("*$ ")
    return int(digits) if re.fullmatch(r"[+-]?[0-9]{1,9}", digits) else None


def one_hot(n: int, chosen: int) -> tuple[float, ...]:
    return tuple(float(i == chosen) for i in range(n))


def read_score(output: Output) -> Reading:
    """The number of a scalar head; what is not finite is unparsed."""
    if output.finish in ("refused", "failed"):
        return Reading(output.finish)
    if output.score is None or not math.isfinite(output.score):
        return Reading("unparsed")
    return Reading("ok", (float(output.score),))


def side_by_side(readings: Iterable[Reading]) -> Reading:
    """One judgment out of one reading a response; the first that is unusable makes all of it so."""
    scores: tuple[float, ...] = ()
    for reading in readings:
        if reading.scores is None:
            return reading
        scores += reading.scores
    return Reading("ok", scores)
