"""Items that are replayed together decide what each of them decides alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from fakes import arm, judged, noisy_pairs, pool
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation import decisions, replay
from judgescale.harness.evaluation.decisions import decide_by_replay
from judgescale.harness.evaluation.evaluate import evaluate, list_questions
from judgescale.harness.evaluation.replay import Replay, Shelf, batch_items, draw_orders
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.information_gain import InformationGain
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.stopping import Stopping
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Record

WITHOUT_LOTS = [  # strategies that draw no lots of their own
    Voting(2),
    Voting(2, aggregate="median"),
    Voting(2, unusable="plurality"),
    MetaVoting(2),
    Stopping(2),
    Elo(2, rating="wins"),
    Elo(2, rating="bradley_terry"),
]
grade = st.sampled_from([0.0, 1.0, 2.5, 7.0])


@st.composite
def items_of_one_shape(draw: st.DrawFn, questions: list[tuple[int, ...]]) -> list[Pools]:
    """Make up items with pools of different sizes, of at least two judgments, some of them unusable."""
    judgment = st.none() | st.tuples(*[grade] * len(questions[0]))
    rows = st.lists(st.tuples(judgment, st.sampled_from([0.1, 0.5, 0.9])), min_size=2, max_size=5)
    made = st.fixed_dictionaries(dict.fromkeys(questions, rows))
    items = draw(st.lists(made, min_size=1, max_size=4))
    return [
        {q: pool([s for s, _ in item[q]], [m for _, m in item[q]], width=len(q)) for q in questions} for item in items
    ]


@pytest.mark.parametrize("strategy", WITHOUT_LOTS, ids=str)
@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(0, 99))
def test_a_batch_decides_what_its_items_decide_alone(strategy: Strategy, data: st.DataObject, seed: int) -> None:
    n = 3
    pools = data.draw(items_of_one_shape(strategy.questions(n)))
    rng = np.random.default_rng(seed)
    orders = [draw_orders(of_item, data.draw(st.integers(1, 4)), rng) for of_item in pools]  # D may differ
    together = Replay(Shelf.fill(pools), orders)
    found = asyncio.run(strategy(together, n, rng))
    alone = [Replay(of_item, order) for of_item, order in zip(pools, orders, strict=True)]
    each = np.concatenate([asyncio.run(strategy(one, n, rng)) for one in alone])
    # Bradley and Terry's strengths are iterated until all have settled, and rounded
    np.testing.assert_allclose(found, each, rtol=0, atol=1.5e-6 if strategy == Elo(2, rating="bradley_terry") else 0)
    np.testing.assert_array_equal(together.bought, np.concatenate([one.bought for one in alone]))


def test_a_question_is_answered_from_the_pools_of_its_own_item() -> None:
    """In the order in which the question names the responses, each replay its own question."""
    pairs = [(0, 1), (0, 2), (1, 2)]
    pools = [{pair: pool([(10 * item + a, 10 * item + b)]) for pair in pairs for a, b in [pair]} for item in (0, 1)]
    ask = Replay(Shelf.fill(pools), [np.zeros((2, 3, 1), int)] * 2)
    questions = np.array([[[2, 0]], [[0, 1]], [[1, 2]], [[2, 1]]])
    assert asyncio.run(ask(questions, 1)).scores[:, 0, 0].tolist() == [[2, 0], [0, 1], [11, 12], [12, 11]]
    assert asyncio.run(ask(np.array([[1, 0]]), 1)).scores[:, 0, 0].tolist() == [[1, 0]] * 2 + [[11, 10]] * 2


def test_a_long_question_is_found_by_its_own_responses() -> None:
    """Its number wraps around; one that nobody put into a pool is not taken for another."""
    many = tuple(range(40))
    said = pool([tuple(map(float, many))], width=40)
    pools = {many: said, (*many[:-1], 40): said}
    ask = Replay(pools, np.zeros((1, 2, 1), int))
    assert asyncio.run(ask(np.array([many[::-1]]), 1)).scores[0, 0, 0].tolist() == list(many[::-1])
    with pytest.raises(KeyError):
        asyncio.run(ask(np.array([[*many[:-1], 41]]), 1))


def mixed_rows() -> list[Record]:
    """Judge 12 items, of two and of three responses by turns, three to five times each."""
    rng, rows = np.random.default_rng(5), []
    for i in range(12):
        gold = (1.0, 0.0, 0.0)[: 2 + i % 2]
        rows += [judged(i, rng.integers(0, 4, len(gold)).astype(float), sample, gold) for sample in range(3 + i % 3)]
    return [replace(row, responses=("a", "b", "c")[: len(row.gold)]) for row in rows]


@pytest.mark.parametrize("draws", [2, 200], ids=["random", "counted"])
@pytest.mark.parametrize("strategy", [Voting(3, aggregate="median"), MetaVoting(3), Stopping(3)], ids=str)
def test_how_many_items_are_replayed_at_once_does_not_matter(
    strategy: Strategy, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(arm(mixed_rows(), strategy, (1, 2, 3)), draws=draws)
    pools = [{q: plan.judgments.find_pool(item, q) for q in list_questions(plan, item)} for item in plan.items]
    batched = list(batch_items(plan.items, pools, draws))
    assert sorted(sum(batched, [])) == list(range(12)) and len(batched) == 2  # one of each shape
    together, ticks = decide_by_replay(plan, strategy, plan.ks, pools), []
    monkeypatch.setattr(replay, "CELLS", 1)
    assert len(list(batch_items(plan.items, pools, draws))) == 12
    alone = decide_by_replay(plan, strategy, plan.ks, pools, ticks.append)
    assert len(ticks) == 12 * 3
    for of_k, same in zip(together, alone, strict=True):
        for ours, theirs in zip(of_k, same, strict=True):
            np.testing.assert_array_equal(ours.scores, theirs.scores)
            np.testing.assert_array_equal(ours.weight, theirs.weight)
            assert ours.draws == theirs.draws
            assert (ours.bought is None) == (theirs.bought is None) == (not strategy.stops)


def test_a_slow_strategy_is_replayed_less_often_where_items_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for i in range(6) for row in (judged(i, (1.0, 0.0), 0), judged(i, (0.0, 1.0), 1))]
    plan = replace(arm(rows, InformationGain(1), (1,)), draws=50)
    pools = [{q: plan.judgments.find_pool(item, q) for q in list_questions(plan, item)} for item in plan.items]

    def count_replays() -> set[int]:
        return {d.draws for d in decide_by_replay(plan, plan.strategy, plan.ks, pools)[0]}

    assert count_replays() == {50}
    monkeypatch.setattr(decisions, "SLOW_REPLAYS", 60)
    assert count_replays() == {10}  # 60 of six items
    monkeypatch.setattr(decisions, "SLOW_REPLAYS", 6)
    assert count_replays() == {decisions.SLOW_DRAWS}


def test_batches_change_a_tournament_within_its_monte_carlo_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(arm(noisy_pairs(0.6, items=60, samples=4), Knockout(4), (1, 4)), draws=50)
    together = evaluate(plan)[0].headline
    monkeypatch.setattr(replay, "CELLS", 1)
    alone = evaluate(plan)[0].headline
    assert alone.mc_error == pytest.approx(together.mc_error, rel=0.5)
    assert abs(together.value - alone.value) < 4 * np.hypot(together.mc_error, alone.mc_error)
