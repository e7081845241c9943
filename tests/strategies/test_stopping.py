"""Stopping: what it buys is what its rule says, live and replayed; its cost is measured; a guesser gains nothing."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest
from fakes import arm, judged, noisy_pairs, pool
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.replay import Replay, draw_orders
from judgescale.harness.plan.trial import try_strategy
from judgescale.harness.recorded.pools import Pool
from judgescale.harness.stats.stopping_rules import RULES
from judgescale.harness.stats.votes import vote
from judgescale.harness.strategies.stopping import Stopping
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import JudgescaleError, Rules

FIRST, SECOND, TIE = (1.0, 0.0), (0.0, 1.0), (0.5, 0.5)


def play(strategy: Stopping, p: Pool, order: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Decide about one question as its judgments were recorded, or in these orders: decisions and what they bought."""
    n = p.scores.shape[1]
    order = np.arange(len(p))[None, None] if order is None else order
    replay = Replay({tuple(range(n)): p}, order)
    decision = asyncio.run(strategy(replay, n, np.random.default_rng(0)))
    return decision, replay.bought


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_does_what_it_declares(rule: str) -> None:
    try_strategy(Stopping(rule=rule))


def test_it_stops_where_the_rule_says_and_sums_what_it_bought() -> None:
    said = pool([(9, 2), (3, 8), (7, 6), (8, 1), (1, 9)])
    (decision,), (bought,) = play(Stopping(5, lead=2), said)
    assert bought == 4 and decision.tolist() == [27, 17]  # votes 1, 0, 1, 2 ahead
    (decision,), (bought,) = play(Stopping(3, lead=2), said)
    assert bought == 3 and decision.tolist() == [19, 16]


def test_unusable_judgments_are_bought_and_have_no_vote() -> None:
    (decision,), (bought,) = play(Stopping(5, lead=2), pool([None, FIRST, None, FIRST, SECOND]))
    assert bought == 4 and decision.tolist() == [2, 0]
    (decision,), (bought,) = play(Stopping(3, lead=1), pool([None] * 3))
    assert bought == 3 and np.isnan(decision).all()


verdicts = st.lists(st.sampled_from([FIRST, SECOND, TIE, None]), min_size=1, max_size=9)


@given(verdicts, st.sampled_from(sorted(RULES)), st.integers(0, 99))
def test_replays_do_not_know_of_each_other(said: list[tuple[float, float] | None], rule: str, seed: int) -> None:
    """Many replays at once decide and buy what each of them does alone; a decision is the vote of what was bought."""
    p, strategy = pool(said), Stopping(len(said), rule=rule)
    order = draw_orders({(0, 1): p}, 6, np.random.default_rng(seed))
    decisions, bought = play(strategy, p, order)
    for d in range(6):
        (decision,), (alone,) = play(strategy, p, order[[d]])
        np.testing.assert_array_equal(decision, decisions[d])
        assert 1 <= alone == bought[d] <= len(said)
        np.testing.assert_array_equal(decision, vote(p.scores[order[d, 0, :alone]][None])[0])


def test_replays_that_ask_for_different_numbers_see_no_more_than_they_asked() -> None:
    p = pool([(i, 0) for i in range(6)], meta=range(6))
    replay = Replay({(0, 1): p}, np.arange(6)[None, None].repeat(3, axis=0))
    answers = asyncio.run(replay(np.array([[1, 0]]), np.array([1, 4, 2])))
    assert (~np.isnan(answers.scores[:, 0, :, 0])).sum(axis=1).tolist() == [1, 4, 2]
    assert (~np.isnan(answers.meta[:, 0])).sum(axis=1).tolist() == [1, 4, 2]
    assert answers.scores[1, 0, :, 1].tolist() == [0, 1, 2, 3]
    asyncio.run(replay(np.array([[0, 1]]), 2))  # what is asked again costs nothing
    assert replay.bought.tolist() == [2, 4, 2]
    with pytest.raises(KeyError):
        asyncio.run(replay(np.array([[0, 1]]), np.array([1, 1, 7])))


def test_what_it_costs_is_measured() -> None:
    """All alike: 2 judgments for a lead of 2. And k, which is the most, where all judgments tie."""
    sure = [judged(i, FIRST, j, completion_tokens=10) for i in range(4) for j in range(8)]
    torn = [judged(i, TIE, j, completion_tokens=10) for i in range(4, 8) for j in range(8)]
    result, _ = evaluate(arm(sure + torn, Stopping(8, lead=2), (1, 8)))
    assert [p.judgments_per_item for p in result.curve if p.section == "overall"] == [1, 5]
    assert [p.tokens_per_item for p in result.curve if p.section == "overall"] == [10, 50]
    assert result.compute["judgments"] == 40 and result.compute["completion_tokens"] == 400 and result.stops
    fixed, _ = evaluate(arm(sure + torn, Voting(8), (8,)))
    assert fixed.compute["judgments"] == 64 and not fixed.stops


def test_a_lead_of_1_is_a_single_judgment_where_none_ties() -> None:
    rows = noisy_pairs(0.7, items=60, samples=5)
    ours, fixed = (evaluate(arm(rows, s, (5,)))[0] for s in (Stopping(5, lead=1), Voting(1)))
    one, _ = evaluate(arm(rows, Voting(1), (1,)))
    assert ours.compute["judgments"] == 60 and fixed.compute["judgments"] == 300
    assert ours.headline.value == pytest.approx(one.headline.value, abs=0.02)


def test_a_lead_that_nobody_reaches_is_the_vote_of_all() -> None:
    rows = noisy_pairs(0.7, items=40, samples=7)
    plain, _ = evaluate(arm(rows, Voting(7), (7,)))
    ours, _ = evaluate(arm(rows, Stopping(7, lead=8), (7,)))
    assert ours.headline.value == pytest.approx(plain.headline.value) and ours.compute == plain.compute


@pytest.mark.parametrize("tie", ["zero", "share"])
@pytest.mark.parametrize("rule", ["lead", "esc", "adaptive_consistency"])
def test_a_guesser_earns_chance(rule: str, tie: str) -> None:
    """Scores at random, of which many tie: buying on until a vote is no tie wins nothing where ties go by lot."""
    rng = np.random.default_rng(5)
    rows = [judged(i, tuple(map(float, rng.integers(1, 4, 2))), j) for i in range(1500) for j in range(6)]
    rules = Rules(name="custom", tie=tie, failure=0.5, unusable="abstain", order="as_is")
    plan = dataclasses.replace(arm(rows, Stopping(6, rule=rule), (6,), rules=rules), draws=20)
    result, credits = evaluate(plan)
    chance = credits.by_lot[:, 0].mean()
    assert chance == pytest.approx(0.5, abs=0.03)  # 2.4 standard errors of 1,500 coins
    if tie == "share":
        assert result.headline.value == pytest.approx(chance)
    else:
        assert result.headline.value < chance


def test_decisions_hold_what_each_took() -> None:
    plan = arm([judged(0, s, j) for j, s in enumerate([FIRST, FIRST, SECOND])], Stopping(3, lead=2), (3,))
    pools = [{(0, 1): plan.judgments.find_pool(plan.items[0], (0, 1))}]
    ((found,),) = decide(plan, plan.strategy, [3], pools)
    assert set(found.bought.tolist()) == {2, 3} and found.bought @ found.weight == pytest.approx(8 / 3, abs=0.15)
    ((fixed,),) = decide(plan, Voting(3), [3], pools)
    assert fixed.bought is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": "guess"}, "strategy.rule=guess: choose lead, adaptive_consistency, esc, sprt, msprt"),
        ({"threshold": 0.9}, "strategy.threshold=0.9: only strategy.rule=adaptive_consistency reads it, not lead"),
        ({"rule": "esc", "lead": 2}, "strategy.lead=2: only strategy.rule=lead reads it, not esc"),
        ({"rule": "anytime", "prior": 1}, "strategy.prior=1: only strategy.rule=msprt or bayes_factor reads it"),
        ({"lead": 0}, "strategy.lead=0: must be above 0"),
        ({"rule": "adaptive_consistency", "threshold": 1.0}, "threshold=1.0: must be above 0.5 and below 1"),
        ({"rule": "sprt", "alpha": 0.2, "beta": 0.9}, "strategy.alpha=0.2 and beta=0.9: must add up to less than 1"),
    ],
)
def test_options_without_effect_and_odd_ones_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(JudgescaleError, match=said):
        Stopping(8, **options)  # type: ignore[arg-type]
