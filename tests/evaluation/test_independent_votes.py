"""What judgments of one item are worth as independent votes: made-up juries, and the five judges of the shipped set."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from fakes import arm, judged, protocol

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credit_each import credit_pools
from judgescale.harness.evaluation.credits import credit_units
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.evaluation.health import measure_effective_votes
from judgescale.harness.recorded import RecordedSet, read_set
from judgescale.harness.recorded.choosing import take_part
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Item, Record
from judgescale.tasks import rewardbench2

SAMPLES = {
    "GPT-5.4": 1.23,
    "GPT-5.4 mini": 1.35,
    "GPT-5.4 nano": 1.91,
    "Claude Sonnet 4.6": 1.33,
    "Claude Haiku 4.5": 1.52,
}


def measure(made: Arm) -> dict[str, dict[str, float]]:
    questions = {item.id: made.strategy.questions(len(item.responses)) for item in made.items}
    pools = [{q: made.judgments.find_pool(item, q) for q in questions[item.id]} for item in made.items]
    return measure_effective_votes(made, credit_pools(made, pools))


def say(i: int, right: bool, sample: int, judge: str = "j") -> Record:
    return judged(i, (float(right), float(not right)), sample, judge=judge)


def test_copies_of_a_judgment_are_one_vote_and_coins_as_many_as_they_are():
    rng = np.random.default_rng(0)
    verdicts = rng.random((400, 4)) < 0.7
    copies = measure(arm([say(i, v[0], s) for i, v in enumerate(verdicts) for s in range(4)], Voting(4), (4,)))
    assert copies["judgments"] == pytest.approx({"votes": 4, "correlation": 1, "effective": 1})
    coins = measure(arm([say(i, v[s], s) for i, v in enumerate(verdicts) for s in range(4)], Voting(4), (4,)))
    assert coins["judgments"]["effective"] == pytest.approx(4, abs=0.5) and "judges" not in coins


def test_a_jury_of_copies_is_one_judge():
    rng = np.random.default_rng(1)
    rows = []
    for i, right in enumerate(rng.random(300) < 0.7):
        rows += [say(i, right, s, judge) for judge in ("a", "b", "c") for s in range(2)]
    found = measure(arm(rows, Voting(6), (6,)))
    assert found["judges"]["votes"] == 3 and found["judges"]["effective"] == pytest.approx(1)


def test_one_judgment_an_item_tells_nothing():
    assert measure(arm([say(i, i % 2 == 0, 0) for i in range(9)], Voting(1), (1,))) == {}


@cache
def read_common() -> tuple[RecordedSet, tuple[Item, ...]]:
    """Read the five judges' samples, and the items to which none of them gives fewer than 32 scores."""
    data = take_part(read_set("rewardbench2_samples"), tuple(sorted(SAMPLES)), ("base",))
    full: dict[str, int] = {}
    for r in data.records:
        scores = r.judgment.scores
        full[r.prompt] = full.get(r.prompt, 0) + (scores is not None and not np.isnan(scores).any())
    items = tuple(item for item in rewardbench2.task().load(data) if full.get(item.prompt) == 40)
    assert len(items) == 1581
    return data, items


@pytest.mark.parametrize("judge", [*SAMPLES, "all"])
def test_the_five_judges(judge: str) -> None:
    """Of eight samples 1.23 to 1.91, of the five judges 1.84: on the items that all five scored in full."""
    data, items = read_common()
    judges = tuple(sorted(SAMPLES)) if judge == "all" else (judge,)
    made = arm([], Voting(8), (8,), rewardbench2.task(), protocol("rewardbench2"), items)
    found = measure(Arm(**{**vars(made), "judgments": RecordedJudgments(data, judges)}))
    if judge == "all":
        assert found["judges"]["votes"] == 5 and round(found["judges"]["effective"], 2) == 1.84
    else:
        assert round(found["judgments"]["effective"], 2) == SAMPLES[judge]


def test_half_the_votes_of_a_second_judge_are_worth_more_than_the_other_half_of_the_first() -> None:
    """Eight judgments an item: 86.29 by Haiku alone, 87.61 if four are GPT-5.4's, the mean of all 4,900 ways."""
    data, items = read_common()
    two = ("Claude Haiku 4.5", "GPT-5.4")
    made = arm([], Voting(8), (8,), rewardbench2.task(), protocol("rewardbench2"), items)
    found = []
    for judges, shares in ((two[:1], {}), (two, dict.fromkeys(two, 1.0))):
        jury = Arm(**{**vars(made), "judgments": RecordedJudgments(data, judges), "shares": shares})
        pools = [{tuple(range(4)): jury.judgments.find_pool(item, range(4))} for item in items]
        credits = credit_units(jury, decide(jury, jury.strategy, jury.ks, pools))
        found.append(100 * credits.value.mean())
        error = 100 * np.sqrt(credits.variance.sum()) / len(items)
    assert round(found[0], 2) == 86.29
    assert found[1] == pytest.approx(87.61, abs=4 * error) and error < 0.03


def test_pairs_of_equal_responses_are_left_out():
    """Of a round robin only the pairs that hold a better and a worse response tell who is wrong."""
    rng = np.random.default_rng(2)
    rows = []
    for i in range(200):
        for pair in ((0, 1), (0, 2), (1, 2)):
            for s, first in enumerate(rng.random(3) < (0.7 if pair[0] == 0 else 0.5)):
                record = judged(i, (float(first), float(not first)), s)
                rows.append(
                    Record(
                        prompt=record.prompt, cluster=record.cluster, subset="", responses=("a", "b", "c"),
                        gold=(1.0, 0.0, 0.0),
                        judgment=type(record.judgment)(
                            judge="j", shown=pair, scores=record.judgment.scores, sample=s
                        ),
                    )
                )  # fmt: skip
    found = measure(arm(rows, Elo(3), (3,)))
    assert found["judgments"]["correlation"] == pytest.approx(0, abs=0.1)
