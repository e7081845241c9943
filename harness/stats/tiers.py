"""How many judgments each judge of a cascade gives."""

from __future__ import annotations


def share_out(k: int, judges: int, first: int | None = None) -> tuple[int, ...]:
    """Share k judgments out among judges, the last ones having one more where k cannot be divided.

    first: what each but the last gives, as long as there are any; the last gives the rest. None = all alike.
    """
    if first is None:
        return tuple((k + t) // judges for t in range(judges))
    given = [min(first, max(k - first * t, 0)) for t in range(judges - 1)]
    return (*given, k - sum(given))
