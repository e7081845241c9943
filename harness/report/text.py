"""How numbers and names are written in every table, figure and line."""

from __future__ import annotations

from math import isfinite

from judgescale.harness.rounding import write_points, write_rounded

UNKNOWN = "-"


def format_percent(value: float | None) -> str:
    """Format a fraction as a percentage with one decimal, 78.8; a dash where it is unknown."""
    return write_rounded(100 * value) if value is not None and isfinite(value) else UNKNOWN


def format_points(delta: float | None) -> str:
    """Format a difference of fractions in percentage points, +0.3; one that rounds to nothing has no sign."""
    return write_points(delta) if delta is not None and isfinite(delta) else UNKNOWN


def format_interval(ci: tuple[float, float] | None) -> str:
    """Format an interval of fractions in percent, [72.1, 84.9]; empty where it is unknown."""
    return f"[{format_percent(ci[0])}, {format_percent(ci[1])}]" if ci is not None and all(map(isfinite, ci)) else ""


def format_mc_error(error: float) -> str:
    """Format a Monte Carlo error in percentage points, ±0.1; empty where one decimal does not show it."""
    return f"±{100 * error:.1f}" if isfinite(error) and round(100 * error, 1) else ""


def format_count(value: float | None, digits: int = 1) -> str:
    """Format a count per item without needless zeros, 10 or 2.5; a dash where it is unknown."""
    if value is None or not isfinite(value):
        return UNKNOWN
    return write_rounded(value, digits).removesuffix("." + "0" * digits)
