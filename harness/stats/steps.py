"""From the step scores of a process reward model to one score of the whole response.

The rules are those of RewardMATH (arXiv 2410.01729), under its owners' names. A step score is taken as the probability
p that the step is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

NEAREST = 2.0**-53  # how close to 0 or 1 a probability may come before its logit or its odds are taken


def multiply_steps(steps: Sequence[float]) -> float:
    """Return the product: the probability that every step is right, were they independent."""
    return math.prod(steps)


def take_geometric_mean(steps: Sequence[float]) -> float:
    """Return the product's n-th root, so that long solutions are not worse for their length; 0 where a step has 0.

    It is taken through logarithms: a product of many small steps would be 0.
    """
    return math.exp(math.fsum(map(math.log, steps)) / len(steps)) if min(steps) > 0 else 0.0


def take_mean(steps: Sequence[float]) -> float:
    """Return the arithmetic mean."""
    return math.fsum(steps) / len(steps)


def take_mean_logit(steps: Sequence[float]) -> float:
    """Return the probability whose logit, log(p / (1 - p)), is the mean of the steps' logits."""
    return 1 / (1 + math.exp(-take_mean([math.log(p / (1 - p)) for p in map(_keep_inside, steps)])))


def take_mean_odds(steps: Sequence[float]) -> float:
    """Return the mean of the steps' odds, p / (1 - p): one step that is nearly sure outweighs all others."""
    return take_mean([p / (1 - p) for p in map(_keep_inside, steps)])


def take_last(steps: Sequence[float]) -> float:
    """Return the last step's score."""
    return steps[-1]


def _keep_inside(p: float) -> float:
    """Move 0 and 1 inside by 2^-53, the least that tells 1 - p from 1, so that logit and odds are finite."""
    return min(max(p, NEAREST), 1 - NEAREST)


RULES: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {
        "min": min,
        "max": max,
        "prod": multiply_steps,
        "geometric_mean": take_geometric_mean,
        "mean": take_mean,
        "mean_logit": take_mean_logit,
        "mean_odd": take_mean_odds,
        "last": take_last,
    }
)
OF_PROBABILITIES = ("geometric_mean", "mean_logit", "mean_odd")  # the rules that other step scores have no value under
