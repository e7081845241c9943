"""Buying judgments: every answer once, kept at once, within the budget, and replayed as a recorded set."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEngine

from judgescale.harness.cost import Price
from judgescale.harness.judges.pairwise import Pairwise
from judgescale.harness.live.buying import ModelSpec, Purchase, SpendingLimits, buy, estimate_costs
from judgescale.harness.store import Store
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Item, JudgescaleError, Output, Sampling


def an_item(i: int, n: int = 2) -> Item:
    names = tuple("abcdefgh"[:n])
    texts = tuple(f"answer {name} to {i}" for name in names)
    return Item(
        id=f"q{i}",
        prompt=f"q{i}",
        cluster=f"q{i}",
        responses=names,
        gold=(1.0, *[0.0] * (n - 1)),
        subset="s",
        conversation=(("user", f"question {i}"),),
        texts=texts,
    )


def purchase(engine: FakeEngine, k: int = 4, items: int = 5, n: int = 2, strategy=None, **changes) -> Purchase:
    spec = ModelSpec(engine, Sampling(temperature=1.0, max_tokens=20), Price(1.0, 2.0))
    made = Purchase(
        label="j",
        judge=Pairwise(),
        spec=spec,
        strategy=strategy or Voting(k),
        items=tuple(an_item(i, n) for i in range(items)),
        order="random",
        seed=0,
        strategy_seed=0,
        name="t",
    )
    return dataclasses.replace(made, **changes)


def paid(tmp_path: Path, *purchases: Purchase, **terms):
    agreed = SpendingLimits(**{"store": tmp_path / "store.sqlite", "max_failures": 0, **terms})
    return buy(purchases, agreed, lambda meter: None)


def test_every_distinct_prompt_is_asked_once_for_all_its_samples(tmp_path):
    engine = FakeEngine()
    (bought,) = paid(tmp_path, purchase(engine, k=8))
    assert len(bought.data.records) == 40
    assert len(engine.asked) <= 10 and engine.answers == 40  # two orders a pair, however many samples
    for r in bought.data.records:
        assert r.judgment.scores == (1.0, 0.0)  # the judge always names the first
    assert (engine.entered, engine.left) == (1, 1)


def verdicts(bought):
    return {(r.prompt, r.judgment.shown, r.judgment.sample): r.judgment.scores for r in bought.data.records}


def noisy(request, seed):
    return rf"thinking… \boxed{{Assistant {1 + seed % 2}}}"


def test_a_larger_k_pays_for_the_difference_and_keeps_what_was_there(tmp_path):
    first, second, alone = FakeEngine(noisy), FakeEngine(noisy), FakeEngine(noisy)
    (eight,) = paid(tmp_path, purchase(first, k=8))
    (more,) = paid(tmp_path, purchase(second, k=32))
    assert (first.answers, second.answers) == (5 * 8, 5 * 24)
    assert verdicts(eight).items() <= verdicts(more).items()
    (fresh,) = paid(tmp_path / "elsewhere", purchase(alone, k=32))
    assert verdicts(fresh) == verdicts(more)


def test_strategies_share_what_they_ask_in_common(tmp_path):
    engine = FakeEngine(noisy)
    elo, knockout = Elo(2), Knockout(2)
    paid(tmp_path, purchase(engine, n=4, strategy=elo))
    assert engine.answers == 5 * 6 * 2
    (played,) = paid(tmp_path, purchase(engine, n=4, strategy=knockout))
    assert engine.answers == 5 * 6 * 2
    assert len(played.data.records) == 5 * 3 * 2


def test_arms_of_one_run_share_answers_that_are_still_on_their_way(tmp_path):
    engine = FakeEngine(noisy, delay=0.01)
    both = [purchase(engine, k=4), purchase(FakeEngine(noisy), k=4, strategy=Voting(4))]
    one, two = paid(tmp_path, *both)
    assert engine.answers == 5 * 4 and not both[1].spec.engine.asked
    assert verdicts(one) == verdicts(two)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"spec": ModelSpec(FakeEngine(), Sampling(temperature=0.5, max_tokens=20))},
        {"spec": ModelSpec(FakeEngine(), Sampling(temperature=1.0, max_tokens=21))},
        {"spec": ModelSpec(FakeEngine(revision="v2"), Sampling(temperature=1.0, max_tokens=20))},
        {"spec": ModelSpec(FakeEngine(model="other"), Sampling(temperature=1.0, max_tokens=20))},
        {"judge": Pairwise(verdict_only=True)},
    ],
)
def test_what_is_asked_otherwise_is_bought_again(tmp_path, change):
    paid(tmp_path, purchase(FakeEngine()))
    changed = purchase(FakeEngine(), **change)
    paid(tmp_path, changed)
    assert changed.spec.engine.answers == 5 * 4


def test_equal_texts_in_two_orders_are_two_questions(tmp_path):
    engine = FakeEngine(noisy)
    same = dataclasses.replace(an_item(0), texts=("the same", "the same"))
    (bought,) = paid(tmp_path, dataclasses.replace(purchase(engine, k=4, order="both"), items=(same,)))
    assert engine.answers == 4 and len(bought.data.records) == 4


def test_temperature_zero_is_bought_once_an_order(tmp_path):
    engine = FakeEngine(noisy)
    greedy = ModelSpec(engine, Sampling(temperature=0.0, max_tokens=20))
    (bought,) = paid(tmp_path, purchase(engine, k=6, order="both", spec=greedy))
    assert engine.answers == 5 * 2 and len(bought.data.records) == 5 * 6


def test_failed_answers_are_asked_again_next_time_and_others_are_not(tmp_path):
    broken = FakeEngine(lambda request, seed: Output(finish="failed", error="no luck") if seed % 2 else "gibberish")
    (first,) = paid(tmp_path, purchase(broken, k=4), max_failures=1000)
    statuses = first.meter.statuses
    assert statuses["failed"] and statuses["unparsed"] and statuses["failed"] + statuses["unparsed"] == 20
    mended = FakeEngine()
    (second,) = paid(tmp_path, purchase(mended, k=4))
    assert mended.answers == statuses["failed"]  # an unreadable answer is not sampled again: that would bias the judge
    assert second.meter.statuses == {"ok": statuses["failed"], "unparsed": statuses["unparsed"]}


def test_too_many_failures_stop_the_run_and_say_why(tmp_path):
    engine = FakeEngine(lambda request, seed: Output(finish="failed", error="HTTP 500 from nowhere"), window=2)
    with pytest.raises(JudgescaleError, match=r"run.max_failures=3; the last: HTTP 500 from nowhere"):
        paid(tmp_path, purchase(engine, k=1, items=100), max_failures=3)
    assert engine.answers < 20


def test_a_fatal_error_stops_the_run_and_keeps_what_was_paid(tmp_path):
    def say(request, seed):
        if "question 7" in request.messages[-1][1]:
            raise JudgescaleError("the key was refused")
        return r"\boxed{Assistant 2}"

    engine = FakeEngine(say, window=1)
    with pytest.raises(JudgescaleError, match="the key was refused"):
        paid(tmp_path, purchase(engine, k=1, items=50))
    with Store(tmp_path / "store.sqlite") as store:
        assert 7 <= store.count_answers() < 12


@pytest.mark.parametrize("limit", [(30_000.0, None), (None, 0.03)])
def test_a_budget_is_never_exceeded_and_the_same_command_goes_on(tmp_path, limit):
    engine = FakeEngine(noisy, delay=0.001)
    with pytest.raises(JudgescaleError, match=r"run.budget.(tokens|dollars)=.* are spent"):
        paid(tmp_path, purchase(engine, k=2, items=300), budget=limit)
    with Store(tmp_path / "store.sqlite") as store:
        kept = store.count_answers()
        (_, _, _, prompt, completion), *_ = store.summarise_models()
    assert 0 < kept < 600
    assert prompt + completion <= limit[0] if limit[0] else (prompt + 2 * completion) / 1e6 <= limit[1]
    (bought,) = paid(tmp_path, purchase(engine, k=2, items=300))
    assert bought.meter.bought == 600 - kept and bought.meter.reused == kept


def test_a_dry_run_says_what_is_missing_and_asks_nothing(tmp_path):
    engine = FakeEngine(noisy)
    agreed = SpendingLimits(tmp_path / "store.sqlite", 0)
    orders = [purchase(engine, k=2), purchase(engine, k=6)]
    first, second = estimate_costs(orders, agreed)
    assert not engine.asked and not (tmp_path / "store.sqlite").exists()
    assert (first.judgments, first.lacking, second.judgments, second.lacking) == (10, 10, 30, 20)
    assert first.tokens.completion == 10 * 20 and not first.measured  # the most that max_tokens allows
    paid(tmp_path, orders[0])
    first, second = estimate_costs(orders, agreed)
    assert (first.lacking, second.lacking, second.tokens.completion, second.measured) == (0, 20, 20 * 10, True)
    assert second.dollars == pytest.approx((second.tokens.prompt + 2 * second.tokens.completion) / 1e6)


def test_no_engine_is_started_where_nothing_is_missing(tmp_path):
    paid(tmp_path, purchase(FakeEngine(noisy)))
    again = FakeEngine(noisy)
    (bought,) = paid(tmp_path, purchase(again))
    assert again.entered == 0 and bought.meter.bought == 0 and bought.meter.seconds == 0


def test_the_engine_is_kept_busy_within_its_window_and_no_item_waits_for_a_round(tmp_path):
    engine = FakeEngine(noisy, delay=0.005, window=10)
    paid(tmp_path, purchase(engine, k=1, items=200))
    assert 10 <= engine.most_busy <= 20  # a second item stands ready behind each one in work


@pytest.mark.parametrize("order", ["as_is", "random", "balanced", "both"])
def test_answers_stand_in_item_order_whatever_was_shown(tmp_path, order):
    def prefers_b(request, seed):
        text = request.messages[-1][1]
        return rf"\boxed{{Assistant {1 + (text.index('answer a') < text.index('answer b'))}}}"

    (bought,) = paid(tmp_path, purchase(FakeEngine(prefers_b), k=6, order=order))
    for r in bought.data.records:
        assert dict(zip(r.judgment.shown, r.judgment.scores)) == {0: 0.0, 1: 1.0}


def test_interrupted_runs_keep_what_is_in_flight(tmp_path):
    """Ctrl-C: no new requests, but those that were sent may arrive."""
    engine = FakeEngine(noisy, delay=0.2, window=4)
    order = purchase(engine, k=1, items=50)

    async def run():
        from judgescale.harness.live.buying import _run_purchases
        from judgescale.harness.live.meter import Meter

        with Store(tmp_path / "store.sqlite") as store:
            task = asyncio.create_task(_run_purchases([order], store, Meter(0), lambda meter: None, []))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return store.count_answers()

    assert asyncio.run(run()) == engine.answers <= 24


def test_trust_of_a_meta_rm_comes_with_the_judgments(tmp_path):
    from judgescale.harness.judges.meta import ScalarMeta

    scorer = FakeEngine(
        lambda request, seed: Output(score=float(len(request.messages[-1][1]))), kind="score", model="rm"
    )
    (bought,) = paid(tmp_path, purchase(FakeEngine(noisy), meta=(ScalarMeta(), ModelSpec(scorer, None))))
    assert all(np.isfinite(r.judgment.meta) for r in bought.data.records)
    assert scorer.answers <= 2 * 2 * 5  # the same judgment of the same prompt is scored once


def test_a_budget_holds_where_an_engine_does_not_count(tmp_path):
    engine = FakeEngine(lambda request, seed: Output(r"\boxed{Assistant 1}"))
    with pytest.raises(JudgescaleError, match=r"run.budget.tokens=20000"):
        paid(tmp_path, purchase(engine, k=1, items=300), budget=(20_000.0, None))
    assert 0 < engine.answers < 20


def test_one_error_waits_for_the_answers_beside_it(tmp_path):
    """A fatal error in one of an item's requests: the others were paid for, and are kept."""

    def say(request, seed):
        if "answer a" in request.messages[-1][1] and "answer b" in request.messages[-1][1]:
            raise JudgescaleError("the key was refused")
        return r"\boxed{Assistant 2}"

    engine = FakeEngine(say, delay=0.05, window=6)
    with pytest.raises(JudgescaleError, match="the key was refused"):
        paid(tmp_path, purchase(engine, k=1, items=1, n=4, strategy=Elo(1)))
    with Store(tmp_path / "store.sqlite") as store:
        assert store.count_answers() == engine.answers - 1 == 5


def test_a_stopped_run_sends_nothing_more(tmp_path):
    """What waits for its turn is not sent, however many pairs an item has open."""
    engine = FakeEngine(lambda request, seed: Output(finish="failed", error="no"), delay=0.01, window=4)
    with pytest.raises(JudgescaleError, match="run.max_failures=0"):
        paid(tmp_path, purchase(engine, k=2, items=20, n=6, strategy=Elo(2)))
    assert len(engine.asked) <= 8


def test_the_window_holds_for_all_arms_of_an_engine_together(tmp_path):
    engines = [FakeEngine(noisy, delay=0.002, window=8) for _ in range(3)]
    samplings = [Sampling(temperature=t, max_tokens=20) for t in (0.5, 0.7, 0.9)]
    arms = [purchase(e, k=1, items=50, spec=ModelSpec(e, s)) for e, s in zip(engines, samplings)]
    paid(tmp_path, *arms)
    assert engines[0].most_busy == 8 and not engines[1].asked and engines[0].entered == engines[0].left == 1


def test_a_meta_rm_that_fails_stops_the_run_too(tmp_path):
    from judgescale.harness.judges.meta import ScalarMeta

    broken = FakeEngine(lambda request, seed: Output(finish="failed", error="no head"), kind="score", model="rm")
    with pytest.raises(JudgescaleError, match="no head"):
        paid(tmp_path, purchase(FakeEngine(noisy), meta=(ScalarMeta(), ModelSpec(broken, None))))


def test_what_cannot_be_kept_is_not_bought(tmp_path, monkeypatch):
    """A full disk: the run stops, and says what it is."""
    monkeypatch.setattr(Store, "flush", lambda self: (_ for _ in ()).throw(JudgescaleError("store: disk is full")))
    engine = FakeEngine(noisy, window=1)
    with pytest.raises(JudgescaleError, match="disk is full"):
        paid(tmp_path, purchase(engine, k=1, items=100))
    assert engine.answers < 10


def test_a_model_trained_on_in_place_is_another_model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_bytes(b"one" * 100_000)
    paid(tmp_path, purchase(FakeEngine(model=str(folder))))
    same = FakeEngine(model=str(folder))
    paid(tmp_path, purchase(same))
    (folder / "weights").write_bytes(b"two" * 100_000)
    other = FakeEngine(model=str(folder))
    paid(tmp_path, purchase(other))
    assert (same.answers, other.answers) == (0, 20)


def test_an_engine_that_cannot_start_is_started_once(tmp_path):
    """Eight requests wait for it at the same time."""

    class Broken(FakeEngine):
        @asynccontextmanager
        async def open(self):
            self.entered += 1
            await asyncio.sleep(0.01)
            raise JudgescaleError("no such GPU")
            yield

    with pytest.raises(JudgescaleError, match="no such GPU"):
        paid(tmp_path, purchase(engine := Broken()))
    assert engine.entered == 1
