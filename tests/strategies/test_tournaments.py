"""Tournaments between a knockout and a round robin: who wins, who meets whom, what it costs; no place is favoured."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig
from scipy.stats import binomtest

from judgescale.harness.contracts import Answers, Strategy
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.trial import try_strategy
from judgescale.harness.stats.pairing import pair_neighbours
from judgescale.harness.stats.strengths import expect_information, fit_posterior
from judgescale.harness.strategies.double_elimination import DoubleElimination
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.information_gain import InformationGain
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.swiss import Swiss
from judgescale.harness.types import JudgescaleError

ALL = [Swiss(), DoubleElimination(), InformationGain()]
BRACKETS = ALL[:2]


class Ask:
    """Answer from a table of scores for the lower index of each pair, and note every match: (D, n, n, k)."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores, self.draws = scores, len(scores)
        self.matches: list[list[tuple[int, int]]] = [[] for _ in range(self.draws)]
        self.rounds: list[np.ndarray] = []

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        each = np.broadcast_to(questions, (self.draws, *questions.shape[-2:]))
        self.rounds.append(each)
        for noted, pairs in zip(self.matches, each.tolist()):
            noted += [(min(pair), max(pair)) for pair in pairs]
        low, high, replay = each.min(axis=2), each.max(axis=2), np.arange(self.draws)[:, None]
        assert (low < high).all()
        of_low = self.scores[replay, low, high, :k]
        of_first = np.where((each[..., 0] == low)[..., None], of_low, 1 - of_low)
        return Answers(np.stack([of_first, 1 - of_first], axis=-1), np.full(of_first.shape, np.nan))


def play(strategy: Strategy, scores: np.ndarray, seed: int = 0) -> tuple[np.ndarray, Ask]:
    """Run a strategy on (D, n, n, k) scores; return its decisions and what it asked."""
    ask = Ask(scores)
    at_k = dataclasses.replace(strategy, k=scores.shape[3])
    return asyncio.run(at_k(ask, scores.shape[1], np.random.default_rng(seed))), ask


def know(strength: np.ndarray, k: int = 1) -> np.ndarray:
    """The verdicts of a judge who knows the strengths (D, n)."""
    return np.repeat((strength[:, :, None] > strength[:, None, :])[..., None], k, axis=3).astype(float)


def guess(draws: int, n: int, k: int = 1, seed: int = 0) -> np.ndarray:
    """The verdicts of a judge who tosses a coin."""
    return np.random.default_rng(seed).integers(0, 2, (draws, n, n, k)).astype(float)


def shuffle_strengths(draws: int, n: int) -> np.ndarray:
    return np.random.default_rng(n).permuted(np.tile(np.arange(n), (draws, 1)), axis=1)


def find_cost(ask: Ask, k: int) -> list[int]:
    """Judgments bought in each replay: a pair that meets again costs nothing."""
    return [k * len(set(noted)) for noted in ask.matches]


@pytest.mark.parametrize("strategy", [*ALL, Swiss(3, rounds=4), InformationGain(2, matches=3)], ids=str)
def test_they_do_what_they_declare(strategy: Strategy) -> None:
    try_strategy(strategy)
    assert strategy.questions(1) == []


@pytest.mark.parametrize("n", [*range(2, 18), 32])
@pytest.mark.parametrize("strategy", BRACKETS, ids=str)
def test_a_judge_who_knows_makes_the_best_win(strategy: Strategy, n: int) -> None:
    strength = shuffle_strengths(200, n)
    decision, _ = play(strategy, know(strength))
    assert (decision.argmax(axis=1) == strength.argmax(axis=1)).all()
    top = decision == decision.max(axis=1, keepdims=True)
    assert (top.sum(axis=1) == 1).all()


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 11])
def test_active_pairing_finds_the_best_too(n: int) -> None:
    """Three judgments a match: after a single one it may yet doubt, and meet somebody else instead of the rival."""
    strength = shuffle_strengths(40, n)
    decision, _ = play(InformationGain(), know(strength, 3))
    assert (decision.argmax(axis=1) == strength.argmax(axis=1)).mean() >= 0.975


@given(st.integers(2, 17), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_what_is_asked_is_what_it_costs(n: int, k: int, seed: int) -> None:
    scores = guess(3, n, k, seed)
    swiss, double, active = (play(strategy, scores, seed)[1] for strategy in ALL)
    assert set(find_cost(swiss, k)) == {Swiss(k).judgments(n)}
    assert set(find_cost(active, k)) == {InformationGain(k).judgments(n)}
    assert max(find_cost(double, k)) <= DoubleElimination(k).judgments(n) <= k * (2 * n - 2)
    assert {len(noted) for noted in double.matches} == {2 * n - 2 if n > 2 else 1}  # rematches among them


@pytest.mark.parametrize("n", [4, 6, 9])
def test_double_elimination_may_cost_what_it_says(n: int) -> None:
    costs = find_cost(play(DoubleElimination(), guess(500, n))[1], 1)
    assert max(costs) in (DoubleElimination(1).judgments(n), DoubleElimination(1).judgments(n) - 1)
    assert min(costs) >= n - 1


@given(st.integers(2, 17), st.integers(1, 20), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_in_a_swiss_tournament_nobody_meets_again(n: int, rounds: int, seed: int) -> None:
    _, ask = play(Swiss(rounds=rounds), guess(5, n, seed=seed), seed)
    assert len(ask.rounds) == min(rounds, math.ceil(n / 2))
    for noted in ask.matches:
        assert len(noted) == len(set(noted))
    for played in ask.rounds:  # all play, but for one bye
        assert all(len(set(pairs.ravel())) == n - n % 2 for pairs in played)
    if n % 2:  # nobody has two byes
        byes = np.array([[(set(range(n)) - set(pairs.ravel().tolist())).pop() for pairs in r] for r in ask.rounds])
        assert all(len(set(of_replay)) == len(of_replay) for of_replay in byes.T)


def test_those_of_equal_records_meet() -> None:
    order = np.array([[3, 1, 0, 2, 5, 4]])
    met = np.eye(6, dtype=bool)[None].copy()
    assert pair_neighbours(order, met).tolist() == [[[3, 1], [0, 2], [5, 4]]]
    met[0, [3, 1], [1, 3]] = True
    assert pair_neighbours(order, met).tolist() == [[[3, 0], [1, 2], [5, 4]]]
    met[0, [5, 4], [4, 5]] = True  # the two who are left over swap with the pair above
    assert [sorted(pair) for pair in pair_neighbours(order, met)[0].tolist()] == [[0, 3], [1, 4], [2, 5]]


@given(st.integers(2, 12), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_swiss_places_by_points_then_margin_then_buchholz(n: int, seed: int) -> None:
    """Recounted match by match; every fourth match is tied."""
    scores = np.random.default_rng(seed).integers(0, 4, (4, n, n, 1)) / 3
    scores[scores > 0.9] = 0.5
    decision, ask = play(Swiss(), scores, seed)
    for d in range(4):
        points, margin, rivals = [0.0] * n, [0.0] * n, {i: list[int]() for i in range(n)}
        for played in ask.rounds:
            bye = set(range(n))
            for i, j in played[d].tolist():
                won = (2 * scores[d, min(i, j), max(i, j)] - 1).sum() * (1 if i < j else -1)
                points[i] += (np.sign(won) + 1) / 2
                points[j] += (1 - np.sign(won)) / 2
                margin[i], margin[j] = margin[i] + won, margin[j] - won
                rivals[i].append(j)
                rivals[j].append(i)
                bye -= {i, j}
            for i in bye:
                points[i] += 1
        records = [(points[i], round(margin[i], 9), sum(points[j] for j in rivals[i])) for i in range(n)]
        placed = [records[i] for i in np.argsort(decision[d])]
        assert placed == sorted(records)


@given(st.integers(3, 12), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_in_double_elimination_two_losses_put_out(n: int, seed: int) -> None:
    """The scores are graded, so that no match is tied."""
    scores = np.random.default_rng(seed).random((4, n, n, 1))
    decision, ask = play(DoubleElimination(), scores, seed)
    for d in range(4):
        losses = [0] * n
        for played in ask.rounds[:-1]:
            for i, j in played[d].tolist():
                assert losses[i] == losses[j] < 2  # the unbeaten meet the unbeaten
                low_wins = scores[d, min(i, j), max(i, j), 0] > 0.5
                losses[max(i, j) if low_wins else min(i, j)] += 1
        ((i, j),) = ask.rounds[-1][d].tolist()
        assert sorted([losses[i], losses[j]]) == [0, 1] and sum(x < 2 for x in losses) == 2
        low_wins = scores[d, min(i, j), max(i, j), 0] > 0.5
        assert decision[d].argmax() == (min(i, j) if low_wins else max(i, j))


def test_one_loss_puts_nobody_out() -> None:
    """The best loses to the worst alone: in a knockout that may be the end, here it comes back and wins."""
    n = 8
    strength = shuffle_strengths(400, n)
    scores = know(strength)
    best, worst, replay = strength.argmax(axis=1), strength.argmin(axis=1), np.arange(400)
    scores[replay, best, worst], scores[replay, worst, best] = 0, 1
    won = {s.name: (play(s, scores)[0].argmax(axis=1) == best).mean() for s in (Knockout(), DoubleElimination())}
    assert won["knockout"] < 0.95 and won["double_elimination"] == 1


def count_gain(strengths: np.ndarray, i: int, j: int) -> float:
    """The mutual information of who is best and who wins, from the table of both."""
    table = np.zeros((2, len(strengths)))
    for sample in strengths.T:
        chance = 1 / (1 + math.exp(sample[j] - sample[i]))
        table[:, sample.argmax()] += np.array([chance, 1 - chance]) / strengths.shape[1]
    both = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
    known = table > 0
    return float((table[known] * np.log(table[known] / both[known])).sum())


def test_the_expected_gain_is_the_mutual_information() -> None:
    strengths = np.random.default_rng(0).normal(size=(3, 5, 100))
    gains = expect_information(strengths)
    counted = [[count_gain(s, i, j) for i, j in combinations(range(5), 2)] for s in strengths]
    np.testing.assert_allclose(gains, counted, atol=1e-5)


@given(st.integers(2, 6), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_the_posterior_has_its_mode_where_it_is_flat(n: int, seed: int) -> None:
    """By finite differences of the log density itself."""
    won = np.random.default_rng(seed).integers(0, 30, (1, n, n)) * (1.0 - np.eye(n))

    def density(x: np.ndarray) -> float:
        return float(-(won[0] * np.log1p(np.exp(x[None] - x[:, None]))).sum() - (x**2).sum() / 2)

    (mode,), (precision,) = fit_posterior(won)
    step = 1e-3 * np.eye(n)
    up, down = (np.array([density(mode + sign * s) for s in step]) for sign in (1, -1))
    np.testing.assert_allclose((up - down) / 2e-3, 0, atol=1e-3)
    np.testing.assert_allclose((2 * density(mode) - up - down) / 1e-6, np.diag(precision), rtol=1e-3, atol=1e-2)


def test_with_all_pairs_active_pairing_is_a_round_robin() -> None:
    scores = np.random.default_rng(0).integers(0, 2, (50, 4, 4, 5)).astype(float)
    decision, ask = play(InformationGain(matches=99), scores)
    assert all(sorted(noted) == list(combinations(range(4), 2)) for noted in ask.matches)
    points, _ = play(Elo(rating="wins"), scores)  # every pair meets five times, so that points rank as strengths do
    for strengths, won in zip(decision, points):
        assert all((strengths[i] > strengths[j]) == (won[i] > won[j]) for i, j in combinations(range(4), 2))


@pytest.mark.parametrize("strategy", ALL, ids=str)
def test_two_responses_are_a_vote(strategy: Strategy) -> None:
    scores = guess(300, 2, 5, seed=1)
    decision, ask = play(strategy, scores)
    assert set(find_cost(ask, 5)) == {5} == {strategy.at(5).judgments(2)}
    assert (decision.argmax(axis=1) == (scores[:, 0, 1].sum(axis=1) < 2.5)).all()


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 8])
@pytest.mark.parametrize("strategy", ALL, ids=str)
def test_among_guesses_no_place_is_favoured(strategy: Strategy, n: int) -> None:
    """A tie is broken by lot, as the harness prices one; ties of matches (k=2) are coins."""
    draws = 600 if strategy.name == "information_gain" else 4000
    decision, _ = play(strategy, guess(draws, n, 2, seed=n), seed=n)
    lots = np.random.default_rng(n).random(decision.shape)
    wins = np.bincount(np.lexsort((lots, decision))[:, -1], minlength=n)
    assert min(binomtest(int(w), draws, 1 / n).pvalue for w in wins) > 0.001


@pytest.mark.parametrize("strategy", ALL, ids=str)
def test_relabelling_responses_relabels_who_wins(strategy: Strategy) -> None:
    """In distribution: the draws of the two runs are different ones."""
    n, draws, perm = 5, 1500, np.array([3, 0, 4, 1, 2])
    rng = np.random.default_rng(0)
    chance = 1 / (1 + np.exp(np.subtract.outer(np.arange(n), np.arange(n)) / 2))
    moved = chance[np.ix_(perm, perm)]  # response i of the second run is perm[i] of the first
    won = []
    for table in (chance, moved):
        decision, _ = play(strategy, (rng.random((draws, n, n, 3)) < table[None, ..., None]).astype(float), seed=1)
        won.append((decision == decision.max(axis=1, keepdims=True)).mean(axis=0))
    np.testing.assert_allclose(won[1], won[0][perm], atol=4.5 * math.sqrt(0.5 / draws))


@pytest.mark.parametrize("strategy", ALL, ids=str)
def test_where_nothing_is_usable_nothing_is_decided(strategy: Strategy) -> None:
    scores = guess(3, 5, 2)
    scores[1] = np.nan
    decision, _ = play(strategy, scores)
    assert np.isnan(decision[1]).all() and not np.isnan(decision[[0, 2]]).any()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("strategy=swiss strategy.rounds=0", r"strategy\.rounds=0: must be 1 or more"),
        ("strategy=swiss strategy.rounds=1.5", r"strategy\.rounds=1\.5: must be a whole number or null"),
        ("strategy=information_gain strategy.matches=0", r"strategy\.matches=0: must be 1 or more"),
        ("strategy=swiss strategy.tie=half", r"strategy\.tie=half: changes nothing"),
        ("strategy=double_elimination strategy.tie=half", r"strategy\.tie=half: changes nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(composed: Callable[..., DictConfig], option: str, said: str) -> None:
    with pytest.raises(JudgescaleError, match=said):
        plan_arms(composed("task=vicuna80_best_of_5", *option.split()))


def test_what_double_elimination_costs_is_measured(composed: Callable[..., DictConfig]) -> None:
    overrides = ("task=vicuna80_best_of_5", "run.limit=10", "run.draws=20", "strategy.k=2", "run.ks=[2]")
    cost = {}
    for name in ("swiss", "double_elimination", "information_gain"):
        result, _ = evaluate(plan_arms(composed(f"strategy={name}", *overrides))[0])
        cost[name] = result.curve[0].judgments_per_item
    assert cost["swiss"] == cost["information_gain"] == 12
    assert 8 < cost["double_elimination"] < 16  # 2 * (2 * 5 - 2), without a rematch
