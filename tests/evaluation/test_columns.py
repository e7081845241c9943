"""Columns instead of objects: the same numbers as from the judgments one by one, and none of these is made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import arm, judged
from hypothesis import given, settings
from hypothesis import strategies as st

from judgescale.harness.evaluation.credit_each import credit_pools
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.health import count_problems, find_flips
from judgescale.harness.plan.recorded import forget_sets, plan_recorded_arms
from judgescale.harness.recorded import write_set
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.recorded.sets import RecordedSet
from judgescale.harness.report.files import write_credits, write_judgments
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Item, Judgment, Record


@st.composite
def records_of_items(draw: st.DrawFn) -> list[Record]:
    """Judgments of a few items of two responses, by two judges, in both orders and two variants."""
    records = []
    for i in range(draw(st.integers(1, 4))):
        asked = st.tuples(
            st.sampled_from(["x", "y"]),
            st.sampled_from(["", "v"]),
            st.integers(0, 3),
            st.sampled_from([(0, 1), (1, 0)]),
        )
        for judge, variant, sample, shown in draw(st.lists(asked, min_size=1, max_size=8, unique=True)):
            scores = draw(st.none() | st.sampled_from([(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.25, 0.75)]))
            judgment = Judgment(
                judge=judge,
                variant=variant,
                sample=sample,
                shown=shown,
                scores=scores,
                status="unparsed" if scores is None else "ok",
                chars=draw(st.none() | st.integers(0, 9)),
            )
            about: dict[str, Any] = {"prompt": f"q{i}", "cluster": f"c{i // 2}", "subset": "", "responses": ("b", "a")}
            records.append(Record(**about, gold=(1.0, 0.0), judgment=judgment))
    return draw(st.permutations(records))


@settings(max_examples=40, deadline=None)
@given(records=records_of_items())
def test_columns_say_what_the_judgments_say_one_by_one(records: list[Record]) -> None:
    columns = make_columns(records)
    assert list(columns.make_records()) == list(records)
    judgments = RecordedJudgments(RecordedSet(Path("x"), "x", {}, columns), ("x", "y"))
    prompts = list(dict.fromkeys(r.prompt for r in records))
    items = [Item(id=p, prompt=p, cluster=p, responses=("a", "b"), gold=(0.0, 1.0)) for p in prompts]
    pools = [{(0, 1): judgments.find_pool(item, (0, 1))} for item in items]
    flips = find_flips(columns, pools, 1)
    assert flips is not None
    for place, item in enumerate(items):
        own = sorted(
            (r for r in records if r.prompt == item.prompt),
            key=lambda r: (r.judgment.sample, r.judgment.judge, r.judgment.variant, r.judgment.shown == (0, 1)),
        )  # shown b, a comes after shown a, b
        pool = pools[place][0, 1]
        assert list(pool.judgments) == [r.judgment for r in own]
        said = [dict(zip(r.judgment.shown, r.judgment.scores or (np.nan, np.nan), strict=True)) for r in own]
        np.testing.assert_array_equal(pool.scores, [(of[1], of[0]) for of in said])  # a, b: the set has b, a
        counted = flips.read[place], flips.flipped[place], flips.orders[place]
        assert counted == count_flips_one_by_one([r.judgment for r in own])
    problems = count_problems(columns, pools, flips)
    assert problems["statuses"] == dict(Counter(r.judgment.status for r in records))
    assert problems["ties"] == sum(r.judgment.scores == (0.5, 0.5) for r in records)


def count_flips_one_by_one(judgments: list[Judgment]) -> tuple[int, int, int]:
    """Count the readings in several orders, those whose winners differ, and the orders, from a pool's judgments."""
    asked: dict[tuple[str, int, str], dict[tuple[int, ...], int]] = {}
    for j in judgments:
        if j.scores and j.scores[0] != j.scores[1]:
            asked.setdefault((j.judge, j.sample, j.variant), {})[j.shown] = j.shown[int(np.argmax(j.scores))]
    if all(len(orders) == 1 for orders in asked.values()):
        merged: dict[tuple[str, int, str], dict[tuple[int, ...], int]] = {}
        for (judge, sample, _), orders in asked.items():
            merged.setdefault((judge, sample, ""), {}).update(orders)
        asked = merged
    several = [orders for orders in asked.values() if len(orders) > 1]
    return len(several), sum(len(set(o.values())) > 1 for o in several), sum(map(len, several))


def test_no_judgment_becomes_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, composed: Any) -> None:
    rng = np.random.default_rng(0)
    records = [
        Record(prompt=f"q{i}", cluster=f"q{i}", subset="", responses=("a", "b"), gold=(1.0, 0.0), judgment=Judgment(
            judge="j", shown=(0, 1), scores=(1.0, 0.0) if rng.random() < 0.7 else (0.0, 1.0), sample=sample))
        for i in range(30) for sample in range(4)
    ]  # fmt: skip
    write_set(tmp_path / "set.parquet", records, {"tasks": ["custom"]})
    forget_sets()

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise AssertionError("a judgment became an object")

    for kind in (Judgment, Record):
        monkeypatch.setattr(kind, "__init__", refuse)
    chosen = composed("engine=recorded", f"engine.path={tmp_path / 'set.parquet'}", "task=custom", "strategy=voting")
    (planned,) = plan_recorded_arms(chosen)
    result, _ = evaluate(planned)
    write_judgments([result], tmp_path / "judgments.parquet")
    write_credits([result], tmp_path / "credits.parquet")
    assert len(result.judgments) == 120 and result.headline.value > 0.5
    assert pq.read_metadata(tmp_path / "judgments.parquet").num_rows == 120


def test_each_judge_has_a_sum_of_its_own_in_every_question() -> None:
    """Two judges: the last of one question and the first of the next are told apart."""
    said = {"x": (1.0, 0.0), "y": (0.0, 1.0)}
    records = [judged(i, said[judge], sample, judge=judge) for i in range(3) for judge in "xy" for sample in range(2)]
    made = arm(records, Voting(4), (4,))
    pools = [{(0, 1): made.judgments.find_pool(item, (0, 1))} for item in made.items]
    (credited,) = credit_pools(made, pools)
    assert credited.sum_by.tolist() == [0, 1] * 3 and credited.sum_of.tolist() == [0, 0, 1, 1, 2, 2]
    assert credited.of_judges.tolist() == [1, 0] * 3 and credited.decided.tolist() == [0.5] * 3
