"""Tell whether one judgment is right, by the rule that generative reward models are trained with (arXiv 2504.02495,
section 3.2): the one best response has a strictly higher score than all others."""

from __future__ import annotations

from collections.abc import Sequence


def find_best(gold: Sequence[float]) -> int | None:
    """Return the place of the one best response; None where several are equally good."""
    best = [place for place, value in enumerate(gold) if value == max(gold)]
    return best[0] if len(best) == 1 else None


def is_right(scores: Sequence[float] | None, gold: Sequence[float]) -> bool | None:
    """Tell whether scores put the best response strictly first; None where no single response is the best.

    A lone response's score says how likely it has the property that its gold of 1 states, as an error: above 1/2 says
    yes, below 1/2 no, and 1/2 itself is wrong. No scores, or a missing one, are wrong.
    """
    best = find_best(gold)
    if best is None:
        return None
    if scores is None or any(score is None or score != score for score in scores):
        return False
    if len(gold) == 1:
        return (scores[0] > 0.5) if gold[0] >= 1 else (scores[0] < 0.5)
    return all(scores[best] > score for place, score in enumerate(scores) if place != best)
