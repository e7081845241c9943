"""One scale for all judges: a judge's scores as z-scores, by all that it said about the items, whatever is right."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from judgescale.harness.recorded.pools import Pool, Pools


class Scale(NamedTuple):
    """Hold where a judge's scores lie."""

    mean: float
    deviation: float


def put_on_one_scale(pools: Sequence[Pools], judges: Sequence[str]) -> list[Pools]:
    """Return the pools with each judge's scores less their mean, over their standard deviation.

    Both are taken over all scores of the judge in these pools. One judge alone keeps its scores, whose order and ties
    z-scores would not change; so do lone responses, whose scores are chances for all judges.
    """
    if len(judges) == 1:
        return list(pools)
    found: dict[str, list[np.ndarray]] = defaultdict(list)
    for pool in (pool for p in pools for pool in p.values() if pool.scores.shape[1] > 1):
        for judge, scores in zip(pool.judges, pool.scores, strict=True):
            found[judge].append(scores)
    scale = {judge: measure_scale(np.concatenate(scores)) for judge, scores in found.items()}
    return [{question: _rescale(pool, scale) for question, pool in p.items()} for p in pools]


def measure_scale(scores: np.ndarray) -> Scale:
    """Measure where scores lie, NaN left out. Those that are all alike, if there are any, become 0."""
    known = scores[~np.isnan(scores)]
    if not len(known) or known.min() == known.max():
        return Scale(float(known[0]) if len(known) else 0.0, 1.0)
    return Scale(float(known.mean()), float(known.std()))


def _rescale(pool: Pool, scale: Mapping[str, Scale]) -> Pool:
    if pool.scores.shape[1] == 1:
        return pool
    mean, deviation = np.array([scale[judge] for judge in pool.judges]).T[..., None]
    return dataclasses.replace(pool, scores=(pool.scores - mean) / deviation)
