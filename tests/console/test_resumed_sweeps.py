"""Sweeps that are run again: only what is missing is done, also after kill -9; misfits are no failures."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, run
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from judgescale.harness import command, sweep, sweep_progress
from judgescale.harness.finished import report
from judgescale.harness.finished.results import read_results
from judgescale.harness.report import figure, files, reliability, tables
from judgescale.harness.sweep import name_folder, name_sweep


def read_states(sweep: Path) -> dict[str, str]:
    """What became of each job, by its folder."""
    return {job["folder"]: job["state"] for job in json.loads((sweep / "sweep.json").read_text())["jobs"]}


def test_a_sweep_run_again_does_only_what_is_missing(tmp_path):
    data = tmp_path / "set.parquet"
    shutil.copy(ROOT / "results/recorded/vicuna80.parquet", data)
    command = ("-m", "strategy=single,voting", f"engine.path={data}", "run.limit=20", f"hydra.sweep.dir={tmp_path}/out")
    first = run(*command)
    assert first.returncode == 0 and "jobs:" not in first.stderr, first.stderr
    single, voting = sorted(read_states(tmp_path / "out"))
    written = [(tmp_path / "out" / name / "summary.json").stat().st_mtime_ns for name in (single, voting)]

    again = run(*command)
    assert read_states(tmp_path / "out") == {single: "skipped", voting: "skipped"}
    assert "2 jobs: 2 skipped" in again.stderr and "strategy=single, strategy=voting" in again.stderr
    assert written == [(tmp_path / "out" / name / "summary.json").stat().st_mtime_ns for name in (single, voting)]
    assert again.stdout == first.stdout  # the same report

    (tmp_path / "out" / single / "summary.json").unlink()  # as kill -9 would have left it
    config = tmp_path / "out" / voting / "config.yaml"
    summary = tmp_path / "out" / voting / "summary.json"
    config.write_text(config.read_text().replace("draws: 200", "draws: 100"))
    summary.write_text(summary.read_text().replace('"config": "', '"config": "0'))
    third = run(*command)
    assert read_states(tmp_path / "out") == {single: "done", voting: "done"}
    assert "done again, for its config was another one: run.draws: 100 | 200: strategy=voting" in third.stderr

    with data.open("ab") as file:
        file.write(b"\0" * 8)  # no set any more, and not the same one
    broken = run(*command)
    assert broken.returncode == 1
    assert read_states(tmp_path / "out") == {single: "failed", voting: "failed"}
    assert "2 of the jobs failed" in broken.stderr


def test_again_does_all_again_in_the_same_folder(tmp_path):
    command = ("-m", "strategy=single", "task=vicuna80_pairs", "run.limit=20", f"hydra.sweep.dir={tmp_path}/out")
    assert run(*command).returncode == 0
    again = run(*command, "run.again=true")
    assert read_states(tmp_path / "out") == {"run.limit=20,strategy=single,task=vicuna80_pairs": "done"}
    assert "done again, for run.again=true" in again.stderr and "1 jobs: 1 done" in again.stderr


def test_what_cannot_go_together_is_listed_once_and_no_failure(tmp_path):
    command = (
        "-m",
        "strategy=single,voting,elo",
        "task=vicuna80_best_of_5",
        "run.draws=5",
        "run.ks=1",
        "strategy.k=1,99",
    )
    done = run(*command, f"hydra.sweep.dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert sorted(read_states(tmp_path).values()) == ["done"] + 5 * ["impossible"]
    lines = [line for line in done.stderr.splitlines() if line.startswith("impossible: ")]
    assert len(lines) == 2 and "strategy=single strategy.k=1" in lines[0] and ": set vicuna80, item 1" in lines[0]
    assert lines[1].startswith("impossible: strategy=elo strategy.k=99: strategy.k=99 asks for more than was recorded")
    wrong = run("-m", "strategy=elo", "strategy.k=9", "strategy.rating=none", f"hydra.sweep.dir={tmp_path}/wrong")
    assert wrong.returncode == 1 and "failed: strategy=elo" in wrong.stderr  # an option that is wrong stays wrong


def test_a_sweeps_folder_is_named_by_what_is_swept_however_it_is_typed():
    words = ["-m", "strategy=voting,elo", "strategy.k=1,2", "engine.path=a/b.parquet"]
    name = name_sweep(words)
    assert name.startswith("strategy.k=1,2,strategy=voting,elo-") and len(name.encode()) <= 70
    more = ["run.again=true", "run.budget.dollars=3", "hydra.verbose=true", "--dry"]
    assert name_sweep([words[2], words[0], words[1], words[3], *more]) == name
    assert name_sweep([*words[:3], "engine.path=a-b.parquet"]) != name
    assert name_sweep(["-m", f"judge.model={'x' * 300},y"]).startswith("judge.model=xxx")


def test_nested_overrides_that_differ_in_their_brackets_have_folders_of_their_own():
    one, other = "compare=[[strategy=elo],[seed=1]]", "compare=[[strategy=elo,seed=1]]"
    names = {name_folder(f"run.again=true,{text}") for text in (one, other, 'a={b:"c"}', "a={b:'c'}")}
    assert len(names) == 4 and name_folder(one) == name_folder(f"{one},run.again=true")


@pytest.mark.openai
def test_a_sweep_killed_half_way_goes_on_and_buys_nothing_twice(tmp_path):
    pytest.importorskip("aiohttp")
    from faulty_server import FaultyServer

    pairs, flight = 60, 4
    with FaultyServer(answer=lambda messages, seed: rf"\boxed{{Assistant {1 + seed % 2}}}", latency=0.02) as server:

        def write_command(place: str) -> list[str]:
            return [
                sys.executable, "run.py", "-m", "judge=pairwise", "judge.model=local", "engine=openai", "task=sanity",
                f"engine.base_url={server.url}", f"engine.concurrency={flight}", f"task.size={pairs}",
                "judge.sampling.max_tokens=64,65,66", f"run.store={tmp_path}/{place}.sqlite",
                f"hydra.sweep.dir={tmp_path}/{place}",
            ]  # fmt: skip

        job = subprocess.Popen(write_command("a"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 90
        while server.requests < pairs + pairs // 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        job.send_signal(signal.SIGKILL)
        job.wait()
        finished = list((tmp_path / "a").glob("*/summary.json"))
        assert len(finished) == 1 and server.requests < 3 * pairs
        again = subprocess.run(write_command("a"), cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert again.returncode == 0, again.stderr
        assert 3 * pairs <= server.requests <= 3 * pairs + flight  # at most what was in flight is asked twice
        assert sorted(read_states(tmp_path / "a").values()) == ["done", "done", "skipped"]
        asked = server.requests
        assert subprocess.run(write_command("a"), cwd=ROOT, capture_output=True, timeout=120).returncode == 0
        assert set(read_states(tmp_path / "a").values()) == {"skipped"} and server.requests == asked
        whole = subprocess.run(write_command("b"), cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert whole.returncode == 0, whole.stderr
    assert not list((tmp_path / "a").glob("**/.*"))  # no draft, lock or word of a job is left
    for kind in ("curve.csv", "table.csv"):
        assert (tmp_path / "a" / kind).read_text() == (tmp_path / "b" / kind).read_text()


def run_here(monkeypatch, *arguments: str) -> None:
    """Run a command in this process; one that exits with another status than 0 raises."""
    monkeypatch.delitem(Singleton._instances, GlobalHydra, raising=False)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    command.main(arguments)


def test_the_report_is_redrawn_as_jobs_end_and_any_report_can_be_made_meanwhile(tmp_path, monkeypatch, capsys):
    seen, draw = [], sweep.draw_progress

    def look(*given) -> None:
        draw(*given)
        text = (tmp_path / "report.md").read_text()
        report.main([str(tmp_path), "--out", str(tmp_path / "mine")])
        assert (tmp_path / "report.png").stat().st_size > 10_000
        seen.append((text, (tmp_path / "mine" / "report.csv").read_text()))

    monkeypatch.setattr(sweep, "draw_progress", look)
    for limit in ("EVERY", "SHARE"):
        monkeypatch.setattr(sweep_progress, limit, 0)
    run_here(monkeypatch, "-m", "strategy=single,voting", "run.limit=20", f"hydra.sweep.dir={tmp_path}")
    (first, of_first), (second, of_second) = seen
    assert "The sweep goes on: 1 of its jobs were finished" in first and "single" in first and "voting" not in first
    assert "The sweep goes on: 2 of its jobs" in second and "voting" in second
    assert ",voting," in of_second and of_second == (tmp_path / "report.csv").read_text() != of_first
    assert "goes on" not in (tmp_path / "report.md").read_text() and not list(tmp_path.glob("**/.*"))


def test_a_quick_sweep_draws_its_report_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_progress, "EVERY", 10.0)
    sweep_progress.begin_progress(tmp_path)
    assert not sweep_progress.is_due(tmp_path)
    os.utime(tmp_path / sweep_progress.DRAWN, (0, time.time() - 11))
    assert sweep_progress.is_due(tmp_path)
    (tmp_path / sweep_progress.DRAWN).write_text("3.0")  # it took 3 seconds, 11 ago: a fourth of all time
    os.utime(tmp_path / sweep_progress.DRAWN, (0, time.time() - 11))
    assert not sweep_progress.is_due(tmp_path)


def test_points_of_a_sweep_equal_those_of_single_runs(tmp_path, monkeypatch):
    """To the last digit, whatever the jobs before have left in the process."""
    for module, draw in ((figure, "draw_figure"), (reliability, "draw_reliability")):
        monkeypatch.setattr(module, draw, lambda *given: None)  # the numbers matter, and pictures take long
    jobs = [("vicuna80_pairs", "voting"), ("vicuna80_pairs", "knockout"), ("realmistake", "voting")]  # else impossible
    alike = ("strategy.k=3", "run.limit=30", "run.draws=10")
    swept = ("-m", "strategy=voting,knockout", "task=vicuna80_pairs,realmistake", *alike)
    run_here(monkeypatch, *swept, f"hydra.sweep.dir={tmp_path}/sweep")
    rows = []
    for number, (task, strategy) in enumerate(jobs):
        where = f"hydra.run.dir={tmp_path}/{number}"
        run_here(monkeypatch, f"strategy={strategy}", f"task={task}", *alike, where)
        rows += (tmp_path / str(number) / "curve.csv").read_text().splitlines()[1:]
    together = (tmp_path / "sweep" / "curve.csv").read_text().splitlines()[1:]
    assert sorted(rows) == sorted(together) and len(rows) > len(jobs)


def test_a_sweep_of_recorded_sets_killed_half_way_goes_on_with_what_is_missing(tmp_path, monkeypatch):
    given = ("-m", "strategy=voting,knockout,elo", "run.limit=20", "run.draws=10")
    command = [sys.executable, "run.py", *given, f"hydra.sweep.dir={tmp_path}/a"]
    job = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not (finished := list((tmp_path / "a").glob("*/summary.json"))) and time.monotonic() < deadline:
        time.sleep(0.005)
    job.send_signal(signal.SIGKILL)
    job.wait()
    before = {path: path.stat().st_mtime_ns for path in finished}
    for place in ("a", "b"):
        run_here(monkeypatch, *given, f"hydra.sweep.dir={tmp_path}/{place}")
    states = sorted(read_states(tmp_path / "a").values())
    assert before and "skipped" in states and "done" in states and len(states) == 3
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    assert not list((tmp_path / "a").glob("**/.*"))  # no draft, lock or word of a job is left
    for kind in ("curve.csv", "table.csv"):
        assert (tmp_path / "a" / kind).read_text() == (tmp_path / "b" / kind).read_text()


LAUNCHER = """
import os
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.plugins.launcher import Launcher

class Forking(Launcher):
    def setup(self, *, hydra_context, task_function, config):
        self.context, self.function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides, initial_job_idx):
        for number, overrides in enumerate(job_overrides):
            if os.fork():
                os.wait()
                continue
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            config.hydra.job.num = number
            run_job(self.function, config, "hydra.sweep.dir", "hydra.sweep.subdir", self.context)
            os._exit(0)
        return [JobReturn(_return_value=None, status=JobStatus.COMPLETED) for _ in job_overrides]
"""


def test_jobs_in_other_processes_leave_the_same_report(tmp_path, monkeypatch):
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "forking.py").write_text(LAUNCHER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    more = ("task=vicuna80_pairs", "run.limit=20", "+hydra.launcher._target_=hydra_plugins.forking.Forking")
    launcher = ("strategy.k=2,0", "~hydra/launcher", *more)
    done = run("-m", "strategy=voting", *launcher, f"hydra.sweep.dir={tmp_path}/out")
    assert done.returncode == 1 and "failed: strategy.k=0: strategy.k=0: must be" in done.stderr, done.stderr
    assert sorted(read_states(tmp_path / "out").values()) == ["done", "failed"]
    assert [arm["k"] for arm in json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]] == [2]
    again = run("-m", "strategy=voting", *launcher, f"hydra.sweep.dir={tmp_path}/out")
    assert "1 skipped, 1 failed" in again.stderr


def test_the_same_sweep_at_once_is_refused_in_one_line(tmp_path):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".running"):
        done = run("-m", "strategy=single", "run.limit=20", f"hydra.sweep.dir={tmp_path}/out")
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "this sweep is running already" in done.stderr


def test_help_and_config_hold_no_price_list(tmp_path, composed):
    from judgescale.harness.plan.prices import keep_used_prices

    shown = run("--help").stdout
    assert "run.again" not in shown and "again: false" in shown and "cached:" not in shown
    cfg = composed("judge=pairwise", "judge.model=gpt-4.1-mini", "engine=openai", "task=sanity")
    assert len(cfg.prices) > 20 and list(keep_used_prices(cfg).prices) == ["gpt-4.1-mini"]
    assert list(keep_used_prices(cfg, ["GPT-5.4 mini"]).prices) == ["gpt-4.1-mini", "gpt-5.4-mini"]


def test_results_read_back_give_the_same_tables_and_figure(evaluated, tmp_path):
    results = [
        *evaluated("task=judgebench", "judge.pool=false").values(),
        *evaluated("experiment=tour", "run.limit=30", "strategy=stopping").values(),
    ]
    files.write_files(results, tmp_path / "run", "", judgments=False)
    back = read_results(tmp_path / "run", credits=True)
    for render in (tables.render_markdown, tables.render_latex, tables.render_csv):
        assert render(back) == render(results)
    for name, found in (("a", results), ("b", back)):
        (tmp_path / name).mkdir()
        figure.draw_figure(found, tmp_path / name)
        files.write_credits(found, tmp_path / name / "credits.parquet")
    for file in ("curve.png", "credits.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
