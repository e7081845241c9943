"""What a run is told to spend, what a server sends back, and how a run ends: nothing paid for is lost or miscounted."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402
from test_live_run import go, overrides, verdict  # noqa: E402, F401

from judgescale.harness.engines.openai import OpenAI  # noqa: E402
from judgescale.harness.engines.openai_replies import read_completions  # noqa: E402
from judgescale.harness.runner import run  # noqa: E402
from judgescale.harness.store import Store  # noqa: E402
from judgescale.harness.types import JudgescaleError  # noqa: E402

pytestmark = pytest.mark.openai


def count_kept(tmp_path: Path) -> int:
    with Store(tmp_path / "store.sqlite", readonly=True) as store:
        return store.count_answers()


# Numbers


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("run.budget={tokens: nan}", "run.budget.tokens=nan: must be a number above 0"),
        ("run.budget={tokens: inf}", "run.budget.tokens=inf: must be a number above 0"),
        ("run.budget={dollars: nan}", "run.budget.dollars=nan: must be a number above 0"),
        ("judge.price={input: nan, output: 1}", "judge.price.input=nan: must be dollars a million tokens"),
        ("judge.price={input: 1, output: inf}", "judge.price.output=inf: must be dollars a million tokens"),
        ("judge.price={input: 1, output: 1, cached: nan}", "judge.price.cached=nan: must be dollars"),
    ],
)
def test_a_budget_or_price_that_limits_nothing_is_refused(composed, tmp_path, given, said):
    extra = [] if "price" in given else ["judge.price={input: 1, output: 1}"]
    with FaultyServer(answer=verdict) as server:
        with pytest.raises(JudgescaleError) as error:
            run([composed(*overrides(server, tmp_path, given, *extra))], tmp_path / "out", show=False)
        assert said in str(error.value) and server.requests == 0


@pytest.mark.parametrize("fault", ["no_usage", "zero_usage", "nan_usage", "negative_usage", "text_usage"])
def test_a_token_budget_holds_where_the_server_does_not_count(go, fault):  # noqa: F811
    with FaultyServer(answer=verdict, faults={fault: 1.0}) as server:
        with pytest.raises(JudgescaleError, match=r"run.budget.tokens=50000"):
            go(server, "task.size=400", "strategy.k=1", "run.budget={tokens: 50000}", "engine.concurrency=2")
        assert 0 < server.requests < 60  # each may have cost about 1,000 bytes of prompt and 64 tokens


def test_more_cached_tokens_than_there_are_make_no_negative_bill(go):  # noqa: F811
    with FaultyServer(answer=verdict, faults={"cached_over": 1.0}) as server:
        result = go(server, "task.size=10", "judge.price={input: 1, output: 1, cached: 0.1}")
    assert 0 < result.compute["cached_tokens"] <= result.compute["prompt_tokens"]
    assert 0 < result.compute["dollars"] < 1


def test_ten_answers_without_usage_do_not_blank_the_counts_of_the_others(go):  # noqa: F811
    with FaultyServer(answer=verdict) as server:
        whole = go(server, "task.size=350", "strategy.k=2", "engine.many=false", folder="whole")
    with FaultyServer(answer=verdict, faults={"no_usage": 0.02}) as server:
        result = go(server, "task.size=350", "strategy.k=2", "engine.many=false", "engine.provider=other")
        lacking = server.seen("no_usage")
    assert 3 < lacking < 40
    assert result.compute["completion_tokens"] == pytest.approx(whole.compute["completion_tokens"], rel=0.02)
    assert result.compute["prompt_tokens"] == pytest.approx(whole.compute["prompt_tokens"], rel=0.02)
    assert any(note == f"Tokens: {lacking} of 700 came uncounted and are taken at the mean of the others."
               for note in result.notes)  # fmt: skip


def test_answers_beyond_n_are_billed(go):  # noqa: F811
    size = ("task.size=20", "strategy.k=4")
    with FaultyServer(answer=lambda messages, seed: r"\boxed{Assistant 1}", faults={"more": 1.0}) as server:
        result = go(server, *size)
    assert result.health["faults"] == {"wrong_n": 40}
    assert result.compute["completion_tokens"] == 40 * 3 * 2  # three answers of two words came for each two


def test_counts_are_read_as_servers_write_them():
    def read(**changed):
        reply = {"choices": [{"index": 0.0, "message": {"content": "A"}, "finish_reason": "stop"}], **changed}
        (output,) = read_completions(reply, (), None, 0.1)
        return output.prompt_tokens, output.cached_tokens, output.completion_tokens

    assert read(usage={"prompt_tokens": 12.0, "completion_tokens": 3.0}) == (12, None, 3)
    assert read(usage={"prompt_tokens": 12.5, "completion_tokens": True}) == (None, None, None)
    assert read(usage={"prompt_tokens": 5, "completion_tokens": 1, "prompt_cache_hit_tokens": 9}) == (5, 5, 1)
    assert read(usage=[]) == read() == (None, None, None)


# Replies


@pytest.mark.parametrize("fault", ["huge", "bomb"])
def test_a_reply_that_is_too_large_is_not_read_to_its_end(tmp_path, fault):
    script = (
        "import re, sys; from judgescale.harness.command import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    with FaultyServer(answer=verdict, faults={fault: 0.3}) as server:
        command = [
            *overrides(server, tmp_path, "task.size=30", "engine.max_reply_bytes=1000000"),
            "run.max_failures=99",
        ]
        done = subprocess.run(
            [sys.executable, "-c", script, *command, f"hydra.run.dir={tmp_path}/out"],
            cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        met = server.seen(fault)
    assert done.returncode == 0, done.stderr
    health = json.loads((tmp_path / "out" / "summary.json").read_text())["health"]
    assert met and health["failed"] == met == health["faults"]["too_large"]
    assert int(done.stdout.split()[-1]) < 400  # MB: one such reply alone has 64 million characters
    assert (tmp_path / "store.sqlite").stat().st_size < 1_000_000


def test_content_in_parts_is_the_text_of_its_answers():
    parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "It is "}, {"type": "text", "text": "A"}]
    reply = {"choices": [{"index": 0, "message": {"content": parts}, "finish_reason": "stop"}]}
    (output,) = read_completions(reply, (), None, 0.1)
    assert output.text == "It is A"


# What is said is so


def test_a_full_disk_says_how_many_answers_are_kept(go, tmp_path, monkeypatch):  # noqa: F811
    enter = Store.__enter__

    def fill_up(self):
        opened = enter(self)
        self._db.execute("PRAGMA max_page_count = 60")
        return opened

    monkeypatch.setattr(Store, "__enter__", fill_up)
    with FaultyServer(answer=verdict) as server, pytest.raises(JudgescaleError, match="disk is full") as error:
        go(server, "task.size=2000")
    monkeypatch.undo()
    kept = count_kept(tmp_path)
    assert kept > 5  # as many as fit in these pages, however many arrived at once
    assert f"; {kept:,} answers are in" in str(error.value)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_is_removed_meanwhile_is_saved_and_told(go, tmp_path, replaced):  # noqa: F811
    path, done = tmp_path / "store.sqlite", []
    (mine := tmp_path / "mine").write_text("mine")

    def remove(messages, seed):
        if server.requests >= 50 and not done:
            done.append(True)
            mine.replace(path) if replaced else path.unlink()
        return verdict(messages, seed)

    with FaultyServer(answer=remove) as server, pytest.raises(JudgescaleError, match="was removed or replaced") as told:
        go(server, "task.size=400", "engine.concurrency=4")
    assert not replaced or path.read_text() == "mine"
    (saved,) = [
        p for p in tmp_path.glob("store*.sqlite") if p.name in str(told.value) and p.read_bytes()[:6] == b"SQLite"
    ]
    assert (f"run.store={saved} goes on" in str(told.value)) == replaced
    with Store(saved, readonly=True) as store:
        assert store.count_answers() == server.requests  # those that arrived afterwards too


def test_a_link_to_a_store_waits_for_the_run_that_writes_to_it(tmp_path):
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "store.sqlite")
    with FaultyServer(answer=verdict, latency=0.02) as server:
        jobs = []
        for name in ("store", "link"):
            more = ("task.size=200", "engine.concurrency=4", f"run.store={tmp_path}/{name}.sqlite")
            command = [
                sys.executable,
                "run.py",
                *overrides(server, tmp_path, *more, f"hydra.run.dir={tmp_path}/{name}"),
            ]
            jobs.append(
                subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            )
            while name == "store" and server.requests < 20:
                time.sleep(0.01)
        said = [job.communicate(timeout=120)[1] for job in jobs]
        assert [job.returncode for job in jobs] == [0, 0], said
        assert server.requests == 200


# Stopping


def ignore_ctrl_c() -> None:
    """As in the background of a script, where the other signals end a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(server, tmp_path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "run.py", *overrides(server, tmp_path, *more, f"hydra.run.dir={tmp_path}/runs/out")]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=ignore_ctrl_c,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_a_run_as_ctrl_c_does(tmp_path, number):
    with FaultyServer(answer=verdict, latency=0.5) as server:
        job = start(server, tmp_path, "task.size=400", "engine.concurrency=32")
        while server.requests < 40:
            time.sleep(0.01)
        job.send_signal(number)
        _, said = job.communicate(timeout=60)
        assert job.returncode == 130 and "Traceback" not in said
        kept = count_kept(tmp_path)
        assert kept == server.requests and f"{kept} answers are in" in said  # those in flight too
    assert [p.name for p in (tmp_path / "runs" / "out").iterdir()] == ["run.log"]
    assert f"the log is {tmp_path}/runs/out/run.log" in said


def test_after_ctrl_c_nothing_is_sent_again(tmp_path):
    with FaultyServer(answer=verdict, faults={"500": 0.9}, latency=0.05) as server:
        job = start(server, tmp_path, "task.size=400", "engine.concurrency=32", "engine.backoff=0.1")
        while server.requests < 100:
            time.sleep(0.01)
        job.send_signal(signal.SIGTERM)
        at = time.monotonic()
        _, said = job.communicate(timeout=60)
        assert job.returncode == 130 and "interrupted" in said
        assert sum(entry.at > at + 0.5 for entry in server.log) == 0
        assert time.monotonic() - at < 10


def test_a_killed_run_leaves_its_log_alone_to_the_next(tmp_path, go):  # noqa: F811
    with FaultyServer(answer=verdict, latency=0.2) as server:
        job = start(server, tmp_path, "task.size=100", "engine.concurrency=4")
        while server.requests < 8:
            time.sleep(0.01)
        job.kill()
        job.communicate()
    left = tmp_path / "runs" / "out"
    assert {p.name for p in left.iterdir()} == {".running", "run.log"}
    (left / ".draft-x").mkdir()
    with FaultyServer(answer=verdict) as server:
        go(server, "task.size=4", folder="runs/next")
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"next", "out"}
    assert [p.name for p in left.iterdir()] == ["run.log"]


def test_ctrl_c_while_loading_is_one_line():
    script = (
        "import sys, builtins; real = builtins.__import__\n"
        "def slow(name, *rest, **more):\n"
        "    if name == 'hydra': raise KeyboardInterrupt\n"
        "    return real(name, *rest, **more)\n"
        "builtins.__import__ = slow; import runpy; sys.argv = ['run.py']; runpy.run_path('run.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "interrupted: nothing was started\n")


# Keys of the store


def identity(url: str, **more) -> str:
    return OpenAI(model="m", base_url=url, **more).identity()["provider"]


def test_addresses_are_one_server_or_two():
    assert identity("http://h:1/v1/") == identity("http://H:1/v1") == identity("http://h:1/v1#a") == "h:1/v1"
    azure = "http://h/openai/deployments/a"
    assert identity(f"{azure}?api-version=1") != identity(f"{azure}?api-version=2") != identity(azure)


def test_one_and_one_point_zero_are_one_setting(go, tmp_path):  # noqa: F811
    size = ("task.size=12", "judge.sampling.max_tokens=64")
    with FaultyServer(answer=verdict) as server:
        go(server, *size, "judge.sampling.temperature=1.0", "+engine.extra_body.top_k=20.0", folder="a")
        go(server, *size, "judge.sampling.temperature=1", "+engine.extra_body.top_k=20", folder="b")
        assert server.requests == 12
        go(server, *size, "judge.sampling.temperature=1", "+engine.extra_body.top_k=true", folder="c")
        assert server.requests == 24  # true is not 1
    assert sqlite3.connect(tmp_path / "store.sqlite").execute("SELECT count(*) FROM model").fetchone() == (2,)
    assert os.path.exists(tmp_path / "a" / "summary.json")
