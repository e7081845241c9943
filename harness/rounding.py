"""Write a rounded number: the one way for tables, figures, files and sentences, so that none of them says "-0.0"."""

from __future__ import annotations


def write_rounded(value: float, digits: int = 1, sign: bool = False) -> str:
    """Write a number with so many decimals; one that rounds to nothing has no sign.

    sign: whether a number above 0 gets a plus.
    """
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return text if text.strip("+-0.") else text.lstrip("+-")


def write_points(difference: float) -> str:
    """Write a difference of fractions in percentage points, +0.3."""
    return write_rounded(100 * difference, sign=True)
