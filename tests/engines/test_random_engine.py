"""engine=random: every answer is one that the judge can read, each as likely; nothing depends on the asking."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from judgescale.harness.engines.random import Random
from judgescale.harness.judges.choice import Choice
from judgescale.harness.judges.direct import Direct
from judgescale.harness.judges.pairwise import Pairwise
from judgescale.harness.judges.pointwise import Pointwise
from judgescale.harness.judges.scalar import Scalar
from judgescale.harness.judges.token_prob import TokenProb
from judgescale.harness.types import Item, JudgescaleError, Sampling


def item(n: int) -> Item:
    texts = tuple(f"answer {i}" for i in range(n))
    return Item(
        id="i",
        prompt="p",
        cluster="c",
        responses=tuple(map(str, range(n))),
        gold=(1.0,) * n,
        subset="",
        conversation=(("user", "q"),),
        texts=texts,
    )


def readings(judge, n, seeds=range(400)):
    shown = tuple(range(n))

    async def ask(request):
        async with Random("random").open() as session:
            answers = dict([pair async for pair in session(request, Sampling(temperature=1), list(seeds))])
        return [answers[i] for i in range(len(answers))]

    columns = [asyncio.run(ask(request)) for request in judge.requests(item(n), shown)]
    return [judge.read(item(n), shown, outputs) for outputs in zip(*columns)]


@pytest.mark.parametrize(
    ("judge", "n"),
    [
        (Direct(), 4),
        (Direct(), 1),
        (Pairwise(verdict_only=True), 2),
        (Pointwise(verdict_only=True), 3),
        (Scalar(), 3),
        (Pointwise(verdict_only=True, each=True), 2),
        (TokenProb(), 2),
        (TokenProb(mode="expected"), 2),
    ],
)
def test_every_answer_is_read(judge, n):
    assert {reading.status for reading in readings(judge, n)} == {"ok"}


def test_each_answer_is_as_likely():
    picks = Counter(reading.scores for reading in readings(Direct(), 4, range(4000)))
    assert len(picks) == 4 and min(picks.values()) > 850  # 1,000 each expected, standard deviation 27
    scores = Counter(s for reading in readings(Pointwise(verdict_only=True), 1, range(4000)) for s in reading.scores)
    assert len(scores) == 10 and min(scores.values()) > 300


def test_the_seed_decides():
    assert readings(Direct(), 5) == readings(Direct(), 5) != readings(Direct(), 5, range(400, 800))


def test_a_judge_that_may_say_anything_is_refused():
    with pytest.raises(JudgescaleError, match="judge=random"):
        readings(Choice(), 4)
