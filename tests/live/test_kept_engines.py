"""Runs of one process that ask the same model one after the other open it once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fakes import FakeEngine, FakeSession
from test_buying import paid, purchase

from judgescale.harness.contracts import Faults
from judgescale.harness.live.kept import keep_engines_open
from judgescale.harness.types import JudgescaleError, Output


def test_runs_share_an_engine_until_the_last_one_ended(tmp_path):
    one, other, alone = FakeEngine(), FakeEngine(), FakeEngine()
    with keep_engines_open():
        for k, engine in ((1, one), (3, other)):  # equal engines, as each run makes its own
            paid(tmp_path, purchase(engine, k=k))
        assert (one.entered, one.left, other.entered) == (1, 0, 0)
        assert other.answers == 0 and one.answers == 5 * 3  # the second run asked the session of the first
        paid(tmp_path, purchase(FakeEngine(model="another")))
    assert (one.entered, one.left) == (1, 1)
    paid(tmp_path, purchase(alone, k=5))
    assert (alone.entered, alone.left) == (1, 1)  # after that, each opens and closes its own again


def test_nothing_is_opened_for_what_the_store_has(tmp_path):
    paid(tmp_path, purchase(FakeEngine(), k=2))
    with keep_engines_open():
        paid(tmp_path, purchase(again := FakeEngine(), k=2))
    assert again.entered == 0


def test_a_run_that_was_stopped_leaves_no_engine_to_the_next(tmp_path):
    failing = FakeEngine(lambda request, seed: Output(finish="failed", error="no"))
    with keep_engines_open():
        with pytest.raises(JudgescaleError, match="no"):
            paid(tmp_path, purchase(failing))
        assert (failing.entered, failing.left) == (1, 1)
        paid(tmp_path, purchase(working := FakeEngine()))
        assert working.entered == 1 and working.answers


class ReportingEngine(FakeEngine):
    """Notes a fault with every request."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FakeSession]:
        session = FakeSession(self)

        def say(request, seed):
            session.faults["429"] += 1
            return r"\boxed{Assistant 1}"

        self.say = say
        yield session


def test_each_run_tells_the_faults_that_were_its_own(tmp_path):
    with keep_engines_open():
        (first,) = paid(tmp_path, purchase(ReportingEngine(), k=2))
        (second,) = paid(tmp_path, purchase(ReportingEngine(), k=3))
    assert dict(first.faults) == {"429": 5 * 2} and dict(second.faults) == {"429": 5}


def test_a_run_tells_no_fault_of_the_one_before():
    faults = Faults()
    faults.note("429", "slow down")
    faults.told.append("one server is left alone")
    faults.clear()
    assert (dict(faults), faults.first, faults.told) == ({}, {}, [])
