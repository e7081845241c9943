"""In which order each judgment of a question shows the responses: the protocol's order policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

POLICIES = ("as_is", "random", "balanced", "both")


def list_orders(
    policy: str, question: Sequence[int], k: int, random: Callable[[], np.random.Generator]
) -> list[tuple[int, ...]]:
    """List the orders that judgments 0 to k - 1 show; a longer list begins with a shorter one.

    random: makes the generator, where one is needed. Policies:
    as_is: as the benchmark lists them. random: a permutation each. balanced: of every m judgments of m responses, each
    response stands once in every place. both: as listed, then reversed, in turn.
    """
    return list(islice(_repeat_policy(policy, tuple(question), random), k))


def _repeat_policy(
    policy: str, question: tuple[int, ...], random: Callable[[], np.random.Generator]
) -> Iterator[tuple[int, ...]]:
    rng = None
    while True:
        if policy == "as_is" or len(question) == 1:
            yield question
        elif policy == "both":
            yield question
            yield question[::-1]
        else:
            rng = rng or random()
            shuffled = tuple(question[i] for i in rng.permutation(len(question)))
            if policy == "random":
                yield shuffled
            else:
                yield from (shuffled[i:] + shuffled[:i] for i in range(len(question)))
