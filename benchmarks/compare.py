"""How often `judgescale compare` and `leaderboard` are right: size, power and ranks, on made-up credits of known truth.

    python benchmarks/compare.py [--trials 1000] [--ranks 100]

prints three Markdown tables. *called* is how often two arms that are equally good are told apart. *seen* is how often a
true difference as large as the smallest one that another run of the same size printed is told apart, on the right side.
*all ranks held* is how often every arm's true rank is inside its interval, all at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from judgescale.harness.finished.ranking import compare_all_pairs, find_rank_intervals
from judgescale.harness.finished.sharing import Shared
from judgescale.harness.stats.differences import Difference, measure_difference
from judgescale.harness.stats.intervals import Rollup, Units
from judgescale.harness.stats.multiple import adjust_holm
from judgescale.harness.stats.power import LEVEL

Credit = tuple[np.ndarray, np.ndarray]  # of both arms, (U,) each
Draw = Callable[[np.random.Generator, float], tuple[Credit, Credit]]  # by a true difference: by rule, and by lot


class Scenario(NamedTuple):
    """A way to draw the credits of two arms, of which the first is so much better."""

    name: str
    units: Units
    headline: Rollup
    draw: Draw


def make_units(clusters: np.ndarray, sections: np.ndarray | None = None) -> Units:
    """Make units of equal weight."""
    section = np.full(len(clusters), "s") if sections is None else sections.astype(str)
    return Units(section, clusters.astype(str), np.ones(len(clusters)))


def draw_pair(rng: np.random.Generator, n: int, only_a: float | np.ndarray, only_b: float | np.ndarray) -> Credit:
    """Draw credits of 0 and 1 of two arms, of n items. only_a, only_b: the chance that only this one is right."""
    kind, both = rng.random(n), rng.random(n) < 0.7
    a = np.where(kind < only_a, 1, np.where(kind < only_a + only_b, 0, both)).astype(float)
    b = np.where(kind < only_a, 0, np.where(kind < only_a + only_b, 1, both)).astype(float)
    return a, b


def draw_whole(n: int, differ: float) -> Draw:
    """Draw credits of 0 and 1, in which two arms differ on a share of the items."""

    def draw(rng: np.random.Generator, true: float) -> tuple[Credit, Credit]:
        drawn = draw_pair(rng, n, (differ + true) / 2, (differ - true) / 2)
        return drawn, drawn

    return draw


def draw_votes(n: int, spread: float) -> Draw:
    """Draw expected credits of votes, fractions that the two arms share but for a normal difference, cut to [0, 1]."""

    def draw(rng: np.random.Generator, true: float) -> tuple[Credit, Credit]:
        middle = rng.uniform(0.3, 0.7, n)
        half = np.clip((true + spread * rng.normal(size=n)) / 2, -0.3, 0.3)
        return (middle + half, middle - half), (middle + half, middle - half)

    return draw


def draw_clusters(clusters: int, size: int, differ: float, spread: float) -> Draw:
    """Draw credits of 0 and 1 whose clusters favour one arm or the other."""

    def draw(rng: np.random.Generator, true: float) -> tuple[Credit, Credit]:
        lean = np.repeat(np.clip(true + spread * rng.normal(size=clusters), -differ, differ), size)
        drawn = draw_pair(rng, clusters * size, (differ + lean) / 2, (differ - lean) / 2)
        return drawn, drawn

    return draw


def draw_guessers(n: int, ties: float) -> Draw:
    """Draw two arms that guess: ties earn nothing, and only the second one has any."""

    def draw(rng: np.random.Generator, true: float) -> tuple[Credit, Credit]:
        a = (rng.random(n) < 0.5 + true / 2).astype(float)
        tied, guess = rng.random(n) < ties, (rng.random(n) < 0.5).astype(float)
        return (a, np.where(tied, 0.0, guess)), (a, np.where(tied, 0.5, guess))

    return draw


def list_scenarios() -> Iterator[Scenario]:
    """List the scenarios of size and power."""
    for n in (100, 300, 1000, 3000):
        for differ in (0.1, 0.3):
            name = f"{n:,} items, right or wrong, {differ:.0%} differ"
            yield Scenario(name, make_units(np.arange(n)), "items", draw_whole(n, differ))
    for n in (100, 1000):
        yield Scenario(f"{n:,} items, votes of fractions", make_units(np.arange(n)), "items", draw_votes(n, 0.2))
    for clusters, size in ((20, 15), (60, 5), (200, 5)):
        units = make_units(np.arange(clusters * size) // size)
        name = f"{clusters} clusters of {size}, right or wrong, 40% differ"
        yield Scenario(name, units, "items", draw_clusters(clusters, size, 0.4, 0.1))
    sections = np.repeat(["a", "b", "c"], (600, 300, 100))
    units = make_units(np.arange(1000), sections)
    yield Scenario("sections of 600, 300, 100 that count alike, 30% differ", units, "sections", draw_whole(1000, 0.3))


def compare(scenario: Scenario, rng: np.random.Generator, true: float) -> Difference:
    """Draw both arms, and measure the difference as `judgescale compare` does."""
    credit, by_lot = scenario.draw(rng, true)
    return measure_difference(scenario.units, credit, by_lot, scenario.headline)


def is_called(found: Difference) -> bool:
    """Tell whether a winner is named."""
    return found.p is not None and found.p <= LEVEL


def measure_size(scenario: Scenario, trials: int, seed: int = 0) -> float:
    """Return how often equally good arms are told apart."""
    rng = np.random.default_rng(seed)
    return float(np.mean([is_called(compare(scenario, rng, 0.0)) for _ in range(trials)]))


def measure_power(scenario: Scenario, trials: int, seed: int = 1) -> tuple[float, float]:
    """Return how often the printed smallest difference is seen, and how large it is on average."""
    rng = np.random.default_rng(seed)
    seen, printed = [], []
    for _ in range(trials):
        smallest = compare(scenario, rng, 0.0).by_rule.seen
        if smallest is not None:
            found = compare(scenario, rng, smallest)
            seen.append(is_called(found) and found.by_rule.gap > 0)
            printed.append(smallest)
    return float(np.mean(seen)), float(np.mean(printed))


def measure_family(parts: int, items: int, trials: int, seed: int = 2) -> tuple[float, float]:
    """Return how often one of several equally good parts or more is called: before, and after Holm."""
    rng, scenario = (
        np.random.default_rng(seed),
        Scenario("", make_units(np.arange(items)), "items", draw_whole(items, 0.3)),
    )
    before = after = 0
    for _ in range(trials):
        p = [compare(scenario, rng, 0.0).p for _ in range(parts)]
        before += min(x for x in p if x is not None) <= LEVEL
        after += min(x for x in adjust_holm(p) if x is not None) <= LEVEL
    return before / trials, after / trials


def draw_arms(truth: np.ndarray, items: int, rng: np.random.Generator) -> Shared:
    """Draw arms of these true accuracies that find the same items hard: credits of 0 and 1."""
    hard = rng.normal(size=items)[:, None]
    luck = rng.normal(size=(items, len(truth)))
    credit = (np.sqrt(0.5) * hard + np.sqrt(0.5) * luck < norm.ppf(truth)).astype(float)
    names = tuple(map(str, range(items)))
    units = make_units(np.arange(items))
    return Shared(
        names, units.section, ((1.0, 0.0),) * items, units, "items", credit, credit, False, (), (False,) * len(truth)
    )


def measure_ranks(truth: np.ndarray, items: int, trials: int, seed: int = 3) -> tuple[float, float]:
    """Return how often the rank intervals hold every arm's true ranks at once, and how many ranks they hold."""
    rng = np.random.default_rng(seed)
    top = 1 + (truth[None] > truth[:, None]).sum(axis=1)
    bottom = len(truth) - (truth[None] < truth[:, None]).sum(axis=1)
    held, wide = 0, []
    for _ in range(trials):
        best, worst = find_rank_intervals(*compare_all_pairs(draw_arms(truth, items, rng)))
        held += bool((best <= top).all() and (worst >= bottom).all())
        wide.append((worst - best + 1).mean())
    return held / trials, float(np.mean(wide))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--ranks", type=int, default=100)
    options = parser.parse_args()
    print("| two arms | called, equal, % | seen, as large as printed, % | printed, points |\n|---|---:|---:|---:|")
    for scenario in list_scenarios():
        size, (power, printed) = measure_size(scenario, options.trials), measure_power(scenario, options.trials)
        print(f"| {scenario.name} | {100 * size:.1f} | {100 * power:.1f} | {100 * printed:.1f} |", flush=True)
    for ties in (0.1, 0.36):
        scenario = Scenario("", make_units(np.arange(1000)), "items", draw_guessers(1000, ties))
        size = measure_size(scenario, options.trials)
        print(
            f"| 1,000 items, two that guess, ties earn nothing, one has {ties:.0%} | {100 * size:.1f} | | |", flush=True
        )
    print("\n| equal parts | one or more called, % | after Holm, % |\n|---|---:|---:|")
    for parts in (5, 20):
        before, after = measure_family(parts, 300, options.trials)
        print(f"| {parts} subsets of 300 items | {100 * before:.1f} | {100 * after:.1f} |", flush=True)
    print("\n| arms | items | all ranks held, % | ranks an arm |\n|---|---:|---:|---:|")
    for name, truth in (
        ("10 equal", np.full(10, 0.75)),
        ("10, one point apart", np.linspace(0.70, 0.79, 10)),
        ("10, five points apart", np.linspace(0.45, 0.90, 10)),
        ("20: ten at 70 %, ten at 80 %", np.repeat([0.7, 0.8], 10)),
    ):
        for items in (300, 2000):
            held, wide = measure_ranks(truth, items, options.ranks)
            print(f"| {name} | {items:,} | {100 * held:.1f} | {wide:.1f} |", flush=True)


if __name__ == "__main__":
    main()
