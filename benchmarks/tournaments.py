"""How often the best of n responses wins, against what is spent: every strategy on pairs, and a made-up judge.

    python benchmarks/tournaments.py [--sizes 8 32] [--ks 1 2 4 8 16] [--items 2000] [--active 400]

The judge is Bradley and Terry's: it prefers i to j with chance 1 / (1 + exp(s_j - s_i)), each judgment on its own. The
log strengths s of an item's responses are standard normal, drawn anew for each item. Writes a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

import numpy as np

from judgescale.harness.contracts import Answers, Strategy
from judgescale.harness.strategies.double_elimination import DoubleElimination
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.information_gain import InformationGain
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.swiss import Swiss

STRATEGIES = [Knockout(), Swiss(), DoubleElimination(), InformationGain(), Elo(rating="bradley_terry")]


class BradleyTerry:
    """Judge D items of n responses, k times a pair at most (contracts.Ask), and note which pairs were judged."""

    def __init__(self, strength: np.ndarray, k: int, rng: np.random.Generator) -> None:
        self.draws, n = strength.shape
        chance = 1 / (1 + np.exp(strength[:, None] - strength[:, :, None]))
        self.wins = rng.random((self.draws, n, n, k), dtype=np.float32) < chance[..., None]  # of the lower index
        self.judged = np.zeros((self.draws, n, n), bool)

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        """Return k verdicts of each pair."""
        low, high, replay = questions.min(axis=-1), questions.max(axis=-1), np.arange(self.draws)[:, None]
        self.judged[replay, low, high] = True
        first = self.wins[replay, low, high, :k] == (questions[..., 0] == low)[..., None]
        return Answers(np.stack([first, ~first], axis=-1).astype(float), np.full(first.shape, np.nan))


def play(strategy: Strategy, n: int, k: int, items: int, seed: int) -> tuple[float, float, float]:
    """Return the mean cost in judgments, in how many of the items the best wins, and the standard error of that."""
    rng = np.random.default_rng([seed, n, k])
    strength = rng.normal(size=(items, n))
    judge = BradleyTerry(strength, k, rng)
    decision = asyncio.run(strategy.at(k)(judge, n, rng))
    top = decision == decision.max(axis=1, keepdims=True)
    won = (top / top.sum(axis=1, keepdims=True))[np.arange(items), strength.argmax(axis=1)]  # a tie is broken by lot
    return k * judge.judged.sum() / items, won.mean(), won.std(ddof=1) / items**0.5


def print_table(n: int, ks: Sequence[int], items: int, active: int) -> None:
    """Print a row for each strategy and a column for each k; `active`: the items of information_gain."""
    print(f"\n| best of {n} | " + " | ".join(f"k={k}" for k in ks) + " |\n|---|" + "---|" * len(ks))
    for strategy in STRATEGIES:
        cells = []
        for k in ks:
            few = isinstance(strategy, InformationGain)
            cost, won, error = play(strategy, n, k, active if few else items, seed=0)
            cells.append(f"{100 * won:.1f} ± {100 * error:.1f} ({cost:,.0f})")
        print(f"| `{strategy.name}` | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print a table for each number of responses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--ks", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--active", type=int, default=400, help="items of information_gain on more than 8 responses")
    options = parser.parse_args()
    for n in options.sizes:
        print_table(n, options.ks, options.items, options.items if n <= 8 else options.active)


if __name__ == "__main__":
    main()
