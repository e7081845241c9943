"""Who meets whom: pairs made of an order of responses, in D replays at once."""

from __future__ import annotations

import numpy as np


def pair_off(alive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a queue (D, a) into pairs (D, a / 2, 2) and, where it is odd, the one with a bye (D, 0 or 1)."""
    odd = alive.shape[1] % 2
    return alive[:, odd:].reshape(len(alive), -1, 2), alive[:, :odd]


def pair_neighbours(order: np.ndarray, met: np.ndarray) -> np.ndarray:
    """Pair each with the next in its order (D, n) that it has not met (D, n, n): (D, n / 2, 2) responses."""
    replay, free, pairs = np.arange(len(order)), np.ones(order.shape, bool), []
    for _ in range(order.shape[1] // 2):
        first = free.argmax(axis=1)
        free[replay, first] = False
        unmet = free & ~met[replay[:, None], order[replay, first][:, None], order]
        second = np.where(unmet.any(axis=1), unmet.argmax(axis=1), free.argmax(axis=1))
        free[replay, second] = False
        pairs.append(order[replay[:, None], np.stack([first, second], axis=1)])
    paired = np.stack(pairs, axis=1)
    for d, q in np.argwhere(met[replay[:, None], paired[..., 0], paired[..., 1]]):  # the few who were left over
        a, b = paired[d, q]  # they swap with the last match that allows it
        other, side = np.argwhere(~met[d, a, paired[d]] & ~met[d, b, paired[d, :, ::-1]])[-1]
        paired[d, [q, other]] = [a, paired[d, other, side]], [b, paired[d, other, 1 - side]]
    return paired
