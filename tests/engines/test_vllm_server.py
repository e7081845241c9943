"""engine=vllm_server: a server is started, used and stopped, and no process of it is left, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from hydra.utils import instantiate

pytest.importorskip("aiohttp")
pytest.importorskip("tenacity")

from judgescale.harness.engines import vllm_server  # noqa: E402
from judgescale.harness.engines.vllm_server import VllmServer, write_option  # noqa: E402
from judgescale.harness.types import JudgescaleError, Request, Sampling  # noqa: E402

FOX = Request((("user", "Tell me about foxes."),))
FAKE = [sys.executable, str(ROOT / "tests" / "fake_vllm.py")]
RUN = ["judge=pairwise", "engine=vllm_server", f"engine.command={FAKE}".replace("'", ""), "task=sanity"]


async def ask(session, seeds=(0,), request=FOX, sampling=Sampling(1.0, max_tokens=8)):  # noqa: B008
    answers = {i: output async for i, output in session(request, sampling, seeds)}
    return [answers[i] for i in range(len(seeds))]


def read_pids(log: Path) -> list[int]:
    """The processes that a server noted in its log."""
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("pids ")]
    return [int(pid) for pid in line.split()[1:]]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        if Path("/proc").exists():
            return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def wait_for(what: Callable[[], object], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.02)
    return False


async def use(engine: VllmServer, times: int = 1) -> list[str]:
    """Start a server, ask it, and stop it."""
    async with engine.open() as session:
        assert all(map(is_alive, read_pids(Path(str(engine.log)))))
        return [output.text for _ in range(times) for output in await ask(session, (2, 3))]


def test_it_is_started_used_and_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")  # which is for another server
    extra = {"max_num_seqs": 8, "enable_prefix_caching": False, "middleware": ["a", "b"]}
    engine = VllmServer("well", command=FAKE, tensor_parallel_size=2, extra=extra).log_to(tmp_path)
    assert asyncio.run(use(engine)) == [r"\boxed{Assistant 1}", r"\boxed{Assistant 1}"]
    log = tmp_path / "vllm_server.log"
    assert not any(map(is_alive, read_pids(log))) and "abcdefghijklmnop" not in log.read_text()
    for words in (
        "--tensor-parallel-size 2 --pipeline-parallel-size 1 --data-parallel-size 1 --dtype auto --host 127.0.0.1",
        "--served-model-name well --max-num-seqs 8 --no-enable-prefix-caching --middleware a b",
    ):
        assert words in log.read_text()
    assert "max-model-len" not in log.read_text()


def test_one_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(vllm_server, "STOP", 0.3)
    asyncio.run(use(engine := VllmServer("stubborn", command=FAKE, log=str(tmp_path / "log"))))
    assert not any(map(is_alive, read_pids(Path(str(engine.log)))))


def test_one_that_dies_at_its_start_says_why(tmp_path):
    with pytest.raises(JudgescaleError, match=r"the server died: ValueError: No available .* \(see .*vllm_server.log"):
        asyncio.run(use(VllmServer("broken", command=FAKE).log_to(tmp_path)))
    assert not any(map(is_alive, read_pids(tmp_path / "vllm_server.log")))
    with pytest.raises(JudgescaleError, match="the server died: error: /no/vllm: No such file"):
        asyncio.run(use(VllmServer("m", command=["/no/vllm"]).log_to(tmp_path / "other")))


def test_one_that_is_never_ready_is_given_up(tmp_path):
    with pytest.raises(JudgescaleError, match=r"not ready after engine.start_timeout=0.5 s: .* \(see "):
        asyncio.run(use(VllmServer("slow", command=FAKE, start_timeout=0.5).log_to(tmp_path)))
    assert not any(map(is_alive, read_pids(tmp_path / "vllm_server.log")))


def test_one_that_dies_on_the_way_ends_the_run_at_once(tmp_path):
    start = time.monotonic()
    with pytest.raises(JudgescaleError, match="the server died: RuntimeError: CUDA out of memory"):
        asyncio.run(use(VllmServer("mortal", command=FAKE).log_to(tmp_path), times=5))
    assert time.monotonic() - start < 10 and not any(map(is_alive, read_pids(tmp_path / "vllm_server.log")))


@pytest.fixture
def begin(tmp_path):
    """begin("well", "SIGKILL") starts a run in a process of its own; signals it, and returns (status, its stderr)."""

    def begin(model: str, number: signal.Signals) -> tuple[int, str]:
        more = [
            f"judge.model={model}",
            "task.size=2000",
            f"run.store={tmp_path}/s.sqlite",
            f"hydra.run.dir={tmp_path}/o",
        ]
        run = subprocess.Popen(
            [sys.executable, "run.py", *RUN, *more, "engine.concurrency=2"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job inherits it ignored
        )
        log, store = tmp_path / "o" / "vllm_server.log", tmp_path / "s.sqlite-wal"
        assert wait_for(lambda: log.exists() and "pids" in log.read_text())
        assert model == "slow" or wait_for(lambda: store.exists() and store.stat().st_size > 50_000)
        pids = read_pids(log)
        assert all(map(is_alive, pids))
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
        assert wait_for(lambda: not any(map(is_alive, pids)))
        return run.returncode, said

    return begin


@pytest.mark.parametrize("model", ["well", "slow"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_however_the_run_ends(begin, number, model):
    status, said = begin(model, number)
    assert status == (-9 if number == signal.SIGKILL else 130)
    assert number == signal.SIGKILL or "interrupted" in said and "Traceback" not in said


def test_options(composed):
    engine = instantiate(composed("engine=vllm_server", "judge=pairwise", "judge.model=some/model").engine)
    assert type(engine) is VllmServer and engine.name == "vllm_server" and engine.window == 256
    assert "some/model" not in str(engine.identity())
    assert engine.identity() == VllmServer("m", tensor_parallel_size=8, log="x", port=9).identity()
    for wrong, why in (
        ({"command": "vllm serve"}, "engine.command=vllm serve: give a list of words"),
        ({"extra": {"tensor_parallel_size": 2}}, "engine.extra.tensor_parallel_size: is said elsewhere"),
        ({"extra": {"api-key": "x"}}, "engine.extra.api-key: is said elsewhere"),
        ({"extra": "x"}, "engine.extra=x: options and their values"),
    ):
        with pytest.raises(JudgescaleError, match=why):
            VllmServer("m", **wrong)
    with pytest.raises(JudgescaleError, match="judge.thinking_budget needs engine.reasoning_parser"):
        VllmServer("m").check_thinking_budget()
    assert write_option("x", {"a": 1}) == ["--x", '{"a": 1}'] and write_option("x", None) == []


def test_a_missing_vllm_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(vllm_server, "find_spec", lambda name: None if name == "vllm" else True)
    monkeypatch.setattr(vllm_server.shutil, "which", lambda *_, **__: None)
    with pytest.raises(
        JudgescaleError, match=r"needs vLLM: pip install .*, or name another environment's with engine.c"
    ):
        asyncio.run(use(VllmServer("m").log_to(tmp_path)))


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore")
def test_vllm_itself(tmp_path):
    """SmolLM2 on vLLM's CPU build: it answers with seeds and patterns, and leaves no process."""
    pytest.importorskip("vllm")
    from smollm2 import safetensors_folder

    extra = {"enable_chunked_prefill": False, "enforce_eager": True, "max_num_seqs": 16}  # for seeds on a CPU
    engine = VllmServer(str(safetensors_folder(tmp_path)), max_model_len=512, extra=extra).log_to(tmp_path)

    async def talk():
        async with engine.open() as session:
            assert session.server.process.poll() is None
            free = await ask(session, range(5, 9))
            same = await ask(session, range(5, 9))
            held = await ask(session, (1, 2), Request(FOX.messages, pattern="yes|no"))
            return free, same, held, find_group(session.server.process.pid)

    free, same, held, processes = asyncio.run(talk())
    assert len({output.text for output in free}) > 1 and [o.text for o in free] == [o.text for o in same]
    assert {output.text for output in held} <= {"yes", "no"}
    assert len(processes) >= 2 and not any(map(is_alive, processes))


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore")
def test_its_rewards_are_those_of_transformers(tmp_path):
    pytest.importorskip("vllm")
    from smollm2 import scalar_folder

    from judgescale.harness.engines.transformers import Transformers

    folder = str(scalar_folder(tmp_path))
    asked = [Request((("user", "Why? " * i), ("assistant", "Because. " * i)), kind="score") for i in (1, 3, 30)]

    async def score(engine):
        async with engine.open() as session:
            return [(await ask(session, (1,), request))[0].score for request in asked]

    expected = asyncio.run(score(Transformers(folder, dtype="float32")))
    extra = {"enforce_eager": True}
    served = VllmServer(folder, kind="score", dtype="float32", max_model_len=512, extra=extra).log_to(tmp_path)
    assert len(set(expected)) == 3 and asyncio.run(score(served)) == pytest.approx(expected, abs=1e-4)


def find_group(keeper: int) -> list[int]:
    """All processes below a keeper."""
    below = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout.splitlines()[
        1:
    ]
    parents = {int(pid): int(parent) for pid, parent in map(str.split, below)}
    found = [keeper]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found
