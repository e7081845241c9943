"""A live judge: from a strategy's questions to judgments."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from judgescale.harness.contracts import Answers, Judge, MetaRM
from judgescale.harness.live.meter import Meter, Tally
from judgescale.harness.live.model import Answer, Model
from judgescale.harness.live.order import list_orders
from judgescale.harness.seeding import make_rng
from judgescale.harness.stats.votes import share_votes
from judgescale.harness.types import Call, Item, Judgment, Request

T = TypeVar("T")


@dataclass(frozen=True)
class JudgeSession:
    """Hold a judge with the models behind it, ready to be asked."""

    label: str  # the judge's name in results
    judge: Judge
    model: Model
    meter: Meter
    order: str  # the order policy
    seed: int
    scorer: Model | None = None  # the second model of a judge that has one
    meta: tuple[MetaRM, Model] | None = None  # a meta RM's format and model
    votes: str = "scores"  # what a strategy is told of a judgment: its scores, or its verdict
    tally: Tally = field(default_factory=Tally)  # of this arm

    @property
    def models(self) -> list[Model]:
        """List every model it asks."""
        return [m for m in (self.model, self.scorer, self.meta and self.meta[1]) if m]

    @cached_property
    def variant(self) -> str:
        """Name the settings, so that judgments of the same judge with other settings are told apart."""
        return f"{self.judge.format}@{hashlib.sha256(self.model.settings.encode()).hexdigest()[:8]}"


@dataclass
class LiveAsk:
    """Put a strategy's questions about one item to a judge, and remember its judgments (contracts.Ask)."""

    session: JudgeSession
    item: Item
    bought: dict[tuple[int, ...], list[Judgment]] = field(default_factory=dict)
    draws: int = 1

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        """Buy k judgments of each question, or take them from the store."""
        k = int(np.max(k))  # there is one replay
        asked = [tuple(q) for q in questions.reshape(-1, questions.shape[-1]).tolist()]
        judged = await gather_all([self.judgments(tuple(sorted(q)), k) for q in asked])
        scores = np.full((1, len(asked), k, len(asked[0])), np.nan)
        meta = np.full((1, len(asked), k), np.nan)
        for row, (question, judgments) in enumerate(zip(asked, judged)):
            for j, judgment in enumerate(judgments):
                if judgment.scores is not None:
                    of = dict(zip(judgment.shown, judgment.scores))
                    scores[0, row, j] = [of[i] for i in question]
                if judgment.meta is not None:
                    meta[0, row, j] = judgment.meta
        return Answers(share_votes(scores) if self.session.votes == "verdicts" else scores, meta)

    async def judgments(self, question: tuple[int, ...], k: int) -> list[Judgment]:
        """Return judgments 0 to k - 1 of a question; those that show the same order are samples of one prompt."""
        have = self.bought.get(question, [])
        samples: dict[tuple[int, ...], list[int]] = {}
        for j, shown in enumerate(choose_orders(self.session.order, self.session.seed, self.item, question, k)):
            samples.setdefault(shown, []).append(j)
        found = await gather_all(
            [self._judge_shown(shown, js, len(have)) for shown, js in samples.items() if js[-1] >= len(have)]
        )
        self.bought[question] = have + sorted((j for group in found for j in group), key=lambda j: j.sample)
        return self.bought[question][:k]

    async def _judge_shown(self, shown: tuple[int, ...], samples: Sequence[int], have: int) -> list[Judgment]:
        """Judge the responses in one order, once for each of these samples but those below `have`."""
        session = self.session
        requests = session.judge.requests(self.item, shown)
        new = [j for j in samples if j >= have]
        first = len(samples) - len(new)
        columns = await gather_all([session.model(request, len(samples), first, session.tally) for request in requests])
        rows = list(zip(*columns))  # one a judgment: the answers to all its requests
        last = rows if session.scorer is None else await self._ask_scorer(shown, requests, rows)
        judgments = [self._read_judgment(shown, *each) for each in zip(new, rows, last)]
        session.tally.judgments += len(judgments)
        session.meter.statuses.update([judgment.status for judgment in judgments])
        if session.meta is None:
            return judgments
        return await gather_all([self._add_meta_score(requests, row, j) for row, j in zip(rows, judgments)])

    def _read_judgment(
        self, shown: tuple[int, ...], sample: int, answers: Sequence[Answer], final: Sequence[Answer]
    ) -> Judgment:
        """Read one judgment in the answers to its requests; `final`: the same, or the scorer's in their place."""
        reading = self.session.judge.read(self.item, shown, [answer.output for answer in final])
        calls = _list_calls(answers if final is answers else [*answers, *(a for a in final if a not in answers)])
        return Judgment(
            judge=self.session.label,
            shown=shown,
            scores=reading.scores,
            status=reading.status,
            sample=sample,
            variant=self.session.variant,
            prompt_tokens=_sum_known([call.prompt_tokens for call in calls]),
            completion_tokens=_sum_known([call.completion_tokens for call in calls]),
            chars=sum([len(answer.output.text or "") for answer in answers]) or None,
            steps=reading.steps,
            calls=calls,
        )

    async def _ask_scorer(
        self, shown: tuple[int, ...], requests: Sequence[Request], rows: Sequence[Sequence[Answer]]
    ) -> list[list[Answer]]:
        """Return the scorer's answers in place of the first model's, where the judge has something to ask it."""
        scorer, then = self.session.scorer, self.session.judge.then
        assert scorer is not None

        async def follow(i: int, answer: Answer) -> Answer:
            request = then(self.item, shown, i, requests[i], answer.output)
            return answer if request is None else (await scorer(request, 1, payer=self.session.tally))[0]

        return await gather_all([gather_all([follow(i, a) for i, a in enumerate(row)]) for row in rows])

    async def _add_meta_score(self, requests: Sequence[Request], row: Sequence[Answer], judgment: Judgment) -> Judgment:
        """Return the judgment with the meta RM's score of it; an unusable judgment is not scored."""
        assert self.session.meta is not None
        meta, model = self.session.meta
        if judgment.status != "ok" and not model.dry:
            return judgment
        (answer,) = await model(meta.request(requests[0], row[0].output), 1, payer=self.session.tally)
        calls = (*judgment.calls, *_list_calls([answer]))
        return dataclasses.replace(judgment, meta=meta.read(answer.output), calls=calls)


@dataclass
class LiveAskAll:
    """Put questions about all items to a judge, as many at once as keep the engines busy (contracts.AskAll)."""

    asks: Sequence[LiveAsk]
    questions: Sequence[Sequence[tuple[int, ...]]]  # of each item
    at_once: int
    draws: int = 1
    most: int = sys.maxsize

    @cached_property
    def sizes(self) -> np.ndarray:
        """Return how many responses each item has."""
        return np.array([len(ask.item.responses) for ask in self.asks])

    def __post_init__(self) -> None:
        """Make the table of scores, (N, n, judgments), which grows as they are bought."""
        self._scores = np.full((len(self.asks), self.sizes.max(), 0), np.nan)

    async def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Buy what is asked and not bought yet; what was bought before stands in the table."""
        turn = asyncio.Semaphore(self.at_once)

        async def buy_question(i: int, question: tuple[int, ...], k: int, have: int) -> None:
            """Buy k judgments of a question about item i once it is its turn, and put the new ones into the table."""
            async with turn:
                judgments = await self.asks[i].judgments(question, k)
            for j, judgment in enumerate(judgments[have:], have):
                if judgment.scores is not None:
                    self._scores[i, list(judgment.shown), j] = judgment.scores

        new = max(1, counts.max()) - self._scores.shape[2]
        self._scores = np.pad(self._scores, ((0, 0), (0, 0), (0, max(0, new))), constant_values=np.nan)
        wanted = [
            (i, question, int(k), have)
            for i, (ask, of_item, asked) in enumerate(zip(self.asks, self.questions, counts[0]))
            for question, k in zip(of_item, asked)
            if k > (have := len(ask.bought.get(question, ())))
        ]
        if wanted:
            await gather_all([buy_question(*each) for each in wanted])
        return self._scores[None].copy()


def choose_orders(policy: str, seed: int, item: Item, question: tuple[int, ...], k: int) -> list[tuple[int, ...]]:
    """List the orders that judgments 0 to k - 1 of a question show, fixed by seed, item and question."""
    return list_orders(policy, question, k, lambda: make_rng(seed, "order", item.id, *map(str, question)))


async def gather_all(what: Sequence[Awaitable[T]]) -> list[T]:
    """Await all of them, also where one raises: what was sent is waited for, and then the first error is raised."""
    if len(what) == 1:  # most judgments ask one thing, and need no task for it
        return [await what[0]]
    found = await asyncio.gather(*what, return_exceptions=True)
    for outcome in found:
        if isinstance(outcome, BaseException):
            raise outcome
    return list(found)  # type: ignore[arg-type]


def _list_calls(answers: Sequence[Answer]) -> tuple[Call, ...]:
    """List the calls that were paid for: an answer that failed cost nothing that anybody counted."""
    return tuple([answer.call for answer in answers if answer.output.finish != "failed"])


def _sum_known(counts: Sequence[int | None]) -> int | None:
    if len(counts) == 1:
        return counts[0]
    return None if None in counts or not counts else sum(c for c in counts if c is not None)
