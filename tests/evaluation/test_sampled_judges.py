"""Eight samples of five judges on RewardBench 2: the paper's figures, and the owners' credit over all subsets."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from fakes import arm, protocol

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Answers
from judgescale.harness.evaluation.credits import credit_units
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.recorded import RecordedSet, read_set
from judgescale.harness.recorded.choosing import take_part
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.strategies.stopping import Stopping
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Record, Rules
from judgescale.tasks import rewardbench2

OWNERS = protocol("rewardbench2")
PAPER = Rules(name="paper", tie="zero", failure=0.0, unusable="abstain", order="as_is", rollup="items", partial="use")

# of the paper's k=1 (each item's first sample) and k=8: items with a score of every response, right ones in percent
PAPERS = {
    ("GPT-5.4", "base"): ((1729, 71.72), (1730, 81.50)),
    ("GPT-5.4", "criteria"): ((1738, 74.74), (1741, 83.57)),
    ("GPT-5.4 mini", "base"): ((1728, 64.76), (1730, 79.19)),
    ("GPT-5.4 mini", "criteria"): ((1734, 69.15), (1742, 81.46)),
    ("GPT-5.4 nano", "base"): ((1708, 52.22), (1718, 71.65)),
    ("Claude Sonnet 4.6", "base"): ((1737, 72.31), (1744, 82.74)),
    ("Claude Haiku 4.5", "base"): ((1741, 72.26), (1761, 84.84)),
}
# items without a missing score; the owners' credit at k = 1, 2, 4 and 8, the mean over all subsets of the eight samples
SHARES = {
    "GPT-5.4": (1727, [79.62, 81.54, 82.59, 83.28]),
    "GPT-5.4 mini": (1724, [75.09, 78.13, 79.86, 80.90]),
    "GPT-5.4 nano": (1694, [62.25, 67.06, 70.68, 73.14]),
    "Claude Sonnet 4.6": (1715, [80.05, 82.47, 83.79, 84.27]),
    "Claude Haiku 4.5": (1677, [79.18, 82.53, 84.39, 85.76]),
}
# GPT-5.4, stopped by a rule: accuracy under the owners' credit, and judgments an item (from another implementation)
STOPPED = [
    (Stopping(8, "lead", lead=1), 82.80, 1.60),
    (Stopping(8, "lead", lead=2), 83.21, 3.04),
    (Stopping(8, "esc", window=2), 83.26, 3.22),
]


@cache
def read_judge(judge: str, variant: str = "base") -> RecordedSet:
    return take_part(read_set("rewardbench2_samples"), (judge,), (variant,))


def stack_scores(records: Sequence[Record]) -> np.ndarray:
    """Return the scores of an item's judgments, (k, n), NaN where one is missing."""
    return np.array([r.judgment.scores or (np.nan,) * len(r.responses) for r in records])


def group_by_item(data: RecordedSet) -> dict[str, list[Record]]:
    items: dict[str, list[Record]] = defaultdict(list)
    for r in data.records:
        items[r.prompt].append(r)
    return {prompt: sorted(records, key=lambda r: r.judgment.sample) for prompt, records in items.items()}


def average_known(scores: np.ndarray) -> np.ndarray:
    """Return the mean of each response's scores that are there, (n,); NaN where none is."""
    count = (~np.isnan(scores)).sum(axis=0)
    return np.where(count > 0, np.nansum(scores, axis=0) / np.maximum(count, 1), np.nan)


@pytest.mark.parametrize("judge", PAPERS, ids="/".join)
def test_the_paper_s_rule_gives_the_paper_s_figures(judge: tuple[str, str]) -> None:
    scores = [stack_scores(records) for records in group_by_item(read_judge(*judge)).values()]
    for k, expected in zip((1, 8), PAPERS[judge], strict=True):
        means = np.array([average_known(of_item[:k]) for of_item in scores])
        means = means[~np.isnan(means).any(axis=1)]
        right = (means[:, :1] > means[:, 1:]).all(axis=1)
        assert (len(means), round(100 * right.mean(), 2)) == expected


def make_arm(data: RecordedSet, kept: Sequence[str], ks: Sequence[int], rules: Rules) -> Arm:
    records = [r for r in data.records if r.prompt in set(kept)]
    made = arm(records, Voting(8), ks, task=rewardbench2.task(), rules=rules)
    judgments = RecordedJudgments(
        RecordedSet(data.path, data.name, data.meta, make_columns(records)), made.judgments.judges
    )
    return Arm(**{**vars(made), "judgments": judgments})


def find_accuracy(arm: Arm) -> list[float]:
    pools = [{tuple(range(4)): arm.judgments.find_pool(item, range(4))} for item in arm.items]
    credits = credit_units(arm, decide(arm, arm.strategy, arm.ks, pools))
    assert not credits.variance.any(), "all subsets, nothing is left to the seed"
    return [round(100 * share, 2) for share in credits.value.mean(axis=0)]


@pytest.mark.parametrize("judge", SHARES)
def test_the_owners_credit_over_all_subsets(judge: str) -> None:
    data = read_judge(judge)
    whole = [name for name, records in group_by_item(data).items() if not np.isnan(stack_scores(records)).any()]
    count, expected = SHARES[judge]
    places = range(4) if judge == "GPT-5.4" else (0, 3)  # every k of one judge, the ends of the others: it takes time
    assert len(whole) == count
    found = find_accuracy(make_arm(data, whole, [2**place for place in places], OWNERS))
    assert found == [expected[place] for place in places]


@pytest.mark.parametrize("judge", PAPERS, ids="/".join)
def test_a_vote_of_all_samples_by_the_paper_s_rule(judge: tuple[str, str]) -> None:
    """A missing score is left out of its response's mean, and a tie is wrong."""
    data = read_judge(*judge)
    scored = [
        name
        for name, records in group_by_item(data).items()
        if not np.isnan(average_known(stack_scores(records))).any()
    ]
    assert (len(scored), *find_accuracy(make_arm(data, scored, (8,), PAPER))) == PAPERS[judge][1]


class AskSamples:
    """Answer with each item's samples in random orders: a replay is one order of one item."""

    def __init__(self, scores: np.ndarray, orders: int) -> None:
        """Take scores (N, 8, n)."""
        repeated = scores.repeat(orders, axis=0)
        turn = np.random.default_rng(0).random(repeated.shape[:2]).argsort(axis=1)
        self.scores = np.take_along_axis(repeated, turn[..., None], axis=1)
        self.draws, self.bought = len(self.scores), np.zeros(len(self.scores), int)

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        self.bought = np.maximum(self.bought, k)
        given = np.arange(int(np.max(k))) < np.reshape(k, (-1, 1))
        scores = np.where(given[..., None], self.scores[:, : np.max(k)], np.nan)[:, None]
        return Answers(scores, np.full(scores.shape[:3], np.nan))


@pytest.mark.parametrize(("rule", "accuracy", "judgments"), STOPPED, ids=["lead 1", "lead 2", "the last two agree"])
def test_stopping_early_earns_what_another_implementation_found(
    rule: Stopping, accuracy: float, judgments: float
) -> None:
    every = map(stack_scores, group_by_item(read_judge("GPT-5.4")).values())
    n, orders = 4, 40
    ask = AskSamples(np.array([s for s in every if not np.isnan(s).any()]), orders)
    decided = asyncio.run(rule(ask, n, np.random.default_rng(0)))
    best = decided == decided.max(axis=1, keepdims=True)
    credit = (best[:, 0] / best.sum(axis=1)).reshape(-1, orders)  # the first response is the right one
    error = 100 * float(np.sqrt(credit.var(axis=1, ddof=1).mean() / credit.size))
    assert error < 0.05  # ours; of theirs nobody says how many orders it is the mean of: one would leave .14 points
    assert 100 * credit.mean() == pytest.approx(accuracy, abs=0.1)
    assert ask.bought.mean() == pytest.approx(judgments, abs=0.02)
