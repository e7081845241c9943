"""What an arm's accuracy is held against: how well annotators agree with the labels (evaluation/ceiling.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

ABOVE, BEYOND = "^", "^^"


@dataclass(frozen=True)
class Ceiling:
    """Hold the ceilings of one arm and what the arm itself has where they were measured, as fractions."""

    annotator: float  # what one annotator has by the majority of the others
    own: float | None  # what the arm has on the same votes; None: its headline is of them
    expected: float | None = None  # the most that a perfect judge can expect of the labels; None: not known
    own_expected: float | None = None  # what the arm has on the same items


def read_ceiling(entry: Any) -> Ceiling | None:
    """Read an arm's entry "ceiling" of summary.json; None where it has none, or none of one annotator."""
    annotator = _read_number(entry, "one_against_others", "value")
    own = _read_number(entry, "one_against_others", "judge", "value")
    if annotator is None or own is None:
        return None
    expected = _read_number(entry, "model", "perfect_judge", "highest")
    return Ceiling(annotator, own, expected, _read_number(entry, "judge", "value"))


def _read_number(entry: Any, *path: str) -> float | None:
    """Read a number at this path of nested mappings; None where it is not there."""
    for name in path:
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    is_number = isinstance(entry, int | float) and not isinstance(entry, bool) and isfinite(entry)
    return float(entry) if is_number else None


def mark_above(value: float, ceiling: Ceiling | None) -> str:
    """Mark a value above one annotator with ^, one above what a perfect judge can expect with ^^, all else with ""."""
    if ceiling is None:
        return ""
    if ceiling.expected is not None and ceiling.own_expected is not None and ceiling.own_expected > ceiling.expected:
        return BEYOND
    return ABOVE if (value if ceiling.own is None else ceiling.own) > ceiling.annotator else ""
