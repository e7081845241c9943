"""How fast something goes, over the last while only, and how long the rest takes once that can be known."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

SPAN = 60.0  # seconds of the window, which grows
LONGEST = 1800.0  # … to this
ARRIVALS = 20  # … until it holds so many moments at which something came
APART = 0.5  # seconds between two samples at least,
MOST = 120  # … and more in a long window, which has hardly more samples than these
SURE_AFTER = 10.0  # seconds, and
SURE_OF = 5  # moments at which something came, before the time that is left can be told
STEADY = 3.0  # times that one half of the window may be faster than the other: else the past tells nothing


class Sample(NamedTuple):
    """Hold what was counted at a time."""

    at: float  # seconds
    arrivals: int  # moments until then at which something had come
    counts: tuple[float, ...]  # the first one is the work itself


class Pace:
    """Follow counts that only grow. Burst and stall leave the window after a while, and the rates with it."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque()

    def add(self, at: float, *counts: float) -> None:
        """Note the counts at a time, in seconds; one that follows the last too closely is left out."""
        samples = self.samples
        if samples and at - samples[-1].at < max(APART, (samples[-1].at - samples[0].at) / MOST):
            return
        came = bool(samples) and counts[0] > samples[-1].counts[0]
        samples.append(Sample(at, (samples[-1].arrivals if samples else 0) + came, counts))
        while len(samples) > 2 and self._is_enough(samples[1]):
            samples.popleft()

    def _is_enough(self, first: Sample) -> bool:
        """Tell whether a window that begins with this sample is long enough."""
        last = self.samples[-1]
        span = last.at - first.at
        return span >= LONGEST or (span >= SPAN and last.arrivals - first.arrivals >= ARRIVALS)

    def find_rate(self, which: int = 0) -> float | None:
        """Return how many a second of one of the counts; None before anything can be said."""
        if len(self.samples) < 3:
            return None
        first, last = self.samples[0], self.samples[-1]
        return (last.counts[which] - first.counts[which]) / (last.at - first.at)

    def find_seconds_left(self, rest: float) -> float | None:
        """Return how long the rest of the work takes at this pace; None where the pace tells nothing yet.

        Answers that the store had fly by, and the first ones of a slow model come all at once: as long as one half of
        the window went several times as fast as the other, the next minutes cannot be known.
        """
        if rest <= 0:
            return 0.0
        if len(self.samples) < 3:
            return None
        first, last = self.samples[0], self.samples[-1]
        if last.at - first.at < SURE_AFTER or last.arrivals - first.arrivals < SURE_OF:
            return None
        middle = min(self.samples, key=lambda sample: abs(sample.at - (first.at + last.at) / 2))
        older = (middle.counts[0] - first.counts[0]) / (middle.at - first.at)
        newer = (last.counts[0] - middle.counts[0]) / (last.at - middle.at)
        if min(older, newer) * STEADY < max(older, newer):
            return None
        return rest * (last.at - first.at) / (last.counts[0] - first.counts[0])
