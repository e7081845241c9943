"""Whole live runs against a local server: faults, kill -9, reuse, secrets, what is left behind."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402

from judgescale.harness.runner import run  # noqa: E402
from judgescale.harness.types import JudgescaleError  # noqa: E402

pytestmark = pytest.mark.openai


def verdict(messages, seed):
    return rf"Weighed. \boxed{{Assistant {1 + (seed * 2654435761 >> 7) % 2}}}"


def overrides(server, tmp_path: Path, *more: str) -> list[str]:
    return [
        "judge=pairwise",
        "judge.model=local",
        "engine=openai",
        f"engine.base_url={server.url}",
        "judge.sampling.max_tokens=64",
        "task=sanity",
        f"run.store={tmp_path}/store.sqlite",
        *more,
    ]


@pytest.fixture
def go(composed, tmp_path):
    def go(server, *more: str, folder: str = "out"):
        (result,) = run([composed(*overrides(server, tmp_path, *more))], tmp_path / folder, show=False)
        return result

    return go


def scored(result):
    return {(row["item"], tuple(row["shown"]), row["sample"]): row["scores"] for row in result.judgments}


def test_two_thousand_judgments_survive_every_fault(go, tmp_path):
    size = ("task.size=250", "strategy.k=8", "engine.retries=12", "engine.timeout=0.5")
    rates = {
        "429": 0.03,
        "500": 0.03,
        "503": 0.02,
        "timeout": 0.01,
        "reset": 0.03,
        "cut": 0.02,
        "bad_json": 0.03,
        "wrong_types": 0.02,
        "empty": 0.02,
        "fewer": 0.05,
        "more": 0.05,
    }
    with FaultyServer(answer=verdict, faults=rates, retry_after="0.1") as server:
        result = go(server, *size)
        met = {fault for fault in rates if server.seen(fault)}
        empty, met_429 = server.seen("empty"), server.seen("429")
    assert met == set(rates)
    with FaultyServer(answer=verdict) as server:
        clean = go(server, *size, f"run.store={tmp_path}/clean.sqlite", folder="clean")
    health = result.health
    assert health["judgments"] == 2000 and health["failed"] == 0
    assert health["unparseable"] == health["statuses"]["unparsed"] and 0 < health["unparseable"] <= 8 * empty
    counted = {"429", "500", "503", "timeout", "reset", "bad_json", "empty", "wrong_n"}
    assert counted <= set(health["faults"])
    assert health["faults"]["429"] == met_429
    right = scored(clean)
    for key, scores in scored(result).items():
        assert scores is None or scores == right[key]  # nothing was scored from garbage
    assert clean.health["faults"] == {} and clean.health["unparseable"] == 0


def test_killed_runs_go_on_where_they_were(tmp_path):
    """kill -9 in the middle, then the same command: at most what was in flight is asked twice."""
    pairs, flight = 600, 16
    with FaultyServer(answer=verdict, latency=0.02) as server:
        more = (f"task.size={pairs}", f"engine.concurrency={flight}", f"hydra.run.dir={tmp_path}/out")
        command = [sys.executable, "run.py", *overrides(server, tmp_path, *more)]
        first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while server.requests < pairs // 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        first.send_signal(signal.SIGKILL)
        first.wait()
        asked = server.requests
        assert pairs // 2 <= asked < pairs and not (tmp_path / "out" / "summary.json").exists()
        again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert again.returncode == 0, again.stderr
        assert pairs <= server.requests <= pairs + flight
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["items"] == pairs and summary["health"]["failed"] == 0


def test_ctrl_c_says_how_to_go_on(tmp_path):
    with FaultyServer(answer=verdict, latency=0.05) as server:
        more = ("task.size=400", "engine.concurrency=4", f"hydra.run.dir={tmp_path}/out")
        command = [sys.executable, "run.py", *overrides(server, tmp_path, *more)]
        first = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job inherits it ignored
        )
        while server.requests < 20:
            time.sleep(0.01)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=30)
        assert first.returncode == 130
        assert "interrupted" in said and "store.sqlite" in said and "same command goes on" in said
        assert "Traceback" not in said


def test_a_larger_k_and_other_strategies_reuse(go):
    with FaultyServer(answer=verdict) as server:
        size = ("task.size=20", "task.responses=4", "engine.many=false")
        go(server, *size, "strategy=elo", "strategy.k=8", folder="a")
        assert server.requests == 20 * 6 * 8
        go(server, *size, "strategy=elo", "strategy.k=32", folder="b")
        assert server.requests == 20 * 6 * 32
        result = go(server, *size, "strategy=knockout", "strategy.k=16", folder="c")
        assert server.requests == 20 * 6 * 32 and result.compute["seconds"] is None
        assert [point.k for point in result.curve if point.section == "overall"] == [16]
        assert result.compute["judgments"] == 20 * 3 * 16


def test_a_finished_run_replays_as_a_recorded_set(go, composed, tmp_path):
    with FaultyServer(answer=verdict) as server:
        live = go(server, "task.size=40", "strategy.k=6")
    path = tmp_path / "out" / "recorded.parquet"
    (replayed,) = run([composed("task=sanity", f"engine.path={path}")], tmp_path / "replay", show=False)
    assert replayed.headline == live.headline
    assert [p.estimate for p in replayed.curve] == [p.estimate for p in live.curve]
    assert scored(replayed) == scored(live)


@pytest.mark.parametrize("fails", [False, True])
def test_no_file_holds_the_key(tmp_path, fails):
    secret = "sk-planted-0123456789abcdef"
    with FaultyServer(answer=verdict, key="another" if fails else secret) as server:
        more = ("task.size=8", f"hydra.run.dir={tmp_path}/out")
        done = subprocess.run(
            [sys.executable, "run.py", *overrides(server, tmp_path, *more)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"OPENAI_API_KEY": secret},
        )
        assert (done.returncode != 0) == fails, done.stderr
        assert any(secret in value for entry in server.log for value in entry.headers.values())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(secret.encode() in path.read_bytes() for path in files)
    assert secret not in done.stdout + done.stderr
    if fails:
        assert done.stderr.count("\n") == 1 and "OPENAI_API_KEY" in done.stderr


def test_a_run_that_failed_leaves_no_results(go, tmp_path):
    with (
        FaultyServer(faults={"400": 1.0}) as server,
        pytest.raises(
            JudgescaleError, match=r"more than run.max_failures=5; the last: 400 injected 400; the log is .*run\.log$"
        ),
    ):
        go(server, "run.max_failures=5")
    assert not (tmp_path / "out" / "summary.json").exists()


def test_dry_says_what_it_would_cost_and_asks_nothing(tmp_path):
    with FaultyServer(answer=verdict) as server:
        more = ("task.size=10", "strategy.k=4", "judge.price={input: 1, output: 10}", "--dry")
        done = subprocess.run(
            [sys.executable, "run.py", *overrides(server, tmp_path, *more)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert server.requests == 0
    assert "40" in done.stdout.split() and "2,560" in done.stdout.split()  # 40 judgments of at most 64 tokens
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "most"),
    [
        (["strategy=stopping", "strategy.k=5"], "random, stopping: at most 30 judgments"),  # 6 items
        (["strategy=budget", "strategy.k=3"], "random, budget: at most 18 judgments"),
        (["strategy=double_elimination", "task.responses=5", "strategy.k=2"], "elimination: at most 96 judgments"),
        (["strategy=knockout", "task.responses=5", "strategy.k=2"], None),
    ],
)
def test_dry_says_where_its_numbers_are_the_most_that_is_bought(composed, tmp_path, capsys, words, most):
    live = ("judge=random", "task=sanity", "task.size=6", f"run.store={tmp_path}/store.sqlite", "run.dry=true")
    run([composed(*live, *words)], tmp_path)
    told = " ".join(capsys.readouterr().out.split())
    assert f"{most}; the verdicts decide how many" in told if most else "at most" not in told


@pytest.mark.parametrize("strategy", ["knockout", "swiss", "double_elimination", "information_gain"])
def test_a_tournament_replays_as_it_was_played(go, composed, tmp_path, strategy):
    with FaultyServer(answer=verdict) as server:
        live = go(server, "task.size=12", "task.responses=4", f"strategy={strategy}", "strategy.k=3")
    set_ = ("task=sanity", f"engine.path={tmp_path}/out/recorded.parquet", f"strategy={strategy}")
    (replayed,) = run([composed(*set_)], tmp_path / "replay", show=False)
    assert replayed.headline == live.headline and replayed.k == 3
    with pytest.raises(JudgescaleError, match=r"asks what was not bought; only the seed=0(, k|) and \w+ of that run"):
        run([composed(*set_, "seed=5")], tmp_path / "other", show=False)


def test_after_a_knockout_something_else_is_proposed(tmp_path):
    def propose(*words):
        done = subprocess.run(
            [sys.executable, "run.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=120
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = next((line for line in done.stdout.splitlines() if line.startswith("next  ")), "")
        return shlex.split(said.removeprefix("next  python run.py ")), done.stdout

    out, store = tmp_path / "out", f"run.store={tmp_path}/store.sqlite"
    live = ("judge=random", "task=sanity", "task.size=8", "task.responses=4", store)
    bought, _ = propose(*live, "strategy=knockout", "strategy.k=2", f"hydra.run.dir={out}")
    assert bought == [*live, "strategy=elo", "strategy.k=2", "--dry"]
    _, told = propose(*bought)
    assert "elo" in told and "96" in told  # 8 items x 6 pairs x 2
    replayed, _ = propose(
        "task=sanity", f"engine.path={out}/recorded.parquet", "strategy=knockout", f"hydra.run.dir={out}2"
    )
    assert "protocol=sanity,common" in replayed and "strategy=knockout" in replayed
    _, both = propose(*replayed, f"hydra.sweep.dir={out}3")
    assert "protocol common" in both


def test_two_runs_in_one_folder_at_once_keep_apart(tmp_path):
    from judgescale.harness.runner import lock_run_folder

    with lock_run_folder(tmp_path / "out") as first:
        (first / "summary.json").write_text("{}")
        with lock_run_folder(tmp_path / "out") as second:
            (second / "summary.json").write_text("{}")
    assert (first.name, second.name) == ("out", "out-2")
    with lock_run_folder(tmp_path / "out") as again:
        assert again == first  # nobody is at work in it now
    with lock_run_folder(tmp_path / "empty"):
        pass
    assert not (tmp_path / "empty").exists()


def test_where_nothing_could_be_used_it_is_an_error_with_its_reason(go):
    with (
        FaultyServer(answer=lambda messages, seed: "I cannot decide.") as server,
        pytest.raises(JudgescaleError, match=r"no judgment of local could be used: 8 unparsed; read them with"),
    ):
        go(server, "task.size=8")
    with (
        FaultyServer(faults={"400": 1.0}) as server,
        pytest.raises(JudgescaleError, match=r"8 failed; the last failure: .*injected 400; the log is .*run\.log$"),
    ):
        go(server, "task.size=8")


def test_order_flips_are_counted_where_one_reading_has_both_orders(go):
    with FaultyServer(answer=lambda messages, seed: r"\boxed{Assistant 1}") as server:
        flips = [
            go(server, "task.size=10", "strategy.k=4", f"protocol.order={order}").health["order_flips"]
            for order in ("both", "balanced", "random")
        ]
    assert flips == [20, 20, None]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["judge.label="], "judge.label=: must be a name"),
        (["judge.label=human"], "judge.label=human: must be a name"),
        (["judge.kind=score"], "judge.kind=score: judge format pairwise asks for a text"),
        (["strategy=meta_voting", "strategy.meta=recorded"], "choose the meta RM that scores the judgments"),
        (["run.budget.dollars=1"], "run.budget.dollars: the price of local is unknown; give it with judge.price"),
        (["run.budget=5"], "run.budget=5: say of what"),
        (["run.samples=2", "strategy.k=4"], "run.samples=2: strategy.k=4 needs at least as many"),
        (["strategy=knockout", "strategy.k=1", "protocol.order=both"], "takes an even k"),
        (["task.responses=4"], "judge format pairwise looks at 2 responses"),
        (["judge.price=3"], "judge.price=3: must be a mapping with input and output"),
        (["judge.sampling=null", "task=llmbar"], "task=llmbar has no texts here"),
        (["meta=scalar", "meta.model=rm", "meta.engine=openai", "strategy=meta_voting"], "engine@meta.engine=openai"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_is_asked(composed, tmp_path, given, said):
    with FaultyServer(answer=verdict) as server:
        with pytest.raises(JudgescaleError) as error:
            run([composed(*overrides(server, tmp_path, *given))], tmp_path / "out", show=False)
        assert said in str(error.value) and server.requests == 0
    assert not (tmp_path / "out").exists()
