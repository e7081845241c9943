"""p-values of several tests at once: Holm's adjustment, and that of Benjamini and Hochberg.

Where all whose Holm-adjusted p-value is below 5 % are called, one call or more of a whole table is false 5 % of the
time at most (Holm, Scandinavian Journal of Statistics 6, 1979). After Benjamini and Hochberg (JRSS B 57, 1995), 5 % of
what is called is false on average, where the tests are independent or depend on each other positively.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def adjust_holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values by Holm's method; None, where there was no test, counts for none."""
    known = [place for place, value in enumerate(p) if value is not None]
    given = np.array([p[place] for place in known], dtype=np.float64)
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return _put_back(len(p), known, adjusted)


def adjust_benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values by the method of Benjamini and Hochberg; None, where there was no test, counts for none."""
    known = [place for place, value in enumerate(p) if value is not None]
    adjusted = stats.false_discovery_control([p[place] for place in known]) if known else np.empty(0)
    return _put_back(len(p), known, adjusted)


def _put_back(size: int, known: Sequence[int], adjusted: np.ndarray) -> list[float | None]:
    found: list[float | None] = [None] * size
    for place, value in zip(known, adjusted.tolist(), strict=True):
        found[place] = value
    return found
