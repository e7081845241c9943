"""What picking responses at random earns, which is what a judge that knows nothing has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import arm, judged

from judgescale.harness.evaluation.credits import credit_units
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.evaluation.guess import find_guesses
from judgescale.harness.recorded.pools import Pools
from judgescale.harness.strategies.single import Single
from judgescale.harness.types import Rules


def guesses(records, rollup="sections"):
    rules = Rules(name="custom", tie="zero", failure=0.0, unusable="abstain", order="as_is", rollup=rollup)
    mine = replace(arm(records, Single(), [1], rules=rules))
    pools: list[Pools] = [
        {q: mine.judgments.find_pool(i, q) for q in [tuple(range(len(i.responses)))]} for i in mine.items
    ]
    return find_guesses(mine, credit_units(mine, decide(mine, mine.strategy, mine.ks, pools)))


def test_a_pair_is_right_half_of_the_time_whatever_a_tie_earns():
    found = guesses([judged(i, (1.0, 0.0), 0, subset="s") for i in range(3)])
    assert found == {"overall": 0.5, "s": 0.5}


def test_of_several_responses_the_right_share_counts_and_sections_weigh_as_in_the_headline():
    one = [judged(i, (1.0, 0.0), 0, subset="pairs") for i in range(3)]
    four = replace(judged(9, (1.0, 0.0), 0, subset="four"), responses=tuple("abcd"), gold=(1.0, 0.0, 0.0, 0.0))
    four = replace(four, judgment=replace(four.judgment, shown=(0, 1, 2, 3), scores=(1.0, 0.0, 0.0, 0.0)))
    found = guesses([*one, four])
    assert (found["pairs"], found["four"]) == (0.5, 0.25) and found["overall"] == pytest.approx(0.375)
    assert guesses([*one, four], "items")["overall"] == pytest.approx(1.75 / 4)


def test_a_benchmark_of_four_responses(evaluated):
    (llama, _) = evaluated("experiment=rewardbench2_scalar").values()
    of = {number["section"]: number["guess"] for number in llama.comparable["numbers"]}
    assert of["Focus"] == 0.25 and 0.2 < of["overall"] < 0.3
