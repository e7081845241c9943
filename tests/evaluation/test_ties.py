"""A judge that guesses: no strategy is above another by the tie rule, and the reader is told what a tie earns."""

from __future__ import annotations

import dataclasses
import math
import runpy
from itertools import permutations, product

import numpy as np
import pytest
from conftest import ROOT
from fakes import arm, judged, noisy_pairs, protocol
from scipy.stats import binom

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.rules import credit_best, credit_detection, credit_same_class
from judgescale.harness.evaluation.ties import credit_by_lot
from judgescale.harness.plan.common import load_rules
from judgescale.harness.runner import evaluate_all
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Item, Task
from judgescale.tasks import llmbar, realmistake, rewardbench2, rmb

GUESSERS = runpy.run_path(str(ROOT / "benchmarks/guessers.py"))
SETS = 6
MOST = int(binom.ppf(1 - 1e-4, SETS, 0.05))  # of so many sets, a test of level 5 % names a winner in no more


def name_alike(names):
    """One of those protocols that score the same items by the same rules."""
    alike = {}
    for name in names:
        rules = load_rules(name)
        seen = dataclasses.replace(rules, name="", order="as_is" if rules.order == "as_is" else "both", rollup="items")
        shapes = GUESSERS["SHAPES"].get(name, [GUESSERS["PAIRS"]])
        alike.setdefault((seen, tuple((s.task.name, s.golds, s.pointwise) for s in shapes)), name)
    return alike.values()


def guess_on_llmbar(seed=0, items=120):
    rows = GUESSERS["judge_by_guessing"](
        GUESSERS["make_items"](GUESSERS["PAIRS"], items, np.random.default_rng(seed)),
        "both",
        GUESSERS["toss_a_coin"],
        np.random.default_rng(seed),
    )
    return [dataclasses.replace(row, subset="Natural") for row in rows]


@pytest.mark.parametrize("name", name_alike(GUESSERS["PROTOCOLS"]))
def test_a_coin_puts_no_strategy_above_another_more_often_than_by_chance(name):
    for shape in GUESSERS["SHAPES"].get(name, [GUESSERS["PAIRS"]]):
        plain = GUESSERS["make_plain_strategies"](shape)
        counts = GUESSERS["count_winners"](name, shape, plain, GUESSERS["toss_a_coin"], SETS, items=16)
        assert {pair: said for pair, (_, said) in counts.items() if said > MOST} == {}


@pytest.mark.parametrize(
    ("name", "guess", "items"), [("common", "silent", 20), ("llmbar", "ratings", 60), ("realmistake", "leaning", 150)]
)
def test_nor_does_a_judge_that_falls_silent_ties_or_leans(name, guess, items):
    """Such guesses do win by the owners' rules: by having a verdict, by a decision, by the base rate."""
    shape = GUESSERS["SHAPES"].get(name, [GUESSERS["PAIRS"]])[0]
    plain = GUESSERS["make_plain_strategies"](shape)
    counts = GUESSERS["count_winners"](name, shape, plain, GUESSERS["GUESSES"][guess], SETS, items)
    assert max(by_rule for by_rule, _ in counts.values()) > MOST
    assert max(said for _, said in counts.values()) <= MOST


@pytest.mark.parametrize("guess", ["coin", "gaps"])
def test_nor_is_stopping_a_budget_an_aggregate_or_a_tournament_above_a_vote_of_scores_given_at_random(guess):
    (shape,) = (shape for shape in GUESSERS["SHAPES"]["rewardbench2"] if shape.pointwise)
    every, toss = GUESSERS["make_strategies"](shape), (GUESSERS["GUESSES"] | GUESSERS["ALONE"])[guess]
    few = [Voting(8), *every[len(GUESSERS["make_plain_strategies"](shape)) :]]
    counts = GUESSERS["count_winners"]("rewardbench2", shape, few, toss, SETS, items=16)
    assert {pair[0] for pair in counts} >= {"stopping@8 esc", "budget@4 apart", "voting@8 borda", "swiss@8"}
    assert {pair: said for pair, (_, said) in counts.items() if said > MOST} == {}


def test_elo_is_not_above_voting_by_llmbars_tie_rule():
    rows = guess_on_llmbar()
    both = [arm(rows, s, (7, 8), llmbar.task(), protocol("llmbar")) for s in (Voting(8), Elo(8))]
    voting, elo = evaluate_all(both)
    assert elo.headline.value - voting.headline.value > 0.08
    assert "with ties broken by lot" in elo.notes[-1] and elo.notes[-1].endswith(": the tie rule's")
    assert any("A vote of 8 can split, and a tie earns 0.0 here" in note for note in voting.notes)
    assert any("strategy=elo breaks ties itself" in note for note in elo.notes)
    assert {p.k: p.can_split for p in voting.curve} == {7: False, 8: True}
    assert not any(p.can_split for p in elo.curve)
    common = [dataclasses.replace(a, rules=load_rules("common")) for a in both]
    voting, elo = evaluate_all(common)
    assert not elo.notes[-1].endswith(": above") and "by lot" not in elo.notes[-1]
    assert not any("can split" in n or "breaks ties" in n for r in (voting, elo) for n in r.notes)


def test_a_judge_that_knows_something_is_still_above():
    rows = noisy_pairs(0.7)
    _, voting = evaluate_all([arm(rows, s, (s.k,), rules=protocol("llmbar")) for s in (Single(), Voting(9))])
    assert voting.notes[-1].endswith(": above") and "by lot" not in voting.notes[-1]  # nothing ties
    _, voting = evaluate_all([arm(rows, s, (s.k,), rules=protocol("llmbar")) for s in (Single(), Voting(8))])
    assert "with ties broken by lot +1" in voting.notes[-1] and voting.notes[-1].endswith(": above")


@pytest.mark.parametrize(
    ("strategy", "warned"),
    [
        (Voting(4), True),
        (Voting(5), False),
        (MetaVoting(9), True),  # four of nine vote
        (MetaVoting(7), False),
        (Elo(4, rating="wins"), True),
        (Elo(5, rating="bradley_terry"), False),
        (Knockout(5), True),  # graded scores tie at any k
    ],
)
def test_the_reader_is_told_what_a_tie_earns(strategy, warned):
    (result,) = evaluate_all([arm(noisy_pairs(0.6, 30), strategy, (strategy.k,), rules=protocol("judgebench"))])
    assert any("earns 0.0" in note and "50.0" in note for note in result.notes) == warned


def lone(records_of, golds, samples=4):
    return [judged(i, (float(records_of(i, j)),), j, (gold,)) for i, gold in enumerate(golds) for j in range(samples)]


def test_a_split_vote_on_errors_is_no_error_and_said_so():
    rows = lone(lambda i, j: j % 2, [1.0, 1.0, 1.0, 0.0])
    result, credits = evaluate(arm(rows, Voting(4), (4,), realmistake.task(), protocol("realmistake")))
    assert result.headline.value == 0.25  # all are "no error"
    assert any("it earns 25.0, a lot would 50.0: compare odd" in n for n in result.notes)
    assert credits.by_lot.mean() == pytest.approx(0.5)


def test_saying_what_most_are_earns_half_by_lot():
    rows = lone(lambda i, j: 1, [1.0, 1.0, 1.0, 0.0])
    result, credits = evaluate(arm(rows, Voting(3), (3,), realmistake.task(), protocol("realmistake")))
    assert result.headline.value == 0.75 and credits.by_lot.mean() == pytest.approx(0.5)


def break_every_way(scores):
    """All strict orders that a decision's ties, or its silence, can be broken into, each as likely."""
    n = len(scores)
    known = [0.0] * n if any(map(math.isnan, scores)) else list(scores)
    if n == 1:
        return [[0.0], [1.0]] if known[0] == 0.5 or math.isnan(scores[0]) else [known]
    return [[s + 1e-9 * lot[i] for i, s in enumerate(known)] for lot in permutations(range(n))]


@pytest.mark.parametrize(
    ("rule", "gold", "levels"),
    [
        (credit_best, (1, 0), 3),
        (credit_best, (1, 0, 0), 3),
        (credit_best, (1, 0, 1, 0), 2),
        (credit_same_class, (0, 1), 3),
        (credit_same_class, (0.5, 0.5), 3),
        (credit_detection, (1,), 3),
        (credit_detection, (0,), 3),
    ],
)
@pytest.mark.parametrize("name", ["llmbar", "rewardbench2"])  # a tie earns nothing, its share
def test_lots_are_what_every_way_to_break_the_ties_earns_on_average(rule, gold, levels, name):
    task = Task(name="t", revision="1", load=lambda data: [], credit=rule)
    item = Item(id="i", prompt="i", cluster="i", responses=tuple("abcd"[: len(gold)]), gold=tuple(map(float, gold)))
    for scores in [*product(np.linspace(0, 1, levels), repeat=len(gold)), (math.nan,) * len(gold)]:
        ways = rule([item], [np.array(break_every_way(scores))], protocol(name))
        by_lot = credit_by_lot(task, protocol(name), [item], [np.array([scores])])
        assert by_lot == pytest.approx([ways.mean()]), scores


def test_lots_in_units_of_several_items():
    """RMB's pairs that are right together, and the two rankings of a Ties prompt."""
    rules, tied = protocol("rmb"), np.zeros((1, 2))

    def item(name, *gold, subset):
        return Item(id=name, prompt=name, cluster="c", responses=tuple("abcd"[: len(gold)]), gold=gold, subset=subset)

    pairs = [item(f"BoN/x/1/{i}", 1.0, 0.0, subset="BoN/x") for i in range(3)]
    assert credit_by_lot(rmb.task(), rules, pairs, [tied, tied * np.nan, np.array([[1.0, 0.0]])]) == pytest.approx(
        [0.25]
    )
    ref, many = item("ref:0", 1.0, 0.0, 0.0, 0.0, subset="Ties"), item("tied:0", 1.0, 1.0, 0.0, 0.0, subset="Ties")
    won = np.array([[2.0, 0.0, 0.0, 0.0]])
    for scores, chance in (([5, 5, 5, 5], 1 / 6), ([5, 6, 5, 1], 1 / 2), ([5, 6, 4, 4], 1), ([3, 6, 4, 4], 0)):
        decisions = [won, np.array([scores], float)]
        by_lot = credit_by_lot(rewardbench2.task(), protocol("rewardbench2"), [ref, many], decisions)
        owners = rewardbench2.credit_ties([ref, many], decisions)
        assert by_lot - owners == pytest.approx([0.3 * chance * (scores[0] == max(scores[2:]))])


def test_the_figure_draws_even_votes_that_can_split_apart(monkeypatch):
    from matplotlib.axes import Axes

    from judgescale.harness.report import figure

    drawn = []
    monkeypatch.setattr(Axes, "plot", lambda self, *args, **style: drawn.append((args, style)) or [])
    (result,) = evaluate_all([arm(noisy_pairs(0.7, 30), Voting(9), range(1, 10), rules=protocol("llmbar"))])
    from matplotlib.figure import Figure

    figure.draw_curves(Figure().subplots(), "custom", [result], "judgments")
    lines = [list(args[0]) for args, style in drawn if style.get("marker") == ""]
    hollow = [list(args[0]) for args, style in drawn if style.get("markerfacecolor") == "white"]
    assert lines == [[1, 3, 5, 7, 9], [2, 4, 6, 8]] and hollow == [[2, 4, 6, 8]]
