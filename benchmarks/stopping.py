"""How often a stopping rule ends at a wrong leader, where one looks after every judgment.

    python benchmarks/stopping.py [--items 10000] [--judgments 300] [--alpha 0.05]

Items are made up: each judgment prefers one of n responses, with the same chances for all judgments of an item. A wrong
stop is one at a response that is not preferred to every other; where several are preferred alike, every stop is.
Prints the table of benchmarks/README.md; exits with 1 where the anytime rule's errors are above its level by more than
chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from scipy import stats

from judgescale.harness.stats.stopping_rules import RULES, has_beaten_all

SCENARIOS = {
    "2 alike": [0.5, 0.5],
    "2, p = .51": [0.51, 0.49],
    "2, p = .55": [0.55, 0.45],
    "2, p = .7": [0.7, 0.3],
    "4 alike": [0.25] * 4,
    "4, two lead alike": [0.3, 0.3, 0.2, 0.2],
    "4, .28 leads": [0.28, 0.24, 0.24, 0.24],
    "4, .5 leads": [0.5, 0.3, 0.1, 0.1],
}
Rule = Callable[[np.ndarray], np.ndarray]  # counts (D, n) -> whether each stops (D,)


def list_rules(alpha: float) -> dict[str, Rule]:
    """List the rules, as functions of the counts of votes."""

    def anytime(counts: np.ndarray) -> np.ndarray:
        return has_beaten_all(np.repeat(counts[:, :, None], counts.shape[1], axis=2), alpha)

    def naive(counts: np.ndarray) -> np.ndarray:
        f, s = np.sort(counts, axis=1)[:, [-1, -2]].T
        stop: np.ndarray = stats.binom.sf(f - 1, f + s, 0.5) <= alpha
        return stop

    def by_counts(name: str, **options: float) -> Rule:
        is_clear, own = RULES[name]
        # one judgment with all the votes: the rule looks at nothing but their sums
        return lambda counts: is_clear(counts[:, None].astype(float), **{**own, **options})

    return {
        "anytime": anytime,
        "a test at every look": naive,
        "mixture test, 1/α": by_counts("msprt", prior=1, alpha=alpha, beta=1e-9),
        "adaptive_consistency": by_counts("adaptive_consistency", threshold=1 - alpha),
        "lead 3": by_counts("lead", lead=3),
    }


def simulate(chances: list[float], rules: dict[str, Rule], judgments: int, items: int) -> dict[str, np.ndarray]:
    """Run every rule on the same items: when each stopped and at whom, (items, 2); 0 and -1 where it did not."""
    rng = np.random.default_rng(0)
    found = {name: np.tile([0, -1], (items, 1)) for name in rules}
    counts = np.zeros((items, len(chances)), int)
    for j in range(1, judgments + 1):
        counts[np.arange(items), rng.choice(len(chances), size=items, p=chances)] += 1
        for name, stops in rules.items():
            going = np.flatnonzero(found[name][:, 0] == 0)
            now = going[stops(counts[going])]
            found[name][now] = np.column_stack([np.full(len(now), j), counts[now].argmax(axis=1)])
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--judgments", type=int, default=300)
    parser.add_argument("--alpha", type=float, default=0.05)
    args = parser.parse_args()
    rules = list_rules(args.alpha)
    print("| responses | " + " | ".join(rules) + " |\n" + "|---" * (1 + len(rules)) + "|")
    above = False
    for name, chances in SCENARIOS.items():
        best = [i for i, p in enumerate(chances) if p == max(chances)]
        cells = []
        for rule, found in simulate(chances, rules, args.judgments, args.items).items():
            stopped = found[:, 0] > 0
            wrong = (stopped & ((found[:, 1] != best[0]) | (len(best) > 1))).mean()
            took = np.where(stopped, found[:, 0], args.judgments).mean()
            cells.append(f"{100 * wrong:.2f} / {100 * stopped.mean():.1f} / {took:.1f}")
            limit = args.alpha + 3 * np.sqrt(args.alpha * (1 - args.alpha) / args.items)
            above |= rule == "anytime" and wrong > limit
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return int(above)


if __name__ == "__main__":
    sys.exit(main())
