"""Cascades: who is asked, what it costs, and that a judge decides as rightly as was promised."""

from __future__ import annotations

import asyncio
import dataclasses
from math import inf
from pathlib import Path

import numpy as np
import pytest
from fakes import arm, judged, pool

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.cascades import calibrate_in_folds, examine_items
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.evaluation.replay import Replay, draw_orders
from judgescale.harness.recorded.pools import Pool, RecordedJudgments, make_pool
from judgescale.harness.recorded.sets import write_set
from judgescale.harness.runner import run
from judgescale.harness.strategies.cascade import Cascade
from judgescale.harness.types import JudgescaleError, Judgment, Record

CHEAP, DEAR = "a dear-sounding cheap one", "z"


def say(*verdicts, judges) -> Pool:
    """A pool of pairs, each judged by a judge of its own name, and asked in this order."""
    made = pool(verdicts)
    judgments = tuple(dataclasses.replace(j, judge=judge) for j, judge in zip(made.judgments, judges, strict=True))
    return make_pool(judgments, made.shown, made.scores, made.meta)


def replay(cascade, p, queue, draws=1):
    pools = {(0, 1): p}
    asked = Replay(pools, draw_orders(pools, draws, np.random.default_rng(0), queue=queue))
    return asyncio.run(cascade(asked, 2, np.random.default_rng(0))), asked.bought


def test_the_next_judge_is_asked_where_the_first_is_not_sure():
    queue, names = (("a", 2), ("b", 2)), "aabb"
    ready = Cascade(4, thresholds=(1.0,))
    sure = say((1, 0), (1, 0), (0, 1), (0, 1), judges=names)
    decision, bought = replay(ready, sure, queue)
    assert decision.tolist() == [[2, 0]] and bought.tolist() == [2]
    split = say((1, 0), (0, 1), (0, 5), (0, 4), judges=names)
    decision, bought = replay(ready, split, queue)
    assert decision.tolist() == [[0, 9]] and bought.tolist() == [4]  # the later verdict alone, not the sum of both
    silent = say((1, 0), (1, 0), (0, 1), None, judges="abab")
    assert replay(dataclasses.replace(ready, thresholds=(inf,)), silent, queue)[1].tolist() == [4]
    nothing = say((1, 0), (5, 0), None, None, judges=names)
    assert replay(dataclasses.replace(ready, thresholds=(inf,)), nothing, queue)[0].tolist() == [[6, 0]]


def test_judges_are_asked_in_order_and_so_many_times_each():
    names = list("bbbbaaaa")
    p = say(*[(1, 0)] * 8, judges=names)
    order = draw_orders({(0, 1): p}, 50, np.random.default_rng(0), queue=(("b", 3), ("a", 2)))[:, 0]
    asked = np.array(names)[order]
    assert (asked[:, :3] == "b").all() and (asked[:, 3:5] == "a").all()
    assert (np.sort(order, axis=1) == np.arange(8)).all() and len({tuple(row[:3]) for row in order.tolist()}) > 10


def test_k_is_shared_out():
    assert Cascade(8).tiers(2) == (4, 4) and Cascade(7).tiers(3) == (2, 2, 3) and Cascade(1).tiers(2) == (0, 1)
    assert Cascade(9, first=1).tiers(2) == (1, 8) and Cascade(5, first=3).tiers(3) == (3, 2, 0)
    assert Cascade(8).tiers(1) == (8,)


def make_records(items: int, seed: int, levels=((0.98, 0.5), (0.6, 0.5)), samples: int = 4) -> list[Record]:
    """Pairs of two kinds, with shares: on the first the cheap judge agrees with itself, on the second it does not."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(items):
        chance = levels[0][0] if rng.random() < levels[0][1] else levels[1][0]
        first = float(rng.random() < 0.5)
        for judge, p in ((CHEAP, chance), (DEAR, 0.95)):
            for s in range(samples):
                says = first if rng.random() < p else 1 - first
                rows.append(judged(i, (says, 1 - says), s, gold=(first, 1 - first), judge=judge))
    return rows


def make_arm(rows: list[Record], strategy: Cascade, **more) -> Arm:
    made = arm(rows, strategy, (strategy.k,))
    judgments = RecordedJudgments(made.judgments.data, (CHEAP, DEAR))
    return dataclasses.replace(made, judgments=judgments, draws=20, **more)


def gather(made: Arm):
    return [{(0, 1): made.judgments.find_pool(item, (0, 1))} for item in made.items]


def test_its_result_says_who_decided_what():
    made = make_arm(make_records(500, 0), Cascade(8), costs={CHEAP: 0.001, DEAR: 0.01})
    result, _ = evaluate(made)
    decided = result.details[f"decided by {CHEAP}"]
    assert 0.4 < decided < 0.9 and decided + result.details[f"decided by {DEAR}"] == pytest.approx(1)
    assert result.details[f"right, of what {CHEAP} decided"] >= 0.9
    (point,) = [p for p in result.curve if p.section == "overall"]
    assert point.judgments_per_item == pytest.approx(4 * decided + 8 * (1 - decided))
    assert result.compute["dollars"] == pytest.approx(500 * (0.004 + (1 - decided) * 0.04))
    assert result.compute["completion_tokens"] is None
    assert any("at least 90% right (no tie is), at a confidence of 90%" in note for note in result.notes)
    assert result.headline.value > 0.95 and result.stops


def test_an_impossible_target_leaves_all_to_the_last():
    result, _ = evaluate(make_arm(make_records(100, 1), Cascade(8, target=0.999)))
    assert result.details[f"decided by {DEAR}"] == pytest.approx(1)
    assert result.details[f"right, of what {CHEAP} decided"] is None
    assert result.details[f"{CHEAP} decides from a confidence of, by fold"] == "never, never, never, never, never"


def test_no_item_is_decided_by_a_threshold_that_saw_its_label():
    rows = make_records(200, 2)
    made = make_arm(rows, Cascade(8))
    folds = [(set(places.tolist()), ready) for places, ready in calibrate_in_folds(made, made.strategy, gather(made))]
    assert sorted(i for places, _ in folds for i in places) == list(range(200))
    for places, ready in folds:  # its own labels turned, a fold has the same thresholds
        own = {made.items[i].prompt for i in places}
        turned = make_arm(
            [dataclasses.replace(r, gold=r.gold[::-1]) if r.prompt in own else r for r in rows], Cascade(8)
        )
        again = [r for p, r in calibrate_in_folds(turned, turned.strategy, gather(turned)) if set(p.tolist()) == places]
        assert again[0].thresholds == ready.thresholds


def test_of_a_cluster_one_item_is_calibrated_on():
    """Copies of an item make no sample: four of each of 12 clusters cannot show 90 %, 48 items could."""
    rows = [r for c in range(4) for r in make_records(12, 3, levels=((1.0, 1.0), (1.0, 0.0)))]
    rows = [dataclasses.replace(r, prompt=f"{r.prompt}-{n // 96}", cluster=r.prompt) for n, r in enumerate(rows)]
    together = make_arm(rows, Cascade(8))
    assert len(together.items) == 48
    assert all(
        ready.thresholds == (inf,) for _, ready in calibrate_in_folds(together, together.strategy, gather(together))
    )
    alone = make_arm([dataclasses.replace(r, cluster=r.prompt) for r in rows], Cascade(8))
    assert all(ready.thresholds == (1.0,) for _, ready in calibrate_in_folds(alone, alone.strategy, gather(alone)))


def test_the_promise_is_kept_as_often_as_it_says():
    """Of 200 calibrations on 100 items, at most a tenth end at one above which less than the target is right."""
    rng = np.random.default_rng(4)
    target, delta, missed = 0.85, 0.1, 0
    for _ in range(200):
        easy = rng.random(20_100) < 0.6
        votes = rng.binomial(4, np.where(easy, 0.95, 0.5))  # of the cheap judge, for the right response
        confidence, right = np.maximum(votes, 4 - votes) / 4, votes > 2
        both = np.stack([confidence, np.ones(len(votes))], axis=1), np.stack([right, right], axis=1)
        ready = Cascade(8, target=target, delta=delta).calibrate(both[0][:100], both[1][:100])
        decided = confidence[100:] >= ready.thresholds[0]
        missed += bool(decided.any()) and right[100:][decided].mean() < target
    assert missed <= 200 * delta + 3 * (200 * delta * (1 - delta)) ** 0.5


def write(path: Path) -> Path:
    write_set(path, make_records(60, 5), {"tasks": ["custom"]})
    return path


def test_it_runs_in_the_order_of_the_names(composed, tmp_path):
    path = write(tmp_path / "set.parquet")
    given = [
        f"engine.path={path}",
        "engine=recorded",
        "task=custom",
        "strategy=cascade",
        "judge.pool=in_order",
        "run.draws=20",
    ]
    (forth,) = run(
        [composed(*given, f"judge.names=[{CHEAP},{DEAR}]", "strategy.target=0.7")], tmp_path / "a", show=False
    )
    (back,) = run(
        [composed(*given, f"judge.names=[{DEAR},{CHEAP}]", "strategy.target=0.7")], tmp_path / "b", show=False
    )
    assert forth.k == 8 and list(forth.details)[1] == f"decided by {CHEAP}"
    assert list(back.details)[1] == f"decided by {DEAR}" and back.signature != forth.signature
    assert "|target:0.7|delta:0.1|" in forth.signature and "thresholds" not in forth.signature


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["judge.pool=true"], "strategy=cascade asks judges one after the other: add judge.pool=in_order"),
        (
            ["judge.pool=in_order", "strategy=voting"],
            "strategy=voting does not ask judges one after the other",
        ),
        (["judge.pool=in_order", "judge.names=null"], "name two or more judges, the cheapest first"),
        (["judge.pool=in_order", f"judge.names=[{DEAR}]"], "name two or more judges"),
        (["judge.pool=in_order", "strategy.k=7", "strategy.first=5"], "has 4 where 5 are taken; take fewer"),
        (["judge.pool=in_order", "strategy.target=1"], "strategy.target=1: must be above 0 and below 1"),
        (["judge.pool=in_order", "+strategy.thresholds=[0.5]"], "are calibrated on labels"),
        (["judge.pool=in_order", "run.limit=4"], "it takes at least 5 clusters of items, and there are 4"),
    ],
)
def test_what_cannot_be_is_refused(composed, tmp_path, given, told):
    path = write(tmp_path / "set.parquet")
    base = [
        f"engine.path={path}",
        "engine=recorded",
        "task=custom",
        "strategy=cascade",
        f"judge.names=[{CHEAP},{DEAR}]",
    ]
    with pytest.raises(JudgescaleError, match=told.replace("[", r"\[")):
        run([composed(*base, *given)], tmp_path / "out", show=False)


def test_a_live_judge_is_refused_before_anything_is_bought(composed, tmp_path):
    with pytest.raises(JudgescaleError, match="strategy=cascade asks several judges in turn, and a live run has one"):
        run([composed("task=sanity", "judge=random", "strategy=cascade", "strategy.k=2")], tmp_path / "out", show=False)


def test_how_sure_a_judge_is_counts_what_it_could_not_say():
    p = say((1, 0), None, (1, 0), (1, 0), judges=[CHEAP] * 4)
    assert Cascade(4).examine(p.scores[None])[0].tolist() == [0.75]
    lone = Cascade(4).examine(np.array([[[0.9], [0.8], [0.2], [0.9]]]))
    assert lone[0].tolist() == [0.75] and lone[1][0, 0] == pytest.approx(0.7)
    rows = make_records(20, 6)
    made = make_arm(rows, Cascade(1))
    assert np.isnan(examine_items(made, made.strategy, gather(made))[0][:, 0]).all()  # k=1 asks the last judge alone
    assert isinstance(rows[0].judgment, Judgment)
