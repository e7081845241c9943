"""A quarter of voting@32's judgments, spent over items: a made-up judge whose true opinion is known.

    python benchmarks/budget.py [--items 2000] [--draws 8]

Each item has four responses. The judge has an opinion of each, a normal number around 6; a judgment scores every
response alone, its opinion plus normal noise, rounded to 1-10. How it is right is known: its opinion is best of the
first response in some of the items. Printed: accuracy (ties earn 1/m) and how often the decision is that of the
judge's own opinion, for votes of 4, 8 and 32, and for a budget of 4 and 8 judgments an item out of at most 32.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses

import numpy as np

from judgescale.harness.evaluation.replay import ReplayAll
from judgescale.harness.recorded.pools import Pools, make_pool
from judgescale.harness.strategies.budget import Budget
from judgescale.harness.types import Judgment

RESPONSES, SAMPLES = 4, 32
NOISES = (0.5, 1.0, 2.0)  # of a score; opinions have a deviation of 1


def make_up_scores(items: int, noise: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make up what the judge thinks (N, n), the right response being the first, and its scores (N, SAMPLES, n)."""
    opinion = rng.normal(6, 1, (items, RESPONSES))
    opinion[:, 0] += 1.5  # it is mostly right
    scores = opinion[:, None] + rng.normal(0, noise, (items, SAMPLES, RESPONSES))
    return opinion, np.clip(np.rint(scores), 1, 10)


def make_pools(scores: np.ndarray, apart: bool) -> list[Pools]:
    """Put each item's scores (N, k, n) into its pools."""
    judgments = tuple(Judgment(judge="made up", shown=(0,), scores=(0.0,), sample=j) for j in range(SAMPLES))
    whole = make_pool(judgments, (("r",),) * SAMPLES, scores[0], np.full(SAMPLES, np.nan))
    questions = [(i,) for i in range(RESPONSES)] if apart else [tuple(range(RESPONSES))]
    return [{q: dataclasses.replace(whole, scores=of_item[:, list(q)]) for q in questions} for of_item in scores]


def credit_first(decided: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Credit decisions (…, N, n) with the share of the top that the `best` (N,) have."""
    top = decided == decided.max(axis=-1, keepdims=True)
    shares: np.ndarray = np.take_along_axis(top / top.sum(axis=-1, keepdims=True), best[..., None], axis=-1)[..., 0]
    return shares


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=8)
    options = parser.parse_args()
    print("| noise of a score | decided by | judgments an item | accuracy, % | as the judge's own opinion, % |")
    print("|---|---|---|---|---|")
    for noise in NOISES:
        rng = np.random.default_rng(0)
        opinion, scores = make_up_scores(options.items, noise, rng)
        rows = [("its opinion", np.inf, opinion[None])]
        for k in (4, 8, 32):
            kept = np.array([rng.permutation(SAMPLES)[:k] for _ in range(options.draws)])
            rows.append(("voting", k, np.array([scores[:, rows_of].sum(axis=1) for rows_of in kept])))
        for apart in (False, True):
            ask = ReplayAll(make_pools(scores, apart), options.draws, np.random.default_rng(1))
            strategy = Budget(apart=apart, most=SAMPLES)
            spent = asyncio.run(strategy.decide_all(ask, [4, 8], np.random.default_rng(2)))
            rows += [(f"budget, apart={str(apart).lower()}", k, d) for k, (d, _) in zip((4, 8), spent, strict=True)]
        right, own = np.zeros(options.items, int), opinion.argmax(axis=1)
        for name, k, decided in rows:
            shape = decided.shape[:-1]
            share = credit_first(decided, np.broadcast_to(right, shape)).mean() * 100
            same = credit_first(decided, np.broadcast_to(own, shape)).mean() * 100
            print(f"| {noise} | {name} | {'–' if k == np.inf else k} | {share:.2f} | {same:.2f} |")


if __name__ == "__main__":
    main()
