"""How often a report calls one of many guessing judges better: beaten, the best for a budget, or a curve that falls.

    python benchmarks/choosing.py [--sets 200] [--items 80 300] [--arms 16]

Every arm guesses: its k judgments of a pair are coins, and its vote ties as often as theirs do. Each arm has a curve of
k = 1, 2, 4, 8. Exits with 1 where a false claim is made more often than 1 time in 20, as far as the sets can tell.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.stats import binom

from judgescale.harness.finished.gathering import Curve
from judgescale.harness.finished.reading import Judged
from judgescale.harness.finished.rivals import (
    BEATEN,
    FRONTIER,
    Group,
    choose_for_budget,
    find_falls,
    find_frontier,
    make_groups,
)
from judgescale.harness.types import CurvePoint, Estimate, Result

KS = (1, 2, 4, 8)


def make_curve(name: str, credit: np.ndarray, ks: tuple[int, ...] = KS, by_lot: np.ndarray | None = None) -> Curve:
    """Make an arm of what every item earned at every k, (N, K); a judgment costs as much as any other."""
    items = len(credit)
    signature = f"judge:{name}|protocol:toy(tie=half)|strategy:voting|k:{ks[-1]}|task:toy@1|set:toy@1"
    points = tuple(
        CurvePoint("overall", k, Estimate("accuracy", float(credit[:, j].mean()), None, items), float(k), None, None)
        for j, k in enumerate(ks)
    )
    result = Result(
        judge=name, engine="recorded", strategy="voting", task="toy", seed=0, k=ks[-1], items=items,
        signature=signature, headline=points[-1].estimate, sections={}, subsets={}, curve=points, compute={}, health={},
    )  # fmt: skip
    names, none = tuple(str(i) for i in range(items)), np.full(items, np.nan)
    judged = tuple(
        Judged(
            folder=Path(name), number=1, task="toy", name=name, judge=name, strategy="voting", signature=signature, k=k,
            stops=False, published=(), ceiling=None, item=names, subset=np.full(items, ""), section=np.full(items, ""),
            cluster=np.array(names), subset_weight=none, section_weight=none, gold=((1.0, 0.0),) * items,
            credit=credit[:, j], by_lot=(credit if by_lot is None else by_lot)[:, j],
            judgments=np.full(items, float(k)), decision=((1.0, 0.0),) * items,
        )
        for j, k in enumerate(ks)
    )  # fmt: skip
    return Curve(Path(name), result, points, judged)


def guess(rng: np.random.Generator, items: int, right: float = 0.5) -> np.ndarray:
    """Draw what votes of 1, 2, 4 and 8 judgments earn, a tie one half: (N, K). right: how often a judgment is."""
    votes = np.where(rng.random((items, KS[-1])) < right, 1, -1)
    sums = votes.cumsum(axis=1)[:, [k - 1 for k in KS]]
    return np.asarray((1 + np.sign(sums)) / 2)


def make_guessers(rng: np.random.Generator, items: int, arms: int) -> Group:
    """Make a group of arms that all guess."""
    (group,) = make_groups([make_curve(f"judge {i}", guess(rng, items)) for i in range(arms)])
    return group


def count_claims(group: Group) -> tuple[bool, bool, bool]:
    """Tell whether a report makes a claim: a point is beaten or told above a cheaper one; a best one; a fall."""
    frontier = find_frontier(group, "judgments")
    apart = any(s.state == BEATEN for s in frontier) or sum(s.sure for s in frontier if s.state == FRONTIER) > 1
    best = any(choose_for_budget(group, "judgments", budget).is_told for budget in (1, 4, 8))
    return apart, best, bool(find_falls(group))


def main() -> None:
    """Print the table; exit with 1 where claims are made too often."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--items", type=int, nargs="+", default=[80, 300])
    parser.add_argument("--arms", type=int, default=16)
    given = parser.parse_args()
    most, failed = int(binom.isf(0.001, given.sets, 0.05)), False
    print(f"Claims that are false, in so many sets; by chance at most {most} in each place.\n")
    print("| items | sets | a point told apart at its cost | a best one for a budget | a fall |")
    print("|---|---|---|---|---|")
    for items in given.items:
        rng = np.random.default_rng(items)
        claims = np.array([count_claims(make_guessers(rng, items, given.arms)) for _ in range(given.sets)]).sum(axis=0)
        print(f"| {items} | {given.sets} | {' | '.join(map(str, claims.tolist()))} |")
        failed |= bool((claims > most).any())
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
