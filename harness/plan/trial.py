"""Try a strategy on made-up verdicts before anything is bought: does it do what its class declares?

A strategy that chooses its questions by the verdicts and does not say so would be charged for judgments that its result
never uses, and could not be replayed; one that stops when the verdict is clear, for judgments that it never bought. The
trial costs no judgment and a few milliseconds.
"""

from __future__ import annotations

import asyncio

import numpy as np

from judgescale.harness.contracts import Answers, Strategy
from judgescale.harness.types import JudgescaleError

REPLAYS = 4  # with different verdicts each
SIZES = (2, 5)  # responses of the made-up items
K, K_ADAPTIVE = 2, 8  # the latter leaves room to stop before it


class _Trial:
    """Answer questions about n responses at random, and note what was asked in each replay.

    judgments: how many of which question each replay bought: what is asked again costs nothing, and says the same.
    """

    draws = REPLAYS

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked: list[dict[tuple[int, ...], int]] = [{} for _ in range(REPLAYS)]

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        questions = np.asarray(questions)
        each = np.broadcast_to(questions, (REPLAYS, *questions.shape[-2:]))
        wanted = np.broadcast_to(k, REPLAYS)
        scores = np.full((*each.shape[:2], wanted.max(), each.shape[-1]), np.nan)
        meta = np.full(scores.shape[:3], np.nan)
        for replay, (of_replay, most) in enumerate(zip(each.tolist(), wanted.tolist())):
            for row, question in enumerate(of_replay):
                key = tuple(sorted(question))
                self.asked[replay][key] = max(self.asked[replay].get(key, 0), most)
                said = np.random.default_rng([replay, *key]).random((most, self.n + 1))  # more begin with the fewer
                scores[replay, row, :most], meta[replay, row, :most] = said[:, question], said[:, -1]
        return Answers(scores, meta)

    @property
    def judgments(self) -> np.ndarray:
        """Return how many judgments each replay bought, (REPLAYS,)."""
        return np.array([sum(asked.values()) for asked in self.asked])


def try_strategy(strategy: Strategy) -> None:
    """Raise JudgescaleError where a strategy asks, decides or costs other than its class declares."""
    who = f"strategy={strategy.name or type(strategy).__name__}"
    if not strategy.name:
        raise JudgescaleError(f"{who}: the class must give its name, as in name: ClassVar[str] = 'cup'")
    if (strategy.meta_rm or strategy.weighed_by) and strategy.baseline() is None:
        raise JudgescaleError(
            f"{who}: with a meta RM or weights it must also name its `baseline`, which it is held against"
        )
    if strategy.closed_form and strategy.random:
        raise JudgescaleError(f"{who}: `exact` counts what is left to chance, so the class must say random = False")
    if strategy.stops and not strategy.adaptive:
        raise JudgescaleError(f"{who}: it stops by the verdicts, so the class must also say adaptive = True")
    if strategy.across:
        _try_on_all(strategy.at(strategy.fixed_k or K), who)
        return
    for n in SIZES:
        _try_on(strategy.at(strategy.fixed_k or (K_ADAPTIVE if strategy.adaptive else K)), who, n)


def _try_on(strategy: Strategy, who: str, n: int) -> None:
    try:
        known = strategy.questions(n)
        if not known:
            return  # it has nothing to ask about so few; the items are checked one by one
        trial, cost = _Trial(n), strategy.judgments(n)
        decision = asyncio.run(_decide(strategy, trial))
    except NotImplementedError:
        raise JudgescaleError(f"{who}: the class must define questions, judgments and __call__") from None
    if np.shape(decision) != (REPLAYS, n):
        raise JudgescaleError(
            f"{who}: of {REPLAYS} replays of {n} responses it decided {np.shape(decision)}; it must return one score a"
            f" response of each, ({REPLAYS}, {n})"
        )
    for asked in trial.asked:
        if strange := [question for question in asked if question not in known]:
            raise JudgescaleError(
                f"{who}: it asks about responses {strange[0]} of {n}, which `questions` does not list"
            )
        if not strategy.adaptive and set(asked) != set(known):
            raise JudgescaleError(
                f"{who}: of {len(known)} questions about {n} responses it asked {len(set(asked))}; where verdicts"
                " decide what it asks, the class must say adaptive = True, or a live run would buy the wrong judgments"
            )
    bought = trial.judgments
    if (bought > cost).any() or not strategy.adaptive and (bought < cost).any():
        raise JudgescaleError(
            f"{who}: it asked for {bought.max()} judgments of {n} responses where `judgments` says {cost}"
        )
    if not strategy.stops and (bought < cost).any():
        raise JudgescaleError(
            f"{who}: it asked for {bought.min()} judgments of {n} responses where `judgments` says {cost}; where it may"
            " stop before, the class must say stops = True, or it would be charged for all of them"
        )


class _TrialOfAll:
    """Answer questions about items of two sizes at random, and note how many judgments each was asked for."""

    draws, most, sizes = REPLAYS, 2 * K, np.array(SIZES)

    def __init__(self) -> None:
        self.scores = np.random.default_rng(0).random((REPLAYS, len(SIZES), max(SIZES), self.most))
        self.counts = np.zeros(())

    async def __call__(self, counts: np.ndarray) -> np.ndarray:
        self.counts = counts
        asked = np.broadcast_to(counts, self.scores.shape[:3])
        there = np.arange(max(SIZES))[:, None] < self.sizes[:, None, None]
        return np.where(there & (np.arange(self.most) < asked[..., None]), self.scores, np.nan)


def _try_on_all(strategy: Strategy, who: str) -> None:
    if not strategy.adaptive:
        raise JudgescaleError(f"{who}: it weighs items against each other, so the class must say adaptive = True")
    trial = _TrialOfAll()
    try:
        ((decision, took),) = asyncio.run(_decide_all(strategy, trial))
        parts = [max(1, len(strategy.questions(size))) for size in SIZES]
    except NotImplementedError:
        raise JudgescaleError(f"{who}: the class must define questions, judgments and decide_all") from None
    if np.shape(decision) != (shape := (REPLAYS, len(SIZES), max(SIZES))):
        raise JudgescaleError(f"{who}: it decided {np.shape(decision)} of {len(SIZES)} items where {shape} was due")
    spent = (trial.counts / np.array(parts)[:, None]).sum(axis=(1, 2))
    if not np.allclose(took.sum(axis=1), spent):
        raise JudgescaleError(
            f"{who}: it asked for {spent.max():g} judgments and says that it took {took.sum(1).max():g}"
        )
    if (spent > (allowed := sum(map(strategy.judgments, SIZES))) + 1e-9).any():
        raise JudgescaleError(f"{who}: it asked for {spent.max():g} judgments where `judgments` says {allowed}")


async def _decide_all(strategy: Strategy, trial: _TrialOfAll) -> list[tuple[np.ndarray, np.ndarray]]:
    return await strategy.decide_all(trial, [strategy.k or K], np.random.default_rng(0))


async def _decide(strategy: Strategy, trial: _Trial) -> np.ndarray:
    return await strategy(trial, trial.n, np.random.default_rng(0))
