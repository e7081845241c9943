"""What is known of responses' strengths after some matches, and what one more match would tell (Bradley and Terry)."""

from __future__ import annotations

import numpy as np


def fit_posterior(won: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mode (D, n) and precision (D, n, n) of the log strengths, N(0, 1) before any win (D, n, n), by Newton."""
    games, mode = won + won.transpose(0, 2, 1), np.zeros(won.shape[:2])
    for _ in range(100):  # a handful does it
        chance = 1 / (1 + np.exp(mode[:, None] - mode[:, :, None]))  # that i beats j
        information = games * chance * (1 - chance)
        precision = np.eye(won.shape[1]) * (1 + information.sum(axis=2))[:, None] - information
        step = np.linalg.solve(precision, ((won - games * chance).sum(axis=2) - mode)[..., None])[..., 0]
        mode = mode + step
        if np.abs(step).max() < 1e-9:
            break
    return mode, precision


def draw_strengths(mode: np.ndarray, precision: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw log strengths from the posterior's normal approximation (see `fit_posterior`): (D, n, samples)."""
    noise = rng.standard_normal((*mode.shape, samples), dtype=np.float32)
    spread = np.linalg.inv(np.linalg.cholesky(precision)).transpose(0, 2, 1).astype(np.float32)
    drawn: np.ndarray = spread @ noise + mode[..., None].astype(np.float32)
    return drawn


def expect_information(strengths: np.ndarray) -> np.ndarray:
    """Return what a verdict on each pair is expected to tell about who is best: (D, n, samples) to (D, Q), in nats."""
    power, gains = np.exp(strengths), []
    best = np.eye(power.shape[1], dtype=np.float32)[strengths.argmax(axis=1)]  # (D, samples, n)
    times = best.sum(axis=1)[:, None]  # (D, 1, n)
    for first in range(power.shape[1] - 1):  # all its pairs at once; with those of the others, memory takes the time
        chance = power[:, first, None] / (power[:, first, None] + power[:, first + 1 :])  # that it wins
        given = chance @ best / np.maximum(times, 1)  # the same by who is best
        gains.append(entropy(chance.mean(axis=2)) - (entropy(given) * times).sum(axis=2) / strengths.shape[2])
    return np.concatenate(gains, axis=1)


def entropy(p: np.ndarray) -> np.ndarray:
    """Return the entropy of a coin with this chance, in nats."""
    return -sum(q * np.log(q) for q in (p.clip(1e-7), (1 - p).clip(1e-7)))
