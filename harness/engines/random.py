"""Engine `random`: answers drawn at random, to learn what score a benchmark and a protocol give to pure chance."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from rstr import Rstr

from judgescale.harness.contracts import Engine
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling


@dataclass(frozen=True)
class Random(Engine):
    """Draw every answer that a request allows with the same probability; draw scores from a standard normal."""

    name: ClassVar[str] = "random"

    @property
    def window(self) -> int:
        """Return how many requests to send at once; any number would do."""
        return 64

    def identity(self) -> Mapping[str, Any]:
        """Return the name alone: no option changes an answer."""
        return {"name": self.name}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[RandomSession]:
        """Start; there is nothing to load."""
        yield RandomSession()


class RandomSession:
    """Answer requests at random. An answer depends on the request and its seed alone."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()  # stays empty

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed."""
        for i, seed in enumerate(seeds):
            yield i, draw_answer(request, random.Random(seed))


def draw_answer(request: Request, rng: random.Random) -> Output:
    """Draw one answer that the request allows. Raises JudgescaleError for a request that allows any text."""
    if request.kind == "score":
        return Output(score=rng.gauss(0, 1))
    if request.labels:
        chances = [rng.expovariate(1) for _ in request.labels]  # uniform over all distributions, once they sum to 1
        logs = {label: math.log(chance / sum(chances)) for label, chance in zip(request.labels, chances)}
        return Output(max(logs, key=lambda label: logs[label]), logprobs=logs)
    if request.pattern is None:
        raise JudgescaleError(
            "engine=random draws from the answers a judge allows, and this one may answer anything: use judge=random,"
            " judge=direct, judge=scalar, or judge.verdict_only=true with pairwise and pointwise"
        )
    return Output(Rstr(rng).xeger(request.pattern))
