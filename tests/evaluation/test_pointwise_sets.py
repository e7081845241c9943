"""Sets whose responses were scored one by one: any question about them, partial judgments, and what they cost."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Sequence
from math import isnan, nan

import numpy as np
import pytest
from fakes import arm, pool, protocol, recorded_set
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.evaluation.evaluate import apply_vote_rule, evaluate
from judgescale.harness.evaluation.replay import Replay, draw_orders
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.recorded import forget_sets
from judgescale.harness.recorded import write_set
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.stats.votes import put_unscored_last, vote
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import JudgescaleError, Judgment, Record

NAMES = ("a", "b", "c", "d")


def scored(
    i: int, sample: int, scores: Sequence[float], shown: Sequence[int] | None = None, tokens: int | None = None
) -> Record:
    """Judgment `sample` of item i; the first response is right."""
    shown = tuple(range(len(scores)) if shown is None else shown)
    lost = all(map(isnan, scores))
    judgment = Judgment(
        judge="j",
        shown=shown,
        scores=None if lost else tuple(scores),
        status="failed" if lost else "ok",
        sample=sample,
        completion_tokens=tokens,
    )
    responses, gold = NAMES[: max(len(scores), max(shown) + 1)], (1.0, 0.0, 0.0, 0.0)
    return Record(
        prompt=f"q{i}",
        cluster=f"q{i}",
        subset="",
        responses=responses,
        gold=gold[: len(responses)],
        judgment=judgment,
    )


def pointwise_arm(records: Sequence[Record], strategy: Strategy, ks: Sequence[int], partial: str = "drop") -> Arm:
    plan = arm(records, strategy, ks)
    data = recorded_set(records, pointwise=True)
    rules = dataclasses.replace(plan.rules, partial=partial)
    return dataclasses.replace(plan, judgments=RecordedJudgments(data, ("j",)), rules=rules)


def noisy_scores(items: int = 12, samples: int = 6, seed: int = 0, missing: float = 0.0) -> list[Record]:
    """Four responses, scored 1 to 10; the first is better by 2 on average."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, j in itertools.product(range(items), range(samples)):
        scores = np.clip(np.rint(rng.normal([7, 5, 5, 4], 2)), 1, 10)
        scores[rng.random(4) < missing] = nan
        rows.append(scored(i, j, scores.tolist(), tokens=100))
    return rows


def test_a_question_about_any_of_the_responses_is_answered_with_their_columns() -> None:
    rows = [scored(0, 0, (1, 2, 3, 4)), scored(0, 1, (9, 8, nan, 6), shown=(3, 2, 1, 0))]
    plan = pointwise_arm(rows, Voting(2), [2])
    (item,) = plan.items
    pools = {question: plan.judgments.find_pool(item, question) for question in ((0, 1, 2, 3), (1, 3), (0, 2))}
    np.testing.assert_array_equal(pools[0, 1, 2, 3].scores, [[1, 2, 3, 4], [6, nan, 8, 9]])
    np.testing.assert_array_equal(pools[1, 3].scores, [[2, 4], [nan, 9]])
    np.testing.assert_array_equal(pools[0, 2].scores, [[1, 3], [6, 8]])


def test_a_judgment_answers_only_questions_about_what_it_was_shown() -> None:
    rows = [scored(0, 0, (1, 2, 3, 4)), scored(0, 1, (5, 6), shown=(2, 0))]
    plan = pointwise_arm(rows, Elo(1), [1])
    (item,) = plan.items
    assert len(plan.judgments.find_pool(item, (0, 2))) == 2 and len(plan.judgments.find_pool(item, (0, 1))) == 1
    assert plan.judgments.widths == (1, 2, 3, 4)
    narrow = pointwise_arm([scored(0, 0, (5, 6), shown=(2, 0))], Elo(1), [1])
    with pytest.raises(JudgescaleError, match="j has no judgment of a against b"):
        narrow.judgments.find_pool(narrow.items[0], (0, 1))


def test_other_sets_answer_only_what_was_asked() -> None:
    plan = arm([scored(0, 0, (1, 2, 3, 4))], Elo(1), [1])
    with pytest.raises(JudgescaleError, match=r"no judgment of these 2 response\(s\) together was recorded"):
        plan.judgments.find_pool(plan.items[0], (0, 1))


def test_a_tournament_of_scores_is_decided_as_its_games_are() -> None:
    """At all k judgments nothing is left to chance: points by hand from the scores."""
    rows = noisy_scores(items=5)
    plan = pointwise_arm(rows, Elo(6, rating="wins"), [6])
    pools = [{q: plan.judgments.find_pool(i, q) for q in plan.strategy.questions(4)} for i in plan.items]
    (decided,) = decide(plan, plan.strategy, [6], pools)
    for item, decisions in zip(plan.items, decided, strict=True):
        scores = np.array([r.judgment.scores for r in rows if r.prompt == item.prompt])
        wins = ((np.sign(scores[:, :, None] - scores[:, None, :]) + 1) / 2).sum(axis=(0, 2)) - 6 / 2
        np.testing.assert_allclose(decisions.scores, np.tile(wins, (len(decisions.scores), 1)))


def test_a_response_brings_the_same_scores_to_all_of_its_games() -> None:
    """As with a live judge, which scores each response k times and not k times a game."""
    rows = [scored(0, j, tuple(10 * j + r for r in range(4))) for j in range(8)]  # each score says whose it is
    plan = pointwise_arm(rows, Elo(3), [3])
    pools = {q: plan.judgments.find_pool(plan.items[0], q) for q in plan.strategy.questions(4)}
    replay = Replay(pools, draw_orders(pools, 20, np.random.default_rng(0)))
    answers = asyncio.run(replay(np.array(list(pools)), 3)).scores  # (D, 6, 3, 2)
    samples = answers // 10
    assert (samples == samples[:, :1, :, :1]).all(), "another score in another game"
    assert len({tuple(s) for s in samples[:, 0, :, 0].tolist()}) > 5, "the replays must differ"


def test_games_of_judgments_that_were_made_for_each_keep_orders_of_their_own() -> None:
    pools = {q: pool([(1, 0)] * 8) for q in itertools.combinations(range(3), 2)}
    order = draw_orders(pools, 20, np.random.default_rng(0))
    assert (order[:, 0] != order[:, 1]).any()


@pytest.mark.parametrize("strategy", [Voting(4), Elo(4), Knockout(4), MetaVoting(4)])
def test_a_judgment_is_the_scores_of_all_responses_and_bought_once(strategy: Strategy) -> None:
    result, _ = evaluate(pointwise_arm(noisy_scores(), strategy, [1, 4]))
    assert {p.k: p.judgments_per_item for p in result.curve} == {1: 1, 4: 4}
    assert {p.k: p.tokens_per_item for p in result.curve} == {1: 100, 4: 400}
    assert result.health["judgments"] == 12 * 6 == len(result.judgments)
    assert any("all questions about a response share its scores" in note for note in result.notes)
    assert not any("questions this run does not ask" in note for note in result.notes)


def test_scores_that_only_some_games_have_are_counted_for_each() -> None:
    """Sample 1 covers the pair of the first two only, for half of the price: the games have different pools."""
    rows = [scored(i, 0, (3, 2, 1), tokens=90) for i in range(4)]
    rows += [scored(i, 1, (3, 2), shown=(0, 1), tokens=60) for i in range(4)]
    rows = [dataclasses.replace(r, responses=NAMES[:3], gold=(1.0, 0.0, 0.0)) for r in rows]
    result, _ = evaluate(pointwise_arm(rows, Elo(1), [1]))
    assert result.curve[0].judgments_per_item == pytest.approx(3 * 2 / 3)  # three games of two of three responses
    assert result.curve[0].tokens_per_item == pytest.approx(2 * 90)
    assert any("at most so many" in note for note in result.notes)


def test_a_vote_takes_the_mean_where_scores_are_missing() -> None:
    """By sums the first would win, 12 to 9; by the means of the scores there are, 9 beats 6."""
    assert vote(np.array([[[6.0, 9.0], [6.0, nan]]])).argmax() == 1
    (row,) = vote(np.array([[[6.0, 9.0], [6.0, nan]]]))
    np.testing.assert_allclose(row, [12, 18])
    (row,) = vote(np.array([[[7.0, 8.0], [8.0, nan], [9.0, nan]]]))
    assert row[0] == row[1], "8 on average, both: a tie"


numbers = st.integers(1, 10).map(float) | st.just(nan)


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=6))
def test_a_missing_score_counts_as_the_mean_of_the_others(rows: list[list[float]]) -> None:
    scores = np.array(rows)
    (decision,) = vote(scores[None])
    lacks = np.isnan(scores)
    if lacks.all():
        assert np.isnan(decision).all()
        return
    usable = scores[~lacks.all(axis=1)]
    for r in range(3):
        column = usable[:, r][~np.isnan(usable[:, r])]
        if len(column):
            assert decision[r] == pytest.approx(column.mean() * len(usable))
        else:
            assert decision[r] < np.delete(decision, r).max(), "a response without a score cannot win"


def test_what_has_no_score_is_below_everything_whatever_the_scale() -> None:
    put = put_unscored_last(np.array([[1e20, nan], [-5.0, nan], [nan, nan], [2.0, 1.0]]))
    assert (put[:2, 1] < put[:2, 0]).all() and np.isnan(put[2]).all() and put[3].tolist() == [2, 1]


def brute_force(scores: np.ndarray, k: int, use: bool) -> float:
    """The share of subsets of k in which the first response wins, a tie counting one half, nothing one half."""
    earned = []
    for subset in itertools.combinations(range(len(scores)), k):
        taken = scores[list(subset)]
        if not use:
            taken = taken[~np.isnan(taken).any(axis=1)]
        means = [np.mean(c) if len(c := column[~np.isnan(column)]) else -np.inf for column in taken.T]
        if all(np.isneginf(means)):
            earned.append(0.5)
        else:
            best = max(means)
            top = [abs(mean - best) < 1e-9 for mean in means]
            earned.append(float(top[0]) if sum(top) == 1 else 0.5 * top[0])
    return float(np.mean(earned))


@pytest.mark.parametrize("partial", ["use", "drop"])
@pytest.mark.parametrize("width", [2, 4])
def test_the_curve_of_partial_judgments_is_that_of_all_subsets(partial: str, width: int) -> None:
    rng = np.random.default_rng(width)
    scores = np.where(rng.random((7, width)) < 0.3, nan, rng.integers(1, 6, (7, width)).astype(float))
    rows = [scored(0, j, s.tolist()) for j, s in enumerate(scores)]
    result, _ = evaluate(pointwise_arm(rows, Voting(7), range(1, 8), partial))
    for point in result.curve:
        assert point.estimate.value == pytest.approx(brute_force(scores, point.k, partial == "use")), point.k
    lacking = np.isnan(scores).any(axis=1) & ~np.isnan(scores).all(axis=1)
    assert result.health["partial"] == lacking.sum() > 0
    note = "takes the mean of those there are" if partial == "use" else "no vote counts them"
    assert sum(note in line for line in result.notes) == 1


def test_dropping_judgments_is_as_if_they_had_failed() -> None:
    rows = noisy_scores(missing=0.2)
    failed = [
        dataclasses.replace(r, judgment=dataclasses.replace(r.judgment, scores=None, status="failed"))
        if r.judgment.scores and any(map(isnan, r.judgment.scores))
        else r
        for r in rows
    ]
    for strategy in (Voting(6), MetaVoting(6, meta="oracle")):
        ours, theirs = (evaluate(pointwise_arm(each, strategy, [1, 3, 6]))[0] for each in (rows, failed))
        assert [p.estimate for p in ours.curve] == [p.estimate for p in theirs.curve]


def test_a_game_needs_the_scores_of_its_two_alone() -> None:
    """The judgment lacks the fourth score: of use in the games of the other three, whatever votes make of it."""
    rows = [scored(0, 0, (9, 5, 3, nan))]
    result, _ = evaluate(pointwise_arm(rows, Elo(1, rating="wins"), [1]))
    assert result.headline.value == pytest.approx(1)
    assert any("a game counts those that have the scores of its two" in note for note in result.notes)
    assert evaluate(pointwise_arm(rows, Voting(1), [1]))[0].headline.value == 0.5  # what the protocol gives for none


@pytest.mark.parametrize("strategy", [MetaVoting(6), MetaVoting(6, meta="oracle"), MetaVoting(6, meta="random")])
def test_a_meta_rm_chooses_among_partial_judgments_too(strategy: Strategy) -> None:
    result, _ = evaluate(pointwise_arm(noisy_scores(missing=0.2), strategy, [2, 6], "use"))
    assert 0.5 < result.headline.value <= 1
    assert not any("upper bound of all meta RMs" in note for note in result.notes)


def test_by_verdicts_the_best_of_the_scored_has_the_vote() -> None:
    plan = pointwise_arm([scored(0, 0, (nan, 5, 7, 7))], Voting(1), [1], "use")
    plan = dataclasses.replace(plan, rules=dataclasses.replace(plan.rules, votes="verdicts"))
    one = apply_vote_rule(plan, plan.judgments.find_pool(plan.items[0], (0, 1, 2, 3)))
    np.testing.assert_array_equal(one.scores, [[nan, 0, 0.5, 0.5]])


def test_only_where_there_may_be_partial_judgments_is_the_rule_signed() -> None:
    rows = noisy_scores(items=3)
    plain = arm(rows, Voting(6), [6])
    assert "partial=" not in evaluate(plain)[0].signature and "partial" not in evaluate(plain)[0].health
    assert "partial=use" in evaluate(pointwise_arm(rows, Voting(6), [6], "use"))[0].signature


def test_rewardbench_2_uses_the_ratings_there_are_and_other_rules_do_not() -> None:
    assert protocol("rewardbench2").partial == "use" and protocol("rewardbench").partial == "drop"
    with pytest.raises(JudgescaleError, match="protocol.partial=keep: choose one of drop, use"):
        dataclasses.replace(protocol("custom"), partial="keep")


def test_items_without_a_score_of_a_response_are_left_out_where_the_protocol_says_so(composed, tmp_path) -> None:
    rows = [
        scored(0, 0, (2, 1, 1, 1)), scored(0, 1, (2, 1, 1, nan)),  # whole
        scored(1, 0, (2, nan, 1, 1)), scored(1, 1, (nan, 1, 1, 1)),  # of each response one score at least
        scored(2, 0, (2, 1, 1, nan)), scored(2, 1, (2, 1, 1, nan)),  # of the last none
        scored(3, 0, (nan,) * 4), scored(3, 1, (nan,) * 4),  # of none any
    ]  # fmt: skip
    path = tmp_path / "set.parquet"
    write_set(path, rows, {"tasks": ["custom"], "pointwise": True})
    forget_sets()

    def plan(partial: str) -> Arm:
        (planned,) = plan_arms(composed("task=custom", f"engine.path={path}", f"protocol.partial={partial}"))
        return planned

    assert [item.id for item in plan("leave_out").items] == ["q0", "q1"]
    assert plan("leave_out").about[0].startswith("Evaluated on 2 of 4 items only: 2 have a response without any score.")
    assert len(plan("use").items) == len(plan("drop").items) == 4
    forget_sets()
    write_set(path, rows[4:], {"tasks": ["custom"], "pointwise": True})
    with pytest.raises(
        JudgescaleError, match="protocol.partial=leave_out: set set has no item of which every response"
    ):
        plan("leave_out")
    with pytest.raises(JudgescaleError, match="which items lack a score is known of recorded judgments only"):
        plan_arms(composed("judge=smollm2", "task=sanity", "protocol.partial=leave_out"))
