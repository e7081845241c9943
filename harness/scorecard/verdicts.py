"""What a measured number says of the printed one, in words: first why it may say nothing, then what it says.

Two numbers agree where they are equal in the printed digits, or where the printed one lies within what judging the same
items again gives (evaluation/again.py). They never agree by an interval that a guess lies in as well, for then nothing
was seen of the judge; nor where no interval is known: then only the digits can be compared.
"""

from __future__ import annotations

from typing import NamedTuple

from judgescale.harness.published.candidates import Candidate
from judgescale.harness.published.lists import Row
from judgescale.harness.report.text import format_interval, format_percent

AGREES, DIFFERS, CANNOT_TELL, NOT_COMPARABLE = "agrees", "differs", "cannot tell", "not comparable"


class Verdict(NamedTuple):
    """Hold a verdict; both are empty where nothing was run."""

    word: str = ""
    why: str = ""
    half: float | None = None  # half of the interval's width that an agreement rests on, as a fraction

    def __str__(self) -> str:
        return f"{self.word}: {self.why}" if self.word else ""


def judge_number(row: Row, text: str, ours: Candidate, refusal: str) -> Verdict:
    """Judge a measured number against a printed one.

    text: the digits as printed. refusal: why the two may not be compared, empty where they may.
    """
    if refusal:
        return Verdict(NOT_COMPARABLE, refusal)
    if is_equal_as_printed(100 * ours.value, text):
        return Verdict(AGREES, "equal in the printed digits")
    if ours.again is None:
        return Verdict(CANNOT_TELL, f"the digits differ, and what judging again gives is not known ({ours.unknown})")
    low, high = ours.again
    interval, rounding = format_interval(ours.again), half_a_digit(text) / 100
    if not low - rounding <= row.value <= high + rounding:
        return Verdict(DIFFERS, f"outside what judging the same items again gives, {interval}")
    within = f"within what judging the same items again gives, {interval}"
    if ours.guess is not None and low <= ours.guess <= high:
        return Verdict(CANNOT_TELL, f"{within}, where a guess lies too ({format_percent(ours.guess)})")
    return Verdict(AGREES, within, (high - low) / 2)


def count_decimals(text: str) -> int:
    """Count the decimals that a number was printed with."""
    return len(text.strip().partition(".")[2])


def half_a_digit(text: str) -> float:
    """Return half of the last digit that a number was printed with: how far rounding may have moved it."""
    return float(0.5 * 10 ** -count_decimals(text))


def is_equal_as_printed(percent: float, text: str) -> bool:
    """Tell whether a number, rounded to the digits that another was printed with, is that one."""
    return abs(percent - float(text)) <= half_a_digit(text) + 1e-9


def differ_as_printed(one: str, other: str) -> bool:
    """Tell whether two printed numbers differ, and not only in how many digits they were printed with."""
    fewer, more = sorted((one, other), key=count_decimals)
    return not is_equal_as_printed(float(more), fewer)
