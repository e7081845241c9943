"""Read verdicts out of answers: strictly, and never from text that an answer may merely quote.

A verdict stands in a marker, `\\boxed{…}` or `[[…]]`; a format gives the parser of what the marker holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.withdrawal import is_withdrawn
from judgescale.harness.types import Output


class Marker(NamedTuple):
    """Hold a marker of a text: where it stands, `text[start:end]`, and what is inside its braces or brackets."""

    content: str
    start: int
    end: int


FindMarkers = Callable[[str], Iterable[Marker]]
Parse = Callable[[str], tuple[float, ...] | None]  # of what a marker holds

CONTENT = r"(?:[^{}]|\{(?:[^{}]|\{[^{}]*+\})*+\})*+"  # inside a box: braces nested two deep, matched in linear time
BOX = re.compile(r"\\boxed\s*+\{(?:(?=(" + CONTENT + r")(\}))|)")
BOX_OR_BRACKETS = re.compile(BOX.pattern + r"|\[\[([^\[\]]{0,40})\]\]")
STYLE = re.compile(r"\\(?:boxed|text(?:bf|it|rm|tt|sf)?|math(?:bf|it|rm|tt|sf)|boldsymbol|mbox|emph)\s*\{([^{}]*)\}")
SPACING = re.compile(r"\\(?:[ ,;:!_]|q?quad)|~")
CLOSING = re.compile(r"(?:[\s.。*$}_!`]|\\[)\]]|</\w{1,20}>|<\|\w{1,20}\|>)*+")  # may follow what closes the answer
# What may stand between the markers of one statement; other words, ":", "?", "…" or an arrow begin a new one.
JOINT = re.compile(
    r"""[\s.;!*_$`~(){}\[\]"'“”‘’–—\\-]|[,/|&+<]|(?<![-=])>|=(?!>)"""
    r"|\b(?:(?:but\s+)?(?:also|maybe|perhaps|possibly|even)|and|or|nor|vs|versus|plus)\b",
    re.IGNORECASE,
)
LONGEST_JOINT = 80
CONNECTED = re.compile(r"[,/|&+<>=]|\w")  # a joint that lists, where others merely follow on each other
OR = re.compile(r"\bor\b", re.IGNORECASE)
NO_VERDICT = re.compile(r"(?:a |it'?s a )?(?:tie|draw|neither|both|none|unsure|undecided|unclear)", re.IGNORECASE)


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
        yield _make_marker(box)


def find_boxes_and_brackets(text: str) -> Iterator[Marker]:
    r"""Find every `\boxed{…}` and every `[[…]]` that is not inside another one."""
    for found in BOX_OR_BRACKETS.finditer(text):
        yield _make_marker(found) if found[3] is None else Marker(found[3], found.start(), found.end())


def _make_marker(box: re.Match[str]) -> Marker:
    """Make the marker of a match of BOX."""
    return Marker(box[1], box.start(), box.end(2)) if box[2] else Marker("", box.start(), box.end())


def parse_last_marker(
    text: str,
    parse: Parse,
    untrusted: Iterable[str],
    find_markers: FindMarkers = find_boxes,
) -> tuple[float, ...] | None:
    """Return what `parse` makes of an answer's last marker; None where there is no marker or `parse` refuses it.

    An answer that closes with several verdicts, or takes its verdict back in words, gives none. Where one of the
    `untrusted` texts that the judge was shown holds a marker which `parse` would accept, the judge may be quoting it:
    then the last marker counts only if it closes the answer.
    """
    if not (markers := list(find_markers(text))):
        return None
    last = markers[-1]
    scores = parse(strip_markup(last.content))
    if scores is None or has_rival(text, markers, parse):
        return None
    if is_withdrawn(text, last.start, last.end, tied=len(scores) > 1 and len(set(scores)) == 1):
        return None
    may_be_quoted = not is_at_end(text, last.end) and any(
        parse(strip_markup(marker.content)) is not None
        for source in untrusted
        for marker in find_markers(source)
        if source[marker.start] == text[last.start]  # of the same kind: both boxes, or both brackets
    )
    return None if may_be_quoted else scores


def has_rival(text: str, markers: Sequence[Marker], parse: Parse) -> bool:
    """Tell whether another verdict stands beside the last one, as in "A and B", "A, B" or "A B".

    "A or B" is a choice even where both are the same: weak models repeat what they were given. A list that was repeated
    before the verdict, which then has a line of its own, is no rival.
    """
    verdict = parse(strip_markup(markers[-1].content))
    for i in range(len(markers) - 1, 0, -1):
        joint = _find_joint(text, *markers[i - 1 : i + 1])
        if joint is None:
            return False
        if OR.search(joint):
            return True
        listed = _find_joint(text, *markers[i - 2 : i]) if i > 1 and "\n" in joint else None
        if listed and CONNECTED.search(listed):
            return False
        said = strip_markup(markers[i - 1].content)
        rival = parse(said)
        differs = rival != verdict if rival is not None else NO_VERDICT.fullmatch(said) is not None
        one_kind = text[markers[i - 1].start] == text[markers[i].start]  # both boxes, or both brackets
        if differs and (one_kind or CONNECTED.search(joint)):
            return True
    return False


def _find_joint(text: str, first: Marker, second: Marker) -> str | None:
    """Return what stands between two markers of one statement; None where the second begins a new one."""
    between = text[first.end : second.start]
    if len(between) > LONGEST_JOINT:
        return None
    between = SPACING.sub(" ", STYLE.sub(r"\1", between))
    return None if JOINT.sub("", between) else between


def read_verdict(
    output: Output,
    thinking: bool,
    parse: Parse,
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
    """Return the integer that a text is, also one written as 8.0; None where it is anything else."""
    number = re.fullmatch(r"([+-]?[0-9]{1,9})(?:\.0{1,9})?", text.strip("*$ "))
    return int(number[1]) if number else None


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
