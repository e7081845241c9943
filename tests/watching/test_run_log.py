"""run.log: what is in it, also where a run fails, and that nothing in it is secret or harmful."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from faulty_server import FaultyServer

from judgescale.harness.live.meter import Meter, Tally
from judgescale.harness.runner import run
from judgescale.harness.types import JudgescaleError
from judgescale.harness.watching.log import MOST_KINDS, RunLog
from judgescale.harness.watching.progress import Follower, Plan

PLANS = [Plan("voting@4", 10, 40), Plan("elo@4", 10, 60)]


def read(path) -> list[str]:
    """The lines without their times, each of which must have one."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \S", line) for line in lines if line)
    return [line[21:] for line in lines]


@pytest.fixture
def followed():
    """A meter, and a function that moves the clock and returns the progress."""
    now, meter = [0.0], Meter(50, arms=[Tally(), Tally()])
    follower = Follower(PLANS, clock=lambda: now[0])

    def look(seconds: float):
        now[0] += seconds
        return follower.look(meter)

    return meter, look


def test_events_are_written_as_they_happen_and_progress_now_and_then(tmp_path, followed):
    meter, look = followed
    log = RunLog(tmp_path / "run.log")
    log.begin("python run.py judge=x", ["arm: …"])
    for step in range(100):
        meter.arms[0].items, meter.arms[0].judgments = min(step // 5, 10), min(step, 40)
        if step == 20:
            meter.faults.note("429", "429 slow down")
            meter.tell("waiting for another run")
        if step in (21, 22):
            meter.faults.note("429", "429 again")
        if step == 90:
            meter.record_failure("the prompt is too long")
        if step == 95:
            meter.stop("run.budget.dollars=1")
        log.look(meter, look(1))
    said = read(tmp_path / "run.log")  # it is not closed yet
    log.close()
    assert said[:2] == ["begun: python run.py judge=x", "arm: …"]
    assert said.count("fault: 429 slow down") == 1 and said.count("waiting for another run") == 1
    assert said.count("an answer failed: the prompt is too long") == 1
    assert sum(line.startswith("voting@4: done: 10 of 10 items (100%), 40 of 40 judgments") for line in said) == 1
    assert sum(line.startswith("judging: ") for line in said) == 3  # after 10, 40, 70 s
    assert sum(line.startswith("voting@4: ") for line in said) == 3  # with two of them, and when it is done
    assert not any(line.startswith("elo@4") for line in said)  # it waits
    assert any(line.startswith("stopping: run.budget.dollars=1") for line in said)
    assert "faults on the way: 3 429; 2 arms: 1 done, 1 waiting" in "\n".join(said)


def test_what_a_server_says_is_one_harmless_line_without_secrets(tmp_path, followed):
    meter, look = followed
    log = RunLog(tmp_path / "run.log")
    log.begin("python run.py engine.api_key=sk-0123456789abcdef", [])
    meter.faults.note("\x1b[31mred", "line\n2027-01-01 00:00:00  result: 100\u202e {'api_key': 'hunter2hunter2'}")
    meter.bought = 1
    for number in range(1000):
        meter.faults.note(f"kind {number}", "x" * 5000)
    log.look(meter, look(1))
    log.close()
    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert "hunter2" not in text and "0123456789abcdef" not in text and "***" in text
    assert all(line.isprintable() and len(line) < 1200 for line in text.splitlines())
    assert not any(line.startswith("2027") for line in text.splitlines())
    assert len(text.splitlines()) <= MOST_KINDS + 2


def test_a_log_of_nothing_is_not_left_behind(tmp_path, followed):
    meter, look = followed
    path = tmp_path / "run.log"
    log = RunLog(path)
    log.begin("python run.py", [])
    log.look(meter, look(1))
    assert path.exists()
    log.close()
    assert not path.exists()
    path.write_text("2026-01-01 00:00:00  of an earlier run\n")
    log = RunLog(path)
    log.begin("python run.py", [])
    log.close()
    assert read(path) == ["of an earlier run", "", "begun: python run.py"]


def test_a_full_disk_stops_no_run(followed, capsys):
    from pathlib import Path

    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    meter, look = followed
    log = RunLog(Path("/dev/full"))
    for _ in range(3):
        log.begin("python run.py", ["line"])
        log.look(meter, look(20))
    log.close()
    assert capsys.readouterr().err == "/dev/full: no log is written: No space left on device\n"


def test_every_live_run_leaves_its_log_and_a_second_one_is_written_below(composed, tmp_path, capsys):
    live = ("judge=random", "task=sanity", "task.size=6", "strategy.k=2", f"run.store={tmp_path}/s.sqlite")
    for _ in range(2):
        run([composed(*live), composed(*live, "strategy=single")], tmp_path / "out", show=False, command="judgescale …")
    first, second = "\n".join(read(tmp_path / "out" / "run.log")).split("\n\n")
    assert first.startswith("begun: judgescale …\njudgescale ") and second.startswith("begun: judgescale …\n")
    assert "arm: random, voting@2, sanity: 6 items, 12 judgments\narm: random, single, sanity: 6 items, 6 judg" in first
    assert "12 items (100%), 18 of 18 judgments, 12 answers bought, 0 reused" in first
    assert "18 of 18 judgments, 0 answers bought, 12 reused" in second
    assert re.search(
        r"\nresult: voting, k=2: accuracy \d+\.\d \[.*\]\nresult: single, k=1: .*\nfinished; .* out$", first
    )
    assert capsys.readouterr().err.count("judged in 0 s: 12 of 12 items (100%), 18 of 18 judgments") == 2


@pytest.mark.openai
def test_a_run_that_fails_says_why_and_where_its_log_is(composed, tmp_path):
    verdict = r"\boxed{Assistant 1}"
    live = [
        "judge=pairwise", "judge.model=local", "engine=openai", "task=sanity", "task.size=60", "strategy.k=4",
        "engine.concurrency=4", "engine.many=false", "run.max_failures=3", f"run.store={tmp_path}/s.sqlite",
    ]  # fmt: skip
    with (
        FaultyServer({"400": 0.1, "503": 0.1}, answer=lambda m, s: verdict, retry_after="0.01") as server,
        pytest.raises(JudgescaleError, match=r"the same command goes on from there; the log is .*out/run\.log$"),
    ):
        run([composed(*live, f"engine.base_url={server.url}")], tmp_path / "out", show=False)
    said = read(tmp_path / "out" / "run.log")
    assert "fault: 503 injected 503" in said and "fault: 400 injected 400" in said
    assert any(line.startswith("stopping: 4 answers failed, more than run.max_failures=3") for line in said)
    assert said[-1].startswith("failed: 4 answers failed") and said[-2].startswith("bought in ")
    nowhere = ("engine.base_url=http://127.0.0.1:9", "engine.backoff=0.01")
    with pytest.raises(JudgescaleError, match="no server at") as told:  # nothing came of it: nothing is left
        run([composed(*live, *nowhere)], tmp_path / "none", show=False)
    assert "run.log" not in str(told.value) and not (tmp_path / "none").exists()


def test_an_arm_buys_and_reuses_on_its_own_account(composed, tmp_path):
    """Both arms ask the same: what the first one bought, the second one has."""
    from judgescale.harness.plan import read_limits
    from judgescale.harness.runner import buy_missing, list_orders, plan_all
    from judgescale.harness.watching.watch import RunAbout, watch_run

    live = ("judge=random", "task=sanity", "task.size=6", f"run.store={tmp_path}/s.sqlite")
    cfgs = [composed(*live, "strategy.k=4"), composed(*live, "strategy.k=2")]
    (planned, _), limits = plan_all(cfgs, None), read_limits(cfgs[0])
    seen = []
    with watch_run(RunAbout(tmp_path, list_orders(planned), limits, None, None), None) as watch:
        look = watch.log.look
        watch.log.look = lambda meter, progress: (seen.append(progress), look(meter, progress))
        buy_missing(planned, limits, watch)
    voting, fewer = seen[-1].arms
    assert (voting.judgments, fewer.judgments) == (24, 12)
    assert voting.bought + fewer.bought == seen[-1].whole.bought == 24
    assert voting.bought + voting.reused == 24 and fewer.bought + fewer.reused == 12
    assert Counter(view.state for view in seen[-1].arms) == {"done": 2}
