"""Strategies: the paper's golden case, agreement between them, and what must not matter."""

from __future__ import annotations

import asyncio
import itertools

import choix
import numpy as np
import pytest
from fakes import pool
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.evaluation.replay import Replay, draw_orders
from judgescale.harness.recorded.pools import Pool
from judgescale.harness.stats.votes import vote
from judgescale.harness.strategies.elo import Elo, award_points, bradley_terry, win_matrix
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import JudgescaleError

verdicts = st.sampled_from([(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), None])


def decide(strategy, pools, n, draws=1, seed=0, order=None):
    if isinstance(pools, Pool):
        pools = {tuple(range(n)): pools}
    rng = np.random.default_rng(seed)
    if order is None:
        order = draw_orders(pools, draws, rng)
    return asyncio.run(strategy(Replay(pools, order), n, rng))


def table(matches, k=1):
    """Pools of a round robin in which i beats j in every judgment exactly when matches[i, j]."""
    n = len(matches)
    return {(i, j): pool([(1, 0) if matches[i, j] else (0, 1)] * k) for i, j in itertools.combinations(range(n), 2)}


# DeepSeek-GRM, arXiv 2504.02495, Table 17: shown scores {8,8} in order 1,2; {9,5} and {10,7} in order 2,1.
GOLDEN = pool([(8, 8), (5, 9), (7, 10)], meta=[-15.7781, 1.3126, 1.6739])


def test_golden_case_of_the_paper():
    assert decide(Voting(3), GOLDEN, 2).tolist() == [[20, 27]]
    assert decide(MetaVoting(3, k_meta=2), GOLDEN, 2).tolist() == [[12, 19]]
    assert decide(MetaVoting(3, k_meta=1), GOLDEN, 2).tolist() == [[7, 10]]
    assert (
        MetaVoting(3).count_voters(3) == 1
        and MetaVoting(32).count_voters(32) == 16
        and MetaVoting(1).count_voters(1) == 1
    )


@given(st.lists(verdicts, min_size=1, max_size=8))
def test_the_whole_pool_is_the_plain_vote(given_verdicts):
    scores = [s for s in given_verdicts if s is not None]
    decision = decide(Voting(len(given_verdicts)), pool(given_verdicts), 2)[0]
    if scores:
        assert decision.tolist() == np.sum(scores, axis=0).tolist()
    else:
        assert np.isnan(decision).all()


@given(st.lists(verdicts, min_size=1, max_size=8), st.integers(0, 99))
def test_k_1_of_every_vote_is_single(given_verdicts, seed):
    p = pool(given_verdicts, meta=range(len(given_verdicts)))
    one = decide(Single(), p, 2, draws=4, seed=seed)
    for strategy in (Voting(1), MetaVoting(1)):
        np.testing.assert_array_equal(decide(strategy, p, 2, draws=4, seed=seed), one)


def test_k_is_a_prefix_of_a_larger_k():
    p = {(0, 1): pool([(i, 0) for i in range(32)])}
    order = draw_orders(p, 3, np.random.default_rng(0))
    few = asyncio.run(Replay(p, order)(np.array([[0, 1]]), 8)).scores
    many = asyncio.run(Replay(p, order)(np.array([[0, 1]]), 32)).scores
    np.testing.assert_array_equal(few, many[:, :, :8])


def test_plurality_counts_unusable_judgments_as_a_verdict():
    def say(*scores):
        return np.array([[[np.nan] if s is None else [s] for s in scores]], float)

    assert np.isnan(vote(say(None, None, None, 0, 0), "plurality")).all()  # three of five said nothing
    assert vote(say(None, None, 1, 1, 0), "plurality")[0, 0] == pytest.approx(2 / 3)
    assert vote(say(None, None, None, 0, 0))[0, 0] == 0  # abstaining, the two who spoke decide


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 8])
def test_tournaments_find_the_one_who_beats_everyone(n):
    rng = np.random.default_rng(n)
    beats = rng.random((n, n)) < 0.5
    champion = 1
    beats[champion], beats[:, champion] = True, False
    strategies = [Knockout(1), Elo(1), Elo(1, rating="bradley_terry"), Elo(1, rating="wins")]
    for strategy in strategies:
        decision = decide(strategy, table(beats), n, draws=20)
        assert (decision.argmax(axis=1) == champion).all(), strategy


@pytest.mark.parametrize("n", [2, 3, 5, 6, 8])
def test_a_knockout_plays_n_minus_1_matches_of_k(n):
    asked = []
    pools = table(np.tri(n, k=-1), k=3)
    replay = Replay(pools, draw_orders(pools, 1, np.random.default_rng(0)))

    class Counting:
        draws = 1

        async def __call__(self, questions, k):
            asked.append(questions.shape[-2] * k)
            return await replay(questions, k)

    asyncio.run(Knockout(3)(Counting(), n, np.random.default_rng(0)))
    assert sum(asked) == Knockout(3).judgments(n) == 3 * (n - 1)
    assert Elo(3).judgments(n) == 3 * n * (n - 1) / 2


def test_sums_that_are_equal_tie():
    """Also where rounding errors tell them apart; what is far below the top, however far, has no say in that."""
    tenths = pool([(0.1, 0.3, -1e30), (0.2, 0.0, -1e30)], width=3)
    (first, second, _), *_ = decide(Voting(2), tenths, 3)
    assert first == second == pytest.approx(0.3)
    close = decide(Voting(2), pool([(0.5, 0.5 + 1e-9, -1e30), (0.3, 0.3, -1e30)], width=3), 3)[0]
    assert close.argmax() == 1
    match = pool([(0.1, 0.3), (0.2, 0.1), (0.3, 0.2)])  # margins -.2, .1, .1
    won = decide(Knockout(3), {(0, 1): match}, 2, draws=400)[:, 0] > 0
    assert 0.4 < won.mean() < 0.6


def test_byes_go_round():
    """With 5 responses nobody reaches the final without a single match."""
    n = 5
    beats = np.tri(n, k=-1).T.astype(bool)  # lower index always wins
    survived = decide(Knockout(1), table(beats), n, draws=500)
    assert (survived[:, 0] == survived.max(axis=1)).all()
    # The worst may live on by byes only; it never gets two of them in a row, so never to the final round.
    assert survived[:, 4].max() <= 1


def test_a_tied_match_is_a_fair_coin():
    survived = decide(Knockout(1), pool([(0.5, 0.5)]), 2, draws=4000)
    assert abs((survived.argmax(axis=1) == 0).mean() - 0.5) < 0.03


@given(st.permutations(range(4)), st.integers(0, 2**31))
def test_relabelling_responses_relabels_the_ratings(perm, seed):
    n, rng = 4, np.random.default_rng(seed)
    points = rng.integers(0, 3, (n, n)) / 2

    def pools(p):
        both = {}
        for i, j in itertools.combinations(range(n), 2):
            a, b = p[i], p[j]
            x = points[min(a, b), max(a, b)]
            x = x if a < b else 1 - x
            both[i, j] = pool([(x, 1 - x)])
        return both

    for rating in ("wins", "bradley_terry"):
        plain = decide(Elo(1, rating=rating), pools(range(n)), n)[0]
        moved = decide(Elo(1, rating=rating), pools(perm), n)[0]
        np.testing.assert_allclose(moved, plain[list(perm)], atol=1e-6)


def test_swapping_the_shown_order_of_a_question_swaps_the_answer():
    p = {(0, 1): pool([(9, 5), (7, 2)])}
    replay = Replay(p, draw_orders(p, 1, np.random.default_rng(0)))
    forward = asyncio.run(replay(np.array([[0, 1]]), 2)).scores
    backward = asyncio.run(replay(np.array([[1, 0]]), 2)).scores
    np.testing.assert_array_equal(forward, backward[..., ::-1])


@given(st.integers(0, 2**31))
def test_bradley_terry_equals_choix(seed):
    n, rng = 4, np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    points = rng.integers(0, 3, (1, len(pairs), 3)) / 2
    won = win_matrix(pairs, points, n)
    expected = choix.mm_pairwise_dense if hasattr(choix, "mm_pairwise_dense") else choix.ilsr_pairwise_dense
    theirs = expected(won[0] + 0.1 * (1 - np.eye(n)))
    np.testing.assert_allclose(bradley_terry(won)[0], theirs - theirs.mean(), atol=1e-3)


def test_points_and_a_wrong_rating():
    assert award_points(np.array([[9.0, 5.0], [1, 1], [0, 1]])).tolist() == [1, 0.5, 0]
    with pytest.raises(JudgescaleError, match=r"strategy\.rating=glicko: choose elo"):
        Elo(1, rating="glicko")


def test_the_chance_in_elos_games_shows_between_replays():
    """The same judgments in every replay: only the order of the games is left to chance, and each has its own."""
    rng = np.random.default_rng(0)
    pools = {
        pair: pool([(1, 0) if won else (0, 1) for won in rng.random(6) < 0.5])
        for pair in itertools.combinations(range(4), 2)
    }
    order = np.tile(np.arange(6), (400, 6, 1))
    first, second = (decide(Elo(6, passes=4), pools, 4, order=order, seed=seed) for seed in range(2))
    error = first.std(axis=0, ddof=1) / np.sqrt(len(first))
    assert (error > 0).all()
    assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < 5 * np.sqrt(2) * error).all()
    assert np.allclose(first.sum(axis=1), 4000)
