"""Read verdicts out of answers: strictly, and never from text that an answer may merely quote.

A verdict stands in a marker, `\\boxed{…}` or `[[…]]`; a format gives the parser of what the marker holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from judgescale.harness.contracts import Reading
from judgescale.harness.types import Output

V = TypeVar("V")


class Marker(NamedTuple):
    """Hold a marker of a text: where it stands, `text[start:end]`, and what is inside its braces or brackets."""

    content: str
    start: int
    end: int


FindMarkers = Callable[[str], Iterable[Marker]]

CONTENT = r"(?:[^{}]|\{(?:[^{}]|\{[^{}]*+\})*+\})*+"  # inside a box: braces nested two deep, matched in linear time
BOX = re.compile(r"\\boxed\s*+\{(?:(?=(" + CONTENT + r")(\}))|)")
BRACKETS = re.compile(r"\[\[([^\[\]]{0,40})\]\]")
STYLE = re.compile(r"\\(?:text(?:bf|it|rm|tt|sf)?|math(?:bf|it|rm|tt|sf)|boldsymbol|mbox|emph)\s*\{([^{}]*)\}")
SPACING = re.compile(r"\\(?:[ ,;:!]|q?quad)|~")
CLOSING = re.compile(r"(?:[\s.*$}_!`]|\\[)\]])*+")  # what may follow a verdict that closes the answer
EITHER = re.compile(r"\W*or\W*", re.IGNORECASE)  # two verdicts with this between them are a repeated choice, no verdict


def read_answer(output: Output, thinking: bool = False) -> tuple[str, str]:
    """Return (status, what the model answered after its thoughts); the text is "" unless the status is "ok".

    `thinking`: the chat template itself opens the thought, so that an answer without </think> was cut off.
    """
    if output.finish in ("refused", "failed"):
        return output.finish, ""
    _, ended, text = (output.text or "").rpartition("</think>")
    unended = thinking and not ended and output.reasoning is None
    text = text.strip()
    if output.finish == "length" or unended or text.startswith("<think>"):
        return "truncated", ""
    return ("ok", text) if text else ("unparsed", "")


def find_boxes(text: str) -> Iterator[Marker]:
    r"""Find every `\boxed{…}`; the content of one that does not close is ""."""
    for box in BOX.finditer(text):
        yield Marker(box[1], box.start(), box.end(2)) if box[2] else Marker("", box.start(), box.end())


def find_boxes_and_brackets(text: str) -> Iterator[Marker]:
    r"""Find every `\boxed{…}` and every `[[…]]`, in the order in which they end."""
    markers = [*find_boxes(text), *(Marker(m[1], m.start(), m.end()) for m in BRACKETS.finditer(text))]
    yield from sorted(markers, key=lambda marker: marker.end)


def parse_last_marker(
    text: str, parse: Callable[[str], V | None], untrusted: Iterable[str], find_markers: FindMarkers = find_boxes
) -> V | None:
    """Return what `parse` makes of an answer's last marker; None where there is no marker or `parse` refuses it.

    "A or B" is no verdict: weak models repeat the choices that they were given. Where one of the `untrusted` texts that
    the judge was shown holds a marker which `parse` would accept, the judge may be quoting it: then the last marker
    counts only if it closes the answer.
    """
    if not (markers := list(find_markers(text))):
        return None
    last = markers[-1]
    if len(markers) > 1 and EITHER.fullmatch(text, markers[-2].end, last.start):
        return None
    may_be_quoted = not is_at_end(text, last.end) and any(
        parse(strip_markup(marker.content)) is not None
        for source in untrusted
        for marker in find_markers(source)
        if source[marker.start] == text[last.start]  # of the same kind: both boxes, or both brackets
    )
    return None if may_be_quoted else parse(strip_markup(last.content))


def read_verdict(
    output: Output,
    thinking: bool,
    parse: Callable[[str], tuple[float, ...] | None],
    untrusted: Iterable[str],
    find_markers: FindMarkers = find_boxes,
) -> Reading:
    """Read the scores in an answer's last marker, by the rules of `read_answer` and `parse_last_marker`."""
    status, text = read_answer(output, thinking)
    if status != "ok":
        return Reading(status)
    scores = parse_last_marker(text, parse, untrusted, find_markers)
    return Reading("unparsed") if scores is None else Reading("ok", scores)


def is_at_end(text: str, end: int) -> bool:
    """Tell whether only white space and punctuation follow a marker that ends at `end`."""
    return CLOSING.fullmatch(text, end) is not None


def strip_markup(content: str) -> str:
    r"""Strip LaTeX and Markdown from a marker's content: `\text{**Assistant 1**}` becomes `Assistant 1`."""
    for _ in range(2):  # a marker holds braces at most two deep
        content = STYLE.sub(r"\1", content)
    return " ".join(SPACING.sub(" ", content).strip("*_$`'\"()[] \t\n").rstrip(".").split())


def parse_whole_number(text: str) -> int | None:
    """Return the integer that a text is; None where it is anything else."""
    digits = text.strip("*$ ")
    return int(digits) if re.fullmatch(r"[+-]?[0-9]{1,9}", digits) else None


def one_hot(n: int, chosen: int) -> tuple[float, ...]:
    """Return n scores: 1 for the chosen one, 0 for the others."""
    return tuple(float(i == chosen) for i in range(n))


def read_score(output: Output) -> Reading:
    """Read the number of a scalar head; unparsed where it is missing or not finite."""
    if output.finish in ("refused", "failed"):
        return Reading(output.finish)
    if output.score is None or not math.isfinite(output.score):
        return Reading("unparsed")
    return Reading("ok", (float(output.score),))


def combine_readings(readings: Iterable[Reading]) -> Reading:
    """Join the readings of several answers into one judgment; return the first unusable one, if there is any."""
    scores: tuple[float, ...] = ()
    for reading in readings:
        if reading.scores is None:
            return reading
        scores += reading.scores
    return Reading("ok", scores)
