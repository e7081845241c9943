"""engine=ray on real Ray clusters here: workers, clusters and runs are killed, and nothing is lost or left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("ray.data")
pytest.importorskip("pydantic")
pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402

from judgescale.harness.engines.ray import Ray  # noqa: E402
from judgescale.harness.engines.ray_driver import end_session  # noqa: E402
from judgescale.harness.engines.ray_forms import TokenForm  # noqa: E402
from judgescale.harness.engines.vllm import Vllm  # noqa: E402
from judgescale.harness.types import JudgescaleError, Request, Sampling  # noqa: E402

pytestmark = pytest.mark.ray

KEY = "sk-very-secret-key-0123456789"
ITEMS, K = 60, 5
WANTED = ITEMS * K


def verdict(messages, seed):
    return rf"Weighed. \boxed{{Assistant {1 + (seed * 2654435761 >> 7) % 2}}}"


def list_processes() -> Iterator[tuple[int, int, str]]:
    """Every process that lives: its id, its session's and its command."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, LookupError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if fields[0] != "Z":
                yield int(entry.name), int(fields[3]), command


def find_driver(run: int) -> int | None:
    """The process in which a run's Ray is."""
    for pid, _, command in list_processes():
        with contextlib.suppress(OSError, ValueError):
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if parent == run and "ray_driver.py" in command:
                return pid
    return None


def wait_for(what: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def start(folder: Path, server: FaultyServer, *more: str, engine: str = "ray") -> subprocess.Popen[str]:
    """A run of WANTED judgments in a process of its own."""
    options = ["engine.batch_size=16", "engine.wait=0.5"] if engine == "ray" else []
    command = [
        sys.executable, "run.py", "judge=pairwise", "judge.model=served-model", f"engine={engine}", "task=sanity",
        f"task.size={ITEMS}", f"strategy.k={K}", f"engine.base_url={server.url}", f"run.store={folder}/s.sqlite",
        f"hydra.run.dir={folder}/out", *options, *more,
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k not in ("JUDGESCALE_DEBUG", "HYDRA_FULL_ERROR")}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment | {"OPENAI_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job inherits it ignored
    )


def finish(run: subprocess.Popen[str]) -> str:
    said, _ = run.communicate(timeout=150)
    assert run.returncode == 0, said
    return said


def read_answers(folder: Path) -> dict[tuple[str, int], str]:
    with contextlib.closing(sqlite3.connect(folder / "s.sqlite")) as db:
        found = db.execute("SELECT hex(key), rank, text FROM answer").fetchall()
    assert len(found) == len({row[:2] for row in found})  # none twice
    return {(key, rank): text for key, rank, text in found}


def hunt(run: subprocess.Popen[str], server: FaultyServer, after: int, victim: str) -> threading.Thread:
    """Kill (kill -9) one of the processes of a run's Ray in the middle, and look for the key in all that Ray wrote."""
    found: list[object] = []

    def kill() -> None:
        assert wait_for(lambda: server.requests >= after)
        driver = find_driver(run.pid)
        (pid, *_) = [pid for pid, session, command in list_processes() if session == driver and victim in command]
        wrote = Path(f"/proc/{driver}/cwd").resolve()
        files = [path for path in wrote.rglob("*") if path.is_file()]
        assert wrote.name.startswith("jsray-") and len(files) > 10
        assert not [path for path in files if KEY.encode() in path.read_bytes()]
        os.kill(pid, signal.SIGKILL)
        found.append(pid)

    thread = threading.Thread(target=kill)
    thread.found = found  # type: ignore[attr-defined]
    thread.start()
    return thread


def count_left(session: int | None) -> int:
    return sum(of == session for _, of, _ in list_processes())


def list_folders() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("jsray-*")}


@pytest.mark.parametrize("victim", ["ray::MapWorker(MapBatches(HttpRequestUDF))", "raylet/raylet"])
def test_a_process_killed_in_the_middle_costs_nothing(tmp_path, victim):
    """A worker: Ray asks for its batches again. The cluster itself: another job asks for what lacks."""
    before = list_folders()
    with FaultyServer(answer=verdict, latency=0.2, key=KEY, faults={"503": 0.02}, retry_after="0.1") as server:
        run = start(tmp_path, server, "engine.concurrency=32")
        hunter = hunt(run, server, WANTED // 3, victim)
        said = finish(run)
        hunter.join()
        assert hunter.found  # type: ignore[attr-defined]
        answers = read_answers(tmp_path)
        assert len(answers) == WANTED and KEY not in said and "INFO" not in said
        asked = Counter((str(entry.body["messages"]), entry.body["seed"]) for entry in server.log if not entry.fault)
        assert len(asked) == WANTED and max(asked.values()) <= 3
        assert all("n" not in entry.body for entry in server.log)

        if "MapWorker" in victim:  # engine=openai finds every answer in the store, and gets the same without it
            once = server.requests
            finish(start(tmp_path, server, engine="openai"))
            assert server.requests == once
            (tmp_path / "other").mkdir()
            finish(start(tmp_path / "other", server, engine="openai"))
            assert read_answers(tmp_path / "other") == answers
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert tmp_path / "out" / "ray.log" in files and not [path for path in files if KEY.encode() in path.read_bytes()]
    assert list_folders() <= before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_however_the_run_ends(tmp_path, number):
    before = list_folders()
    with FaultyServer(answer=verdict, latency=0.2) as server:
        run = start(tmp_path, server, "engine.concurrency=8")
        assert wait_for(lambda: server.requests >= 40)
        driver = find_driver(run.pid)
        assert driver and count_left(driver) > 5
        run.send_signal(number)
        said, _ = run.communicate(timeout=60)
        assert run.returncode == (-9 if number == signal.SIGKILL else 130), said
        assert wait_for(lambda: not count_left(driver)) and wait_for(lambda: list_folders() <= before)
        if number == signal.SIGINT:
            assert "Traceback" not in said and 0 < len(read_answers(tmp_path)) < WANTED


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Iterator[tuple[str, int]]:
    """A cluster of somebody else's: its address, and the session of its processes."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # Ray sends none to an address that is given
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")
    folder = tempfile.mkdtemp(prefix="rayother-")
    command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--head", "--block"]
    options = ["--port=0", f"--temp-dir={folder}", "--include-dashboard=false", "--num-cpus=3", "--disable-usage-stats"]
    log = tmp_path / "cluster.log"
    with log.open("w") as written:
        process = subprocess.Popen([*command, *options], stdout=written, stderr=written, start_new_session=True)

    def find_address() -> str | None:
        found = re.search(r"--address='([\d.]+:\d+)'", log.read_text())
        return found and found[1]

    try:
        assert wait_for(find_address), log.read_text()
        yield str(find_address()), process.pid
    finally:
        end_session(process.pid)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_cluster_of_somebody_else_is_left_alone(tmp_path, cluster):
    address, session = cluster
    there = {command for _, of, command in list_processes() if of == session and not command.startswith("ray::")}
    assert len(there) > 3
    with FaultyServer(answer=verdict, key=KEY) as server:
        finish(start(tmp_path, server, f"engine.address={address}"))
    assert len(read_answers(tmp_path)) == WANTED
    assert there <= {command for _, of, command in list_processes() if of == session}


@pytest.mark.filterwarnings("ignore")
def test_vllm_on_workers_answers_as_engine_vllm(tmp_path):
    """SmolLM2 on vLLM's CPU build, by Ray and in this process: the same seeds have the same answers.

    It loads the model twice, which takes minutes: run by hand, where both vLLM and Ray are installed.
    """
    pytest.importorskip("vllm")
    from smollm2 import safetensors_folder

    model, most = str(safetensors_folder(tmp_path)), 512
    arguments = {"enforce_eager": True, "enable_chunked_prefill": False, "max_num_seqs": 16}
    cpus = {"placement_group_config": {"bundle_per_worker": {"CPU": 1}}}
    made = Ray(
        model,
        processor="vllm",
        workers=1,
        wait=0.5,
        max_model_len=most,
        engine_kwargs=arguments,
        processor_options=cpus,
    ).log_to(tmp_path)
    requests = [
        Request((("user", "Tell me about foxes."),)),
        Request((("user", "Is a fox a dog?"),), pattern="yes|no"),
        Request((("user", "Write a number."),), pattern="[0-9]{3}"),
    ]

    async def ask(engine, requests):
        async def one(session, request):
            found = {i: output async for i, output in session(request, Sampling(1.0, max_tokens=12), (5, 6, 9))}
            return [replace(found[i], seconds=None, cached_tokens=None, reasoning_tokens=None) for i in range(3)]

        async with engine.open() as session:
            return await asyncio.gather(*(one(session, request) for request in requests))

    *answers, too_long = asyncio.run(ask(made, [*requests, Request((("user", "fox " * 600),))]))
    assert {output.finish for output in too_long} == {"failed"} and "maximum context length" in str(too_long[0].error)
    assert [output.finish for output in answers[0]] == ["length"] * 3
    assert all(output.text in ("yes", "no") and output.finish == "stop" for output in answers[1])
    with pytest.raises(JudgescaleError, match="gives no log-probabilities of labels"):
        TokenForm(made).write(Request((("user", "A or B?"),), labels=("A", "B")), Sampling(), (1,))
    assert answers == asyncio.run(ask(Vllm(model, max_model_len=most, max_num_seqs=16), requests))
