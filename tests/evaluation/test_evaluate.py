"""From pools to curves: closed forms of a fake judge, invariances, and a meta RM that cannot peek."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from fakes import arm, judged, noisy_pairs

from judgescale.harness.evaluation.credits import credit_units
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.meta import find_right_judgments, score_judgments
from judgescale.harness.recorded.pools import make_pool
from judgescale.harness.report.next_commands import suggest
from judgescale.harness.runner import evaluate_all
from judgescale.harness.stats.classification import auc
from judgescale.harness.strategies.double_elimination import DoubleElimination
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.information_gain import InformationGain
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.swiss import Swiss
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Item, Judgment, Record, Rules
from judgescale.tasks.custom import task as custom_task


def overall(result):
    return {p.k: p.estimate for p in result.curve if p.section == "overall"}


def majority(p, k):
    """P(a majority of k independent judgments of accuracy p is right), for odd k."""
    return sum(math.comb(k, i) * p**i * (1 - p) ** (k - i) for i in range(k // 2 + 1, k + 1))


def test_the_curve_of_an_independent_judge_is_the_binomial_one():
    records = noisy_pairs(0.7, items=2000)
    result, _ = evaluate(arm(records, Voting(9), (1, 3, 5, 9)))
    for k, estimate in overall(result).items():
        assert estimate.value == pytest.approx(majority(0.7, k), abs=0.02)
        assert estimate.ci[0] < estimate.value < estimate.ci[1] and estimate.mc_error == 0


def test_replays_agree_with_the_closed_form():
    records = noisy_pairs(0.65, items=300)
    exact = overall(evaluate(arm(records, Voting(9), (1, 2, 5, 9)))[0])
    tournaments = (Knockout(9), Elo(9, rating="wins"), Swiss(9), DoubleElimination(9), InformationGain(9))
    for strategy in tournaments:  # on two responses each is a vote
        replayed = overall(evaluate(arm(records, strategy, (1, 2, 5, 9)))[0])
        for k, estimate in replayed.items():
            assert abs(estimate.value - exact[k].value) < 5 * estimate.mc_error + 1e-9, (strategy, k)


def test_single_is_voting_at_1():
    records = noisy_pairs(0.6)
    assert (
        overall(evaluate(arm(records, Single(), (1,)))[0])[1].value
        == overall(evaluate(arm(records, Voting(9), (1, 9)))[0])[1].value
    )


def test_item_order_changes_nothing():
    records = noisy_pairs(0.6, items=40)
    for strategy in (Voting(5), MetaVoting(5), Knockout(5)):
        plan = arm(records, strategy, (1, 2, 5))
        forward = evaluate(plan)[0]
        backward = evaluate(dataclasses.replace(plan, items=plan.items[::-1]))[0]
        assert {k: e.value for k, e in overall(forward).items()} == pytest.approx(
            {k: e.value for k, e in overall(backward).items()}, abs=1e-12
        ), strategy


def test_relabelling_responses_changes_nothing():
    records = noisy_pairs(0.6, items=40)
    swapped = [
        dataclasses.replace(
            r,
            responses=r.responses[::-1],
            gold=r.gold[::-1],
            judgment=dataclasses.replace(r.judgment, shown=tuple(1 - i for i in r.judgment.shown)),
        )
        for r in records
    ]
    for strategy in (Voting(5), MetaVoting(5)):
        a, b = (overall(evaluate(arm(rows, strategy, (1, 2, 5)))[0]) for rows in (records, swapped))
        assert {k: e.value for k, e in a.items()} == pytest.approx({k: e.value for k, e in b.items()})


def best_of_4(samples=6, items=60, seed=3):
    """One-hot picks among four by a judge that is right 6 times in 10."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(items):
        for j in range(samples):
            pick = 0 if rng.random() < 0.6 else int(rng.integers(1, 4))
            scores = tuple(float(pick == r) for r in range(4))
            judgment = Judgment(judge="j", shown=(0, 1, 2, 3), scores=scores, sample=j)
            rows.append(
                Record(
                    prompt=f"q{i}",
                    cluster=f"q{i}",
                    subset="s",
                    responses=("a", "b", "c", "d"),
                    gold=(1.0, 0.0, 0.0, 0.0),
                    judgment=judgment,
                )
            )
    return rows


def test_few_subsets_are_all_counted_and_many_are_sampled():
    few, _ = evaluate(arm(best_of_4(), Voting(6), (1, 3, 6)))
    assert all(e.mc_error == 0 for e in overall(few).values())  # C(6, 3) = 20 subsets
    alike, _ = evaluate(arm(best_of_4(samples=12), Voting(12), (6,)))
    assert overall(alike)[6].mc_error == 0  # C(12, 6) = 924, but equal picks are interchangeable
    many, _ = evaluate(arm(best_of_4(samples=60), Voting(60), (30, 60)))
    assert overall(many)[30].mc_error > 0 and overall(many)[60].mc_error == 0
    assert any("Monte Carlo" in n for n in evaluate(arm(best_of_4(samples=60), Voting(30), (30,)))[0].notes)


def test_unusable_judgments_are_counted_and_credited_by_the_protocol():
    rows = [
        Record(
            prompt="q",
            cluster="q",
            subset="",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge="j", shown=(0, 1), scores=None, status=status, sample=i),
        )
        for i, status in enumerate(["unparsed", "truncated", "refused", "failed"])
    ]
    result, _ = evaluate(arm(rows, Voting(4), (1, 4)))
    assert overall(result)[4].value == 0.5  # the fake protocol's credit for a failure
    assert result.health["unparseable"] == 3 and result.health["failed"] == 1
    assert result.headline.ci is None  # one cluster says nothing about others


def test_health_counts_ties_and_order_flips():
    def row(shown, scores):
        return Record(
            prompt="q",
            cluster="q",
            subset="",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge="j", shown=shown, scores=scores),
        )

    result, _ = evaluate(arm([row((0, 1), (1.0, 0.0)), row((1, 0), (1.0, 0.0))], Voting(2), (2,)))
    assert result.health["order_flips"] == 1  # it prefers whatever comes first
    result, _ = evaluate(arm([row((0, 1), (0.5, 0.5)), row((1, 0), (1.0, 0.0))], Voting(2), (2,)))
    counts = {
        "judgments": 2,
        "unparseable": 0,
        "ties": 1,
        "order_flips": 0,
        "failed": 0,
        "statuses": {"ok": 2},
        "tied_decisions": 0.0,
    }
    assert {name: result.health[name] for name in counts} == counts


def test_health_counts_the_decisions_that_tie():
    """Judgments that do not tie may still split: 2 against 2 of 4, and at k=2 four of the six subsets."""
    rows = [judged(i, (float(s < 2 or i > 2), float(s >= 2 and i <= 2)), s) for i in range(6) for s in range(4)]
    for k, tied in ((4, 3), (2, 3 * 4 / 6), (1, 0)):
        result, _ = evaluate(arm(rows, Voting(k), (k,)))
        assert result.health["tied_decisions"] == pytest.approx(tied) and result.health["ties"] == 0
    lone = [
        dataclasses.replace(
            row,
            responses=("a",),
            gold=(1.0,),
            judgment=dataclasses.replace(row.judgment, shown=(0,), scores=(1.0 * (i % 4 < 2),)),
        )
        for i, row in enumerate(rows)
    ]
    assert evaluate(arm(lone, Voting(4), (4,)))[0].health["tied_decisions"] == pytest.approx(6)
    replayed, _ = evaluate(arm(best_of_4(), Voting(6), (6,)))
    assert 0 <= replayed.health["tied_decisions"] < replayed.items


def test_notes_are_about_the_judges_and_subsets_that_were_chosen(evaluated):
    def tell(*overrides):
        return {judge: " ".join(result.notes) for judge, result in evaluated(*overrides).items()}

    whole = tell("task=vicuna80_pairs")["5 judges pooled"]
    assert "5 judges x 2 orders" in whole and "1,150 of 8,000 recorded judgments" in whole
    one = tell("task=vicuna80_pairs", "judge.names=[gpt4]")["gpt4"]
    assert "What varies between judgments: 1 judge x 2 orders" in one and "5 judges" not in one
    two = tell("task=vicuna80_pairs", "judge.names=[gpt4,claude]", "judge.pool=true")["claude+gpt4"]
    assert "What varies between judgments: 2 judges x 2 orders" in two
    (part,) = tell("task=llmbar", "judge.names=[GPT-4/Swap]", "task.subsets=[Neighbor]").values()
    assert "1 judge x 2 orders" in part and "evaluators" not in part
    assert "GPTInst" not in part and "questions this run does not ask" not in part  # those were not chosen
    (sample,) = tell("task=llmbar", "judge.names=[GPT-4/Swap]", "run.limit=40").values()
    assert "questions this run does not ask" not in sample and "GPTInst 0 of 92" in sample


def test_many_arms_have_their_differences_in_their_notes():
    pairs = noisy_pairs(0.7, items=20, samples=2)
    results = evaluate_all([dataclasses.replace(arm(pairs, Voting(2), [2]), seed=seed) for seed in range(9)])
    assert [len(r.differences) for r in results] == [0] + [1] * 8
    assert all(r.notes[-1] == r.differences[0] and "points" in r.notes[-1] for r in results[1:])


def test_a_meta_rm_lies_between_knowing_nothing_and_the_label():
    result, _ = evaluate(arm(noisy_pairs(0.6), MetaVoting(8), (8,)))
    knowing, blind = (
        result.details[f"{who} at k=8"]
        for who in ("oracle meta RM (knows the label)", "random meta RM (knows nothing)")
    )
    assert knowing > result.headline.value > 0.4 and knowing > blind
    assert blind == pytest.approx(evaluate(arm(noisy_pairs(0.6), Voting(4), (4,)))[0].headline.value)


def meta_pools(verdicts, judges, orders=((0, 1), (1, 0))):
    """Items a/b whose first response is right, judged alternately in these orders."""
    items, pools, right = [], [], []
    for i, picks in enumerate(verdicts):
        items.append(Item(id=f"q{i}", prompt=f"q{i}", cluster=f"q{i}", responses=("a", "b"), gold=(1.0, 0.0)))
        shown = [orders[j % len(orders)] for j in range(len(picks))]
        scores = np.array([(1.0, 0.0) if pick else (0.0, 1.0) for pick in picks])
        judgments = tuple(
            Judgment(judge=judges[i], shown=order, scores=tuple(score[list(order)]), sample=j)
            for j, (order, score) in enumerate(zip(shown, scores))
        )
        names = tuple(tuple("ab"[place] for place in order) for order in shown)
        pools.append(make_pool(judgments, names, scores, np.full(len(picks), np.nan)))
        right.append(np.array(picks, float))
    return items, pools, right


def test_cross_fitting_never_sees_the_labels_of_its_own_question():
    """Every question has a judge of its own who is always right or always wrong: only its own labels could tell."""
    rng = np.random.default_rng(0)
    verdicts = [[bool(label)] * 6 for label in rng.integers(2, size=60)]
    label = np.concatenate(verdicts)

    def rank_all(judges):
        return auc(label, np.concatenate(score_judgments("logistic", *meta_pools(verdicts, judges)).scores))

    assert rank_all([f"j{i}" for i in range(60)]) < 0.65
    # The same verdicts by two judges who occur in other questions too: now they can be told apart.
    assert rank_all([f"j{picks[0]}" for picks in verdicts]) > 0.99


def test_a_set_that_shows_the_right_answer_first_teaches_the_meta_rm_nothing():
    """Random verdicts: "favours the first" would be the label itself."""
    verdicts = np.random.default_rng(1).random((80, 6)) < 0.5
    items, pools, right = meta_pools(verdicts, ["j"] * 80, orders=((0, 1),))
    found = score_judgments("logistic", items, pools, right)
    assert 0.4 < found.auc < 0.6
    assert "they would give it away" in found.notes[0]
    even = score_judgments("logistic", *meta_pools(verdicts, ["j"] * 80))
    assert 0.4 < even.auc < 0.6 and not even.notes


def test_the_auc_of_a_meta_rm_is_about_judgments_that_favour_one_response():
    """Half of the judgments are ties, which earn nothing: to spot them is not to tell right from wrong."""
    rng = np.random.default_rng(3)
    items, pools, _ = meta_pools(rng.random((80, 8)) < 0.5, ["j"] * 80)
    pools = [dataclasses.replace(p, scores=np.where(rng.random(8)[:, None] < 0.5, 0.5, p.scores)) for p in pools]
    judgments = [
        tuple(
            dataclasses.replace(j, scores=(0.5, 0.5) if tied else j.scores)
            for j, tied in zip(p.judgments, p.scores[:, 0] == p.scores[:, 1], strict=True)
        )
        for p in pools
    ]
    pools = [make_pool(js, p.shown, p.scores, p.meta) for p, js in zip(pools, judgments, strict=True)]
    areas = []
    for flip in range(4):
        golds = [(1.0, 0.0) if heads else (0.0, 1.0) for heads in np.random.default_rng(flip).random(80) < 0.5]
        guessed = [dataclasses.replace(i, gold=gold) for i, gold in zip(items, golds, strict=True)]
        rules = Rules(name="test", tie="zero", failure=0.0, unusable="abstain", order="as_is")
        right = [find_right_judgments(custom_task(), rules, i, p) for i, p in zip(guessed, pools, strict=True)]
        areas.append(score_judgments("logistic", guessed, pools, right).auc)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("meta", ["logistic", "random", "oracle"])
def test_the_seed_does_not_move_meta_voting(meta):
    plan = arm(noisy_pairs(0.65, items=40, samples=6), MetaVoting(6, k_meta=3, meta=meta), (2, 6))
    found = [evaluate(dataclasses.replace(plan, seed=seed, draws=100 + seed))[0] for seed in range(3)]
    assert overall(found[0]) == overall(found[1]) == overall(found[2]) and found[0].headline.mc_error == 0


def with_equal_scores(records):
    return [dataclasses.replace(r, judgment=dataclasses.replace(r.judgment, meta=0.0)) for r in records]


def test_the_order_of_equal_meta_scores_is_averaged_exactly():
    rows = with_equal_scores(noisy_pairs(0.65, items=40, samples=6))
    plan = arm(rows, MetaVoting(6, k_meta=3, meta="recorded"), (6,))
    found = [evaluate(dataclasses.replace(plan, seed=seed))[0].headline for seed in range(3)]
    assert found[0] == found[1] == found[2] and found[0].mc_error == 0
    blind = evaluate(arm(noisy_pairs(0.65, items=40, samples=6), Voting(3), (3,)))[0].headline
    assert found[0].value == pytest.approx(blind.value, abs=1e-12)


def test_the_order_of_equal_meta_scores_is_drawn_where_the_strategy_is_replayed():
    plan = arm(with_equal_scores(best_of_4()), MetaVoting(6, k_meta=2, meta="recorded"), (6,))
    found = [evaluate(dataclasses.replace(plan, seed=seed))[0].headline for seed in range(10)]
    spread, said = np.std([e.value for e in found], ddof=1), np.mean([e.mc_error for e in found])
    assert said > 0 and 0.5 < spread / said < 1.8
    blind = evaluate(arm(best_of_4(), Voting(2), (2,)))[0].headline.value
    assert np.mean([e.value for e in found]) == pytest.approx(blind, abs=4 * said / np.sqrt(10))


@pytest.mark.parametrize(
    ("strategy", "gold", "bound"),
    [
        (MetaVoting(3), (1.0, 0.0), True),
        (MetaVoting(3), (0.5, 0.5), False),
        (MetaVoting(3, unusable="plurality"), (1.0, 0.0), False),
    ],
)
def test_the_oracle_is_called_an_upper_bound_only_where_it_is(strategy, gold, bound):
    rows = [
        dataclasses.replace(r, gold=gold, judgment=dataclasses.replace(r.judgment, status="unparsed", scores=None))
        if r.judgment.sample == 3
        else dataclasses.replace(r, gold=gold)
        for r in noisy_pairs(0.6, items=20, samples=4)
    ]
    items = [
        Item(id=p, prompt=p, cluster=p, responses=("a", "b"), gold=gold) for p in dict.fromkeys(r.prompt for r in rows)
    ]
    notes = evaluate(arm(rows, strategy, (3,), items=items))[0].notes
    assert any("is an upper bound" in note for note in notes) == bound
    assert any("is no upper bound" in note for note in notes) != bound


def test_equal_meta_scores_do_not_rank_as_recorded():
    """The first half of every pool is right and the second wrong: ranked by position, a blind meta RM would know."""
    rows = [judged(i, (1.0, 0.0) if j < 3 else (0.0, 1.0), j, meta=0.0) for i in range(100) for j in range(6)]
    result, _ = evaluate(arm(rows, MetaVoting(6, k_meta=3, meta="recorded"), (6,)))
    assert 0.35 < result.headline.value < 0.65


def test_meta_scores_do_not_depend_on_other_judgments_of_the_pool():
    """Dropping one judgment of one test question leaves the scores of its others as they were."""
    verdicts = np.random.default_rng(2).random((50, 8)) < 0.6
    items, pools, right = meta_pools(verdicts, ["j"] * 50)
    whole = score_judgments("logistic", items, pools, right)
    cut = pools[0].take(np.arange(7))
    fewer = score_judgments("logistic", items, [cut, *pools[1:]], [right[0][:7], *right[1:]])
    np.testing.assert_allclose(fewer.scores[0], whole.scores[0][:7], atol=1e-6)


def test_missing_meta_scores_are_told():
    rows = [
        dataclasses.replace(r, judgment=dataclasses.replace(r.judgment, meta=1.0 if i % 2 else None))
        for i, r in enumerate(noisy_pairs(0.6, items=20))
    ]
    result, _ = evaluate(arm(rows, MetaVoting(4, meta="recorded"), (4,)))
    assert "90 of 180 judgments have no meta score and vote last." in result.notes


def test_tokens_are_averaged_over_items_and_their_absence_is_told():
    def rows(prompt=1):
        return [
            judged(i, (1.0, 0.0), j, prompt_tokens=prompt, completion_tokens=9 if i else 99)
            for i in range(2)
            for j in range(8 if i else 2)
        ]

    result, _ = evaluate(arm(rows(), Voting(2), (1, 2)))
    assert [p.tokens_per_item for p in result.curve if p.section == "overall"] == [55, 110]  # (100 + 10) / 2
    assert result.compute["completion_tokens"] == 2 * (99 + 9) and result.compute["seconds"] is None
    result, _ = evaluate(arm(rows(prompt=None), Voting(2), (2,)))
    assert result.curve[0].tokens_per_item == 108 and any("completion tokens only" in n for n in result.notes)
    lacking = [
        Record(
            prompt="q0",
            cluster="q0",
            subset="",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge="j", shown=(0, 1), scores=(1.0, 0.0)),
        )
    ]
    result, _ = evaluate(arm(rows()[1:] + lacking, Voting(2), (2,)))
    assert result.curve[0].tokens_per_item == 70  # the mean of all others is 20: (100 + 20 + 10 + 10) / 2
    assert "Tokens: 1 of 10 came uncounted and are taken at the mean of the others." in result.notes
    few = [r.judgment for r in rows()]
    most = [
        dataclasses.replace(r, judgment=dataclasses.replace(j, completion_tokens=9 if i < 2 else None))
        for i, (r, j) in enumerate(zip(rows(), few))
    ]
    result, _ = evaluate(arm(most, Voting(2), (2,)))
    assert result.curve[0].tokens_per_item is None and any("lack a token count" in n for n in result.notes)


@pytest.mark.parametrize("strategy", [Knockout(2), Elo(2), Elo(2, rating="wins"), Voting(2)])
def test_a_decision_without_a_usable_judgment_earns_what_the_protocol_says(strategy):
    rows = [
        Record(
            prompt="q",
            cluster="q",
            subset="",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge="j", shown=(0, 1), scores=None, status="unparsed", sample=j),
        )
        for j in range(2)
    ]
    plan = arm(
        rows, strategy, (2,), rules=Rules(name="test", tie="zero", failure=0.125, unusable="abstain", order="as_is")
    )
    assert evaluate(plan)[0].headline.value == pytest.approx(0.125)


def test_recorded_meta_scores_reproduce_the_papers_golden_case():
    shown = [((0, 1), (8.0, 8.0), -15.7781), ((1, 0), (9.0, 5.0), 1.3126), ((1, 0), (10.0, 7.0), 1.6739)]
    rows = [
        Record(
            prompt="q",
            cluster="q",
            subset="",
            responses=("1", "2"),
            gold=(0.0, 1.0),
            judgment=Judgment(judge="grm", shown=order, scores=scores, sample=i, meta=meta),
        )
        for i, (order, scores, meta) in enumerate(shown)
    ]
    plan = arm(rows, MetaVoting(3, k_meta=2, meta="recorded"), (3,))
    ((decision,),) = decide(plan, plan.strategy, [3], [{(0, 1): plan.judgments.find_pool(plan.items[0], (0, 1))}])
    assert decision.draws == 0 and credit_units(plan, [[decision]]).value.tolist() == [[1.0]]
    np.testing.assert_array_equal(plan.judgments.find_pool(plan.items[0], (0, 1)).scores, [[8, 8], [5, 9], [7, 10]])


def test_arms_of_two_protocols_are_compared_and_run_again_by_name(tmp_path):
    rules = [
        Rules(name=name, tie=tie, failure=0.0, unusable="abstain", order="as_is")
        for name, tie in (("custom", "zero"), ("common", "share"))
    ]
    pairs = noisy_pairs(0.7, items=20, samples=4)
    arms = [arm(pairs, Voting(4), [4], rules=each) for each in rules]
    owner, common = evaluate_all(arms)
    assert common.notes[-1].startswith("voting at k=4 by protocol=common - voting at k=4 by protocol=custom: ")
    commands = [suggest(result, of, tmp_path)[0] for result, of in zip((owner, common), arms)]
    assert "protocol" not in commands[0] and commands[1].startswith(
        "python run.py -m task=custom protocol=common engine"
    )


def test_by_verdicts_every_judgment_counts_one_vote_whatever_its_scores():
    """JudgeBench's rule for graded scores: +3 in one game and -2 in the other is a draw, which is wrong there."""
    rows = [
        Record(
            prompt="q",
            cluster="q",
            subset="",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge="j", shown=(0, 1), scores=scores, sample=i),
        )
        for i, scores in enumerate([(8.0, 5.0), (4.0, 6.0)])
    ]
    rules = Rules(name="test", tie="zero", failure=0.0, unusable="abstain", order="as_is")
    by_scores, by_verdicts = (
        evaluate(arm(rows, Voting(2), (1, 2), rules=dataclasses.replace(rules, votes=votes)))[0]
        for votes in ("scores", "verdicts")
    )
    assert [r.headline.value for r in (by_scores, by_verdicts)] == [1.0, 0.0]
    assert by_scores.curve[0].estimate.value == by_verdicts.curve[0].estimate.value == 0.5
    assert "votes=verdicts" in by_verdicts.signature != by_scores.signature
