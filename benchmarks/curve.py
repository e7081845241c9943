"""Times the exact voting curve against Monte Carlo, side by side: python benchmarks/curve.py [--items N] [--samples n].

Both give every item's outcome at every k. The Monte Carlo draws permutations shared by all items and cumulates the
margins along them, so one permutation serves every k. Exits with 1 where the two disagree beyond Monte Carlo error.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a checkout too

from judgescale.harness.stats.counting import Outcome, meta_curve, vote_curve

DRAWS = 1000


def verdicts(rng: np.random.Generator, items: int, samples: int) -> np.ndarray:
    """Picks of one of two responses, items of different difficulty, 1 in 50 unusable: (items, samples)."""
    right = rng.random((items, samples)) < rng.beta(3, 1.5, size=(items, 1))
    return np.where(rng.random((items, samples)) < 0.02, np.nan, np.where(right, 1.0, -1.0))


def scores(rng: np.random.Generator, items: int, samples: int) -> np.ndarray:
    """Differences of two scores from 1 to 10, spread evenly over -9 ... 9: wide sums, the hard case."""
    return rng.integers(-9, 10, size=(items, samples)).astype(np.float64)


def plain_monte_carlo(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of wins and ties, (items, n) each, as one would write it: an item a row, in float64."""
    rng, values = np.random.default_rng(0), np.nan_to_num(margins)
    wins, ties = np.zeros(values.shape), np.zeros(values.shape)
    for _ in range(DRAWS):
        sums = np.cumsum(values[:, rng.permutation(values.shape[1])], axis=1)
        wins += sums > 0
        ties += sums == 0
    return wins / DRAWS, ties / DRAWS


def tuned_monte_carlo(margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same as fast as NumPy does it: a judgment a row, so that sums run along memory, in 16-bit integers."""
    rng, values = np.random.default_rng(0), np.ascontiguousarray(np.nan_to_num(margins).T.astype(np.int16))
    wins, ties = np.zeros(values.shape, dtype=np.int16), np.zeros(values.shape, dtype=np.int16)
    sums = np.empty_like(values)
    for _ in range(DRAWS):
        np.cumsum(values[rng.permutation(len(values))], axis=0, out=sums)
        wins += sums > 0
        ties += sums == 0
    return wins.T / DRAWS, ties.T / DRAWS


def median_times(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Seconds each call takes; the calls take turns, so that a slow moment of the machine hits all."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, seconds in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in times]


def disagreement(margins: np.ndarray, ks: Sequence[int]) -> float:
    """The largest gap between exact and drawn shares of wins and ties, in units of what 1,000 draws may leave."""
    outcomes, _ = vote_curve(list(margins), ks)
    tied = outcomes[..., Outcome.TIE] + outcomes[..., Outcome.NONE]  # the draws do not tell these apart
    worst = 0.0
    for exact, drawn in zip((outcomes[..., Outcome.FIRST], tied), tuned_monte_carlo(margins), strict=True):
        # 6 standard errors, and a few single draws where the share is near 0 or 1
        allowed = 6 * np.sqrt(np.clip(exact * (1 - exact), 0, None) / DRAWS) + 6 / DRAWS
        worst = max(worst, float((np.abs(exact - drawn) / allowed).max()))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description="the exact voting curve against Monte Carlo")
    parser.add_argument("--items", type=int, default=16_000)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rng, ks = np.random.default_rng(0), range(1, options.samples + 1)
    print(f"{options.items} items x {options.samples} judgments, every k; median of {options.repeats}, in seconds\n")
    columns = (
        "exact",
        "N/4 items",
        "N / (N/4)",
        "MC tuned",
        "MC plain",
        "exact/tuned",
        "exact/plain",
        "top k/2 by meta",
    )
    print(f"{'':10}" + "".join(f"{column:>{len(column) + 2}}" for column in columns))
    agree = True
    for name, make in (("verdicts", verdicts), ("scores", scores)):
        margins = make(rng, options.items, options.samples)
        items, meta = list(margins), list(rng.random(margins.shape))
        calls: list[Callable[[], object]] = [
            partial(vote_curve, items, ks),
            partial(vote_curve, items[::4], ks),
            partial(tuned_monte_carlo, margins),
            partial(plain_monte_carlo, margins),
            partial(meta_curve, items, meta, ks, lambda k: max(1, k // 2)),
        ]
        exact, quarter, tuned, plain, best = median_times(calls, options.repeats)
        row = (exact, quarter, exact / quarter, tuned, plain, exact / tuned, exact / plain, best)
        cells = zip(columns, row, strict=True)
        print(f"{name:10}" + "".join(f"{value:{len(column) + 2}.3f}" for column, value in cells))
        agree &= disagreement(margins, ks) <= 1
    print(f"\nexact and Monte Carlo {'agree within' if agree else 'DISAGREE beyond'} the error of {DRAWS} draws")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
