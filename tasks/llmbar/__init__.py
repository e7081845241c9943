"""LLMBar: instruction following against superficial quality, judged in both orders (arXiv 2310.07641).

Accuracy is the mean over the two orders, so strategy=single reproduces it; a missing verdict is wrong. Beside it stand
the owners' other figures: accuracy in each order, in both at once, and how often the two orders agree. Their kappas
are left out: the code behind them reads winner 2 as 0 and holds that against label 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.credit import best
from harness.engines.recorded import Pool
from harness.recorded import RecordedSet
from harness.types import Item, Task
from tasks.loading import items_with_gold, require_width

SIZES = {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}


def load(data: RecordedSet) -> list[Item]:
    return require_width(data, items_with_gold(data), 2, "llmbar")


def by_order(item: Item, pool: Pool) -> Mapping[str, float]:
    """The owners' per-item figures, for a pool of exactly one judgment in each order; else none."""
    first = {j.shown[0]: row for row, j in enumerate(pool.judgments)}
    if sorted(first) != [0, 1] or len(pool) != 2:
        return {}
    verdict = np.sign(pool.scores[:, 0] - pool.scores[:, 1])
    right = verdict == np.sign(item.gold[0] - item.gold[1])
    same = verdict[first[0]] == verdict[first[1]] or np.isnan(verdict).all()
    return {
        "accuracy as shown": float(right[first[0]]),
        "accuracy swapped": float(right[first[1]]),
        "right in both orders": float(right.all()),
        "orders agree": float(same),
    }


def task() -> Task:
    return Task("llmbar", "1", load, best, extras=by_order, published="LLMBar", sizes=SIZES)
