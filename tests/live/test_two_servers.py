"""A whole run on two servers, of which one is killed in the middle and started again."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import pytest

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402

from judgescale.harness.runner import run  # noqa: E402

pytestmark = pytest.mark.openai


def verdict(messages, seed):
    return rf"Weighed. \boxed{{Assistant {1 + (seed * 2654435761 >> 7) % 2}}}"


def test_one_of_two_servers_is_killed_and_started_again(composed, tmp_path):
    def go(store: str, urls: str, **more):
        overrides = [
            "judge=pairwise",
            "judge.model=local",
            "engine=openai",
            f"engine.base_url={urls}",
            "engine.many=false",
            "engine.concurrency=16",
            "engine.backoff=0.05",
            "judge.sampling.max_tokens=64",
            "task=sanity",
            "task.size=250",
            "strategy.k=8",
            f"run.store={tmp_path}/{store}.sqlite",
        ]
        return run([composed(*overrides)], tmp_path / store, show=False)[0]

    def kill_and_start_again() -> None:
        while two.requests < 200:
            time.sleep(0.001)
        two.__exit__()  # with connections open and requests unanswered
        killed.set()
        while one.requests < 900:
            time.sleep(0.001)
        again.__enter__()

    killed = threading.Event()
    with FaultyServer(answer=verdict, latency=0.01) as one:
        two = FaultyServer(answer=verdict, latency=0.01).__enter__()
        again = FaultyServer(answer=verdict, latency=0.01, port=two.port)
        helper = threading.Thread(target=kill_and_start_again)
        helper.start()
        result = go("two", f"[{one.url},{two.url}]")
        helper.join()
        again.__exit__()
    assert result.health["statuses"] == {"ok": 2000} and result.health["failed"] == 0
    assert killed.is_set() and again.requests > 100  # it had its share again
    faults = result.health["faults"]
    assert set(faults) <= {"reset", "connect"} and 0 < faults["reset"] <= 16
    asked = Counter(json.dumps(entry.body) for server in (one, two, again) for entry in server.log)
    assert len(asked) == 2000 and 2000 <= asked.total() <= 2000 + faults["reset"]  # only what was cut was asked twice
    with FaultyServer(answer=verdict) as alone:
        same = go("one", alone.url)
    scores = [{(r["item"], tuple(r["shown"]), r["sample"]): r["scores"] for r in x.judgments} for x in (result, same)]
    assert scores[0] == scores[1] and result.headline == same.headline
