"""A whole run on two servers, of which one is killed (kill -9) in the middle and started again."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402

from judgescale.harness.runner import run  # noqa: E402

pytestmark = pytest.mark.openai

SERVER = """
import json, sys, time
sys.path.insert(0, "tests")
from faulty_server import FaultyServer

def verdict(messages, seed):
    return rf"Weighed. \\boxed{{Assistant {1 + (seed * 2654435761 >> 7) % 2}}}"

class Noting(FaultyServer):
    def _fault(self, request, body):
        print(json.dumps(body), file=notes, flush=True)
        return super()._fault(request, body)

port, file = sys.argv[1:]
with open(file, "a") as notes, Noting(answer=verdict, latency=0.03, port=int(port)) as server:
    print(server.port, flush=True)
    time.sleep(300)
"""


def verdict(messages, seed):
    return rf"Weighed. \boxed{{Assistant {1 + (seed * 2654435761 >> 7) % 2}}}"


def start_server(port: int, notes: Path) -> tuple[subprocess.Popen[str], int]:
    """A server in a process of its own, which notes every request in a file; and its port."""
    command = [sys.executable, "-c", SERVER, str(port), str(notes)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, int(process.stdout.readline())


def count_lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_one_of_two_servers_is_killed_and_started_again(composed, tmp_path):
    def go(store: str, urls: str):
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

    first, second, third = (tmp_path / f"server-{i}.jsonl" for i in (1, 2, 3))
    servers = [start_server(0, first), start_server(0, second)]

    def kill_and_start_again() -> None:
        while count_lines(second) < 100:
            time.sleep(0.002)
        servers[1][0].kill()  # with connections open and requests unanswered
        while count_lines(first) < 200:
            time.sleep(0.002)
        servers.append(start_server(servers[1][1], third))

    try:
        helper = threading.Thread(target=kill_and_start_again)
        helper.start()
        result = go("two", "[{}]".format(",".join(f"http://127.0.0.1:{port}/v1" for _, port in servers)))
        helper.join()
    finally:
        for process, _ in servers:
            stop(process)
    assert result.health["statuses"] == {"ok": 2000} and result.health["failed"] == 0
    assert count_lines(third) > 0  # it had its share again
    faults = result.health["faults"]
    assert set(faults) <= {"reset", "connect"} and 0 < faults["reset"] <= 16
    asked = Counter(line for file in (first, second, third) for line in file.read_text().splitlines())
    assert len(asked) == 2000 and 2000 <= asked.total() <= 2000 + faults["reset"]  # only what was cut was asked twice
    with FaultyServer(answer=verdict) as alone:
        same = go("one", alone.url)
    scores = [{(r["item"], tuple(r["shown"]), r["sample"]): r["scores"] for r in x.judgments} for x in (result, same)]
    assert scores[0] == scores[1] and result.headline == same.headline
