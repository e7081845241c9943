"""Engine `ray`: chunks of requests as Ray Data LLM jobs, on this machine or on a cluster.

A chunk's answers are kept as they come, so that a job which dies takes none of them with it: what lacks an answer is
asked for in another job. Ray runs in a process of its own (ray_driver.py). Written for Ray 2.60.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from judgescale.harness.contracts import Engine, EngineSession
from judgescale.harness.engines import ray_driver
from judgescale.harness.engines.chat import TemplateRefusal, load_chat_tokenizer, tokenize_conversation
from judgescale.harness.engines.openai import OpenAI
from judgescale.harness.engines.openai_replies import Fault, keep_n, parse_reply, read_completions, read_error
from judgescale.harness.engines.openai_requests import REJECTED, find_wrapped_pattern, write_head, write_tail
from judgescale.harness.engines.ray_driver import NOT_ASKED, STOP, Setup, end_session
from judgescale.harness.engines.vllm import Vllm
from judgescale.harness.redaction import redact_text
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

PROCESSORS = ("http", "vllm")
LONGEST_LINE = 2**28  # bytes of what the driver says about one answer
OWN_OPTIONS = (  # of Ray's configs: said by options of the engine
    "url", "headers", "session_factory", "max_retries", "model_source", "batch_size", "concurrency", "engine_kwargs",
    "should_continue_on_error", "task_type",
)  # fmt: skip
OWN_ARGUMENTS = ("model", "revision", "runner", "trust_remote_code", "tensor_parallel_size", "pipeline_parallel_size",
                 "max_model_len", "dtype", "quantization", "reasoning_parser")  # fmt: skip
ALSO_VLLM = (  # arguments of vLLM that engine=vllm has as options
    "max_num_seqs", "gpu_memory_utilization", "kv_cache_dtype", "enable_prefix_caching", "enforce_eager",
    "download_dir",
)  # fmt: skip


@dataclass(frozen=True)
class Ray(Engine):
    """Run Ray Data LLM. conf/engine/ray.yaml describes the options."""

    name: ClassVar[str] = "ray"
    needs: ClassVar[tuple[str, ...]] = ("ray",)
    extra_name: ClassVar[str] = "ray"
    kinds: ClassVar[tuple[str, ...]] = ("text",)

    processor: str = "http"
    address: str | None = None
    workers: int = 2
    chunk: int = 10_000
    wait: float = 2.0
    batch_size: int = 64
    retries: int = field(default=2, metadata={"least": 0})
    log: str | None = None
    processor_options: Mapping[str, Any] | None = None
    seed_requests: bool = True

    base_url: str | Sequence[str] = "http://localhost:8000/v1"
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 256
    timeout: float = 600.0
    request_retries: int = field(default=6, metadata={"least": 0})
    max_reply_bytes: int = 2**25
    constrain: str = "none"
    max_tokens_field: str = "max_tokens"
    thinking_field: str | None = None
    extra_body: Mapping[str, Any] | None = None
    provider: str | None = None

    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    max_model_len: int | None = None
    dtype: str = "auto"
    quantization: str | None = None
    reasoning_parser: str | None = None
    engine_kwargs: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.processor not in PROCESSORS:
            raise JudgescaleError(f"engine.processor={self.processor}: choose one of {', '.join(PROCESSORS)}")
        if str(self.address or "").startswith("ray://"):
            raise JudgescaleError(
                f"engine.address={self.address}: Ray Data cannot run through Ray's client; give the cluster's address"
                " (HOST:6379), or auto on one of its machines"
            )
        if not (isinstance(self.wait, int | float) and 0 < self.wait < 3600):
            raise JudgescaleError(f"engine.wait={self.wait}: must be a number of seconds above 0")
        for name, value, own in (
            ("processor_options", self.processor_options, OWN_OPTIONS),
            ("engine_kwargs", self.engine_kwargs, OWN_ARGUMENTS),
        ):
            if not isinstance(value, Mapping | None):
                raise JudgescaleError(f"engine.{name}={value}: options and their values, as in {{max_num_seqs: 64}}")
            if said := [option for option in value or {} if option in own]:
                raise JudgescaleError(f"engine.{name}.{said[0]}: is said elsewhere, by an option of the engine")
        others = VLLM_ONLY if self.processor == "http" else HTTP_ONLY
        if unread := [f.name for f in fields(self) if f.name in others and getattr(self, f.name) != f.default]:
            loads = "asks servers, and loads no model" if self.processor == "http" else "loads the model, and no server"
            raise JudgescaleError(f"engine.{unread[0]}: engine.processor={self.processor} {loads}; leave it out")
        _ = self.as_openai if self.processor == "http" else self.as_vllm  # which check the options that they share

    @cached_property
    def as_openai(self) -> OpenAI:
        """Return the engine=openai that asks the same in the same words."""
        return OpenAI(
            self.model,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            timeout=self.timeout,
            constrain=self.constrain,
            seed=self.seed_requests,
            max_tokens_field=self.max_tokens_field,
            thinking_field=self.thinking_field,
            extra_body=self.extra_body,
            provider=self.provider,
        )

    @cached_property
    def as_vllm(self) -> Vllm:
        """Return the engine=vllm that loads the same model in the same way."""
        more = dict(self.engine_kwargs or {})
        named = {name: more.pop(name) for name in ALSO_VLLM if name in more}
        return Vllm(
            self.model,
            self.revision,
            tensor_parallel_size=self.tensor_parallel_size,
            pipeline_parallel_size=self.pipeline_parallel_size,
            max_model_len=self.max_model_len,
            dtype=self.dtype,
            quantization=self.quantization,
            reasoning_parser=self.reasoning_parser,
            seed_requests=self.seed_requests,
            extra=more,
            **named,
        )

    @property
    def window(self) -> int:
        """Return how many requests fill a chunk."""
        return self.chunk

    def identity(self) -> Mapping[str, Any]:
        """Return what engine=openai or engine=vllm says: the same is asked, and chunks, workers and cluster say how."""
        asked = self.as_openai if self.processor == "http" else self.as_vllm
        return {"name": asked.name, **asked.identity()}

    def check_thinking_budget(self) -> None:
        """Ask for what ends a thought: the server's name for the limit, or vLLM's for the model's way of thinking."""
        if self.processor == "vllm":
            return self.as_vllm.check_thinking_budget()
        if self.thinking_field is None:
            raise JudgescaleError(
                "judge.thinking_budget: servers call this limit differently; name it with engine.thinking_field (vLLM:"
                " thinking_token_budget)"
            )

    def log_to(self, folder: Path) -> Self:
        """Keep what Ray and its workers print in the folder of a run."""
        return self if self.log else replace(self, log=str(folder / "ray.log"))

    def stop_sending(self, session: EngineSession) -> None:
        """Begin no further chunk, and no further batch of the one that runs."""
        assert isinstance(session, RaySession)
        session.stop_sending()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[RaySession]:
        """Start Ray, or join a cluster; end or leave it in the end. Raises JudgescaleError where that fails."""
        if os.name == "nt":
            raise JudgescaleError("engine=ray runs on Linux and macOS")
        form = ServerForm(self) if self.processor == "http" else TokenForm(self)
        session = RaySession(self, form, lambda: RayProcess.start(self, form.make_setup()))
        try:
            await session.begin()
            yield session
        finally:
            await session.close()


HTTP_ONLY = (
    "base_url", "api_key_env", "concurrency", "timeout", "request_retries", "max_reply_bytes", "constrain",
    "max_tokens_field", "thinking_field", "extra_body", "provider",
)  # fmt: skip
VLLM_ONLY = (
    "tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "dtype", "quantization", "reasoning_parser",
    "engine_kwargs",
)  # fmt: skip


# ------------------------------------------------------------------------------------------------ rows and answers


@dataclass
class ServerForm:
    """Write requests as bodies for a server, and read its replies: the very ones of engine=openai."""

    options: Ray
    met: bool = False  # whether any server has ever answered

    def __post_init__(self) -> None:
        self._asked = self.options.as_openai
        self._key = self._asked.read_key()

    def make_setup(self) -> Setup:
        """Say what Ray's HTTP processor needs."""
        options = self.options
        urls = [url._replace(path=f"{url.path.rstrip('/')}/chat/completions") for url in self._asked.parse_urls()]
        http = {
            "urls": [url.geturl() for url in urls],
            "timeout": options.timeout,
            "retries": options.request_retries,
            "backoff": self._asked.backoff,
            "in_flight": -(-options.concurrency // options.workers),
            "most": options.max_reply_bytes,
        }
        return Setup(**list_common(options), http=http, key=self._key)

    def write(self, request: Request, sampling: Sampling, seeds: Sequence[int]) -> tuple[str, list[str]]:
        """Write what the bodies for all seeds begin with, and how each goes on."""
        return write_head(self._asked, request, sampling), [write_tail(self._asked, seed, 1) for seed in seeds]

    def read(self, request: Request, sampling: Sampling, said: Mapping[str, Any], faults: Counter[str]) -> Output:
        """Read the answer in what a worker says of a reply. Raises JudgescaleError for what no other would survive."""
        status, text = said["status"], said["text"]
        faults.update(filter(None, said["faults"].split(",")))
        self.met = self.met or status > 0
        if status == 200:
            try:
                pattern = find_wrapped_pattern(self._asked, request)
                found = read_completions(parse_reply(text.encode()), request.labels, pattern, said["seconds"])
                return keep_n(found, 1)[0]
            except Fault as fault:
                faults[fault.kind] += 1
                return Output(finish="failed", error=self._clean(str(fault)))
        if status == NOT_ASKED:
            return Output(finish="failed", error=f"not asked: {text}")
        shown = self._asked.parse_urls()[0].geturl()
        told = self._clean(f"{status} {read_error(text.encode())[0]}" if status else text.partition(": ")[2])
        if status in (401, 403):
            how = "is refused" if self._key else "is not set"
            raise JudgescaleError(f"{shown}: {told}: ${self.options.api_key_env} {how}; set it to a key of this server")
        if status == 402 or status in (404, 405):
            what = "add credit" if status == 402 else f"check it, and judge.model={self.options.model}"
            raise JudgescaleError(f"engine.base_url={shown}: {told}: {what}")
        if status in REJECTED:
            faults[str(status)] += 1
            return Output(finish="failed", error=told)
        if not self.met and text.startswith("connect"):
            raise JudgescaleError(f"no server at {shown} ({told}): start it, or set engine.base_url")
        return Output(finish="failed", error=f"gave up after {self.options.request_retries + 1} attempts: {told}")

    def _clean(self, text: str) -> str:
        """Make a server's text one short line that holds no key."""
        text = " ".join("".join(c if c.isprintable() else " " for c in text[:10_000]).split())
        return redact_text(text.replace(self._key, "***") if self._key else text)[:200]


@dataclass
class TokenForm:
    """Write requests as tokens for vLLM, and read what it generated: the very tokens of engine=vllm."""

    options: Ray

    def __post_init__(self) -> None:
        options = self.options
        self._tokenizer = load_chat_tokenizer(options.model, options.revision, options.as_vllm.download_dir)
        self._ends = find_stop_tokens(self._tokenizer, options.model, options.revision)
        self._thoughts_end = self._tokenizer.get_vocab().get("</think>")

    def make_setup(self) -> Setup:
        """Say what Ray's vLLM processor needs."""
        options = self.options
        own = {name: getattr(options, name) for name in OWN_ARGUMENTS if hasattr(options, name) and name != "model"}
        arguments = {name: value for name, value in own.items() if value is not None}
        model = str(Path(options.model).resolve()) if Path(options.model).exists() else options.model
        return Setup(
            **list_common(options),
            model=model,
            engine_kwargs={"enable_prefix_caching": True, **arguments, **(options.engine_kwargs or {})},
            thoughts_end=self._thoughts_end,
        )

    def write(self, request: Request, sampling: Sampling, seeds: Sequence[int]) -> tuple[str, list[str]]:
        """Write the prompt's tokens, and the sampling options for every seed. Raises TemplateRefusal."""
        if request.labels:
            raise JudgescaleError(
                "engine=ray: Ray's vLLM processor gives no log-probabilities of labels, which judge.format=token_prob"
                " reads; engine.processor=http and engine=vllm do"
            )
        tokens = json.dumps(tokenize_conversation(self._tokenizer, request))
        params: dict[str, Any] = {
            "temperature": float(sampling.temperature),
            "top_p": float(sampling.top_p),
            "max_tokens": sampling.max_tokens,
        }
        if sampling.thinking_budget is not None:
            params["thinking_token_budget"] = sampling.thinking_budget
        if request.pattern:
            params["structured_outputs"] = {"regex": request.pattern}
        seeded = [params | ({"seed": seed} if self.options.seed_requests else {}) for seed in seeds]
        return f'{{"tokens": {tokens}', [f', "params": {json.dumps(each)}}}' for each in seeded]

    def read(self, request: Request, sampling: Sampling, said: Mapping[str, Any], faults: Counter[str]) -> Output:
        """Read the answer in what Ray's vLLM stage gave."""
        if error := said.get("__inference_error__"):
            faults[error.partition(":")[0]] += 1
            return Output(finish="failed", error=" ".join(error.split())[:400])
        thought = said["reasoning_tokens"]
        return Output(
            text=said["text"],
            # the stage does not say why an answer ended; one that was cut does not end with a token that ends answers
            finish="stop" if said["last"] in self._ends else "length",
            prompt_tokens=said["prompt_tokens"],
            completion_tokens=said["completion_tokens"],
            reasoning_tokens=thought or None,
            seconds=said["seconds"],
        )


def list_common(options: Ray) -> dict[str, Any]:
    """List what either processor is told."""
    return {
        "processor": options.processor,
        "address": options.address,
        "workers": options.workers,
        "batch_size": options.batch_size,
        "options": dict(options.processor_options or {}),
    }


def find_stop_tokens(tokenizer: Any, model: str, revision: str | None) -> frozenset[int]:
    """Find the tokens with which vLLM lets a model's answers end: the tokenizer's and the generation config's."""
    from transformers import GenerationConfig

    ends = {tokenizer.eos_token_id}
    with contextlib.suppress(OSError, ValueError):
        told = GenerationConfig.from_pretrained(model, revision=revision).eos_token_id
        ends |= set(told if isinstance(told, list) else [told])
    return frozenset(ends - {None})


# ------------------------------------------------------------------------------------------------ chunks


class Row(NamedTuple):
    """Hold one sample that is asked for, and whom to tell."""

    id: int
    head: str  # of its body; one text for all samples of a prompt
    tail: str
    tell: Callable[[Mapping[str, Any] | Exception | None], None]  # None: it was not asked

    @property
    def body(self) -> str:
        """Return its body."""
        return self.head + self.tail


class Jobs:
    """What runs a chunk; RayProcess does, and tests have one of their own."""

    def run(self, rows: Sequence[Row]) -> AsyncGenerator[tuple[int, Mapping[str, Any]]]:
        """Yield (id, what was said) for every row. Raises JobDied."""
        raise NotImplementedError

    async def stop_sending(self) -> None:
        """Ask nothing again."""

    async def end(self) -> None:
        """Leave no process behind."""


class JobDied(Exception):
    """Say in one line why a job died."""


class RaySession:
    """Collect requests to chunks, and run one chunk after another.

    start: makes what runs jobs; it is made anew after a job that died, for Ray's own state may be gone.
    """

    def __init__(self, options: Ray, form: ServerForm | TokenForm, start: Callable[[], Any]) -> None:
        self.faults: Counter[str] = Counter()
        self._options = options
        self._form = form
        self._start = start
        self._jobs: Jobs | None = None
        self._waiting: deque[Row] = deque()
        self._asked = asyncio.Event()  # something new was asked
        self._stopping = asyncio.Event()
        self._error: Exception | None = None  # why nothing can be asked any more
        self._count = 0  # rows so far
        self._kept = 0  # answers so far
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start what runs jobs. Raises JudgescaleError."""
        self._jobs = await self._start()
        self._task = asyncio.create_task(self._run_chunks())

    async def close(self) -> None:
        """End what runs jobs, whatever it is at."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._jobs:
            await self._jobs.end()

    def stop_sending(self) -> None:
        """Ask nothing more."""
        self._stopping.set()

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed, each a row of its own."""
        came: asyncio.Queue[tuple[int, Mapping[str, Any] | Exception | None]] = asyncio.Queue()
        try:
            head, tails = self._form.write(request, sampling, seeds)
        except TemplateRefusal as refusal:
            self.faults["unfit prompt"] += 1
            for i in range(len(seeds)):
                yield i, Output(finish="failed", error=str(refusal), shared=i > 0)
            return
        if self._error:
            raise self._error
        rows = []
        for i, tail in enumerate(tails):
            rows.append(Row(self._count, head, tail, lambda said, i=i: came.put_nowait((i, said))))  # type: ignore[misc]
            self._count += 1
        self._waiting.extend(rows)
        self._asked.set()
        for _ in seeds:
            i, said = await came.get()
            if isinstance(said, Exception):
                raise said
            if said is None:
                yield i, Output(finish="failed", error="not asked: the run was stopped")
                continue
            try:
                output = self._form.read(request, sampling, said, self.faults)
            except JudgescaleError as error:
                self._error = self._error or error
                raise
            yield i, output._replace(shared=i > 0)

    async def _run_chunks(self) -> None:
        """Run chunks for as long as the session is open; an error is told to all who wait, and to who asks later."""
        told = asyncio.create_task(self._tell_stop())
        try:
            while True:
                await self._wait_for_chunk()
                await self._run_chunk([self._waiting.popleft() for _ in range(min(self._chunk, len(self._waiting)))])
        except Exception as error:  # also one that is a bug: nobody may wait for ever
            self._error = error
            while self._waiting:
                self._waiting.popleft().tell(error)
        finally:
            told.cancel()

    @property
    def _chunk(self) -> int:
        return self._options.chunk

    async def _tell_stop(self) -> None:
        """Tell what runs jobs that the run was stopped, and those who wait for their turn that it will not come."""
        await self._stopping.wait()
        if self._jobs:
            await self._jobs.stop_sending()
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft().tell(None)

    async def _wait_for_chunk(self) -> None:
        """Wait until there are rows for a whole chunk, or nothing new was asked for a while."""
        while True:
            self._asked.clear()
            if self._stopping.is_set():
                self._drop_waiting()
            if len(self._waiting) >= self._chunk:
                return
            try:
                await asyncio.wait_for(self._asked.wait(), self._options.wait if self._waiting else None)
            except TimeoutError:
                return

    async def _run_chunk(self, rows: Sequence[Row]) -> None:
        """Run jobs until every row has its answer. Raises JudgescaleError where too many of them die.

        A job that dies before anything was ever answered is not tried again: something is wrong with the options.
        """
        lacking = {row.id: row for row in rows}
        try:
            for attempt in range(self._options.retries + 1):
                if self._stopping.is_set():
                    return
                try:
                    if self._jobs is None:
                        self._jobs = await self._start()
                    async with contextlib.aclosing(self._jobs.run(list(lacking.values()))) as answers:
                        async for number, said in answers:
                            if row := lacking.pop(number, None):
                                row.tell(said)
                                self._kept += 1
                    if not lacking:
                        return
                    raise JobDied(f"the job ended, and {len(lacking)} of its rows have no answer")
                except JobDied as died:
                    self.faults["job died"] += 1
                    if self._jobs:
                        await self._jobs.end()
                        self._jobs = None
                    if self._stopping.is_set():
                        return
                    if attempt == self._options.retries or not self._kept:
                        raise self._explain(died, attempt + 1, len(lacking)) from died
        except Exception as error:
            for row in lacking.values():
                row.tell(error)
            lacking.clear()
            raise
        finally:
            for row in lacking.values():
                row.tell(None)

    def _explain(self, died: JobDied, jobs: int, lacking: int) -> JudgescaleError:
        """Explain that a chunk was given up: the first cause, what is kept, and what to do."""
        times = "the job" if jobs == 1 else f"{jobs} jobs in a row"
        return JudgescaleError(
            f"engine=ray: {times} died: {died}; {self._kept} answers came and are kept, {lacking} of this chunk lack:"
            f" mend the cause and run the same command again (see {self._options.log or 'the log'})"
        )


@dataclass
class RayProcess(Jobs):
    """Talk to the process in which Ray runs."""

    process: asyncio.subprocess.Process
    folder: str  # for what Ray writes, sockets among it: deleted in the end
    log: Path

    @classmethod
    async def start(cls, options: Ray, setup: Setup) -> RayProcess:
        """Start the process, and Ray in it. Raises JudgescaleError where Ray cannot be had as it is wanted."""
        log = Path(options.log) if options.log else Path(tempfile.mkdtemp(prefix="judgescale-")) / "ray.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="jsray-")  # short: a socket's path holds no more than 107 characters
        environment = {name: value for name, value in os.environ.items() if name != options.api_key_env}
        environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_AUTO_CONNECT": "0"}
        environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")  # GiB; vLLM's default is most of the machine
        environment.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or every process warns of it
        with log.open("ab") as written:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                os.path.abspath(ray_driver.__file__),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=written,
                env=environment,
                cwd=folder,  # Ray puts the working directory on the workers' search path
                start_new_session=True,  # Ctrl-C is for the run, which first lets answers in flight arrive
                limit=LONGEST_LINE,
            )
        made = cls(process, folder, log)
        try:
            await made._send([asdict(setup)])
            said = await made._hear()
            if "error" in said:
                token = ": the cluster wants a token, set RAY_AUTH_MODE=token" if made._lacks_token() else ""
                raise JudgescaleError(f"engine=ray: {redact_text(said['error'])}{token} (see {log})")
        except JobDied as died:
            await made.end()
            raise JudgescaleError(f"engine=ray does not start: {died} (see {log})") from died
        except BaseException:
            await made.end()
            raise
        return made

    async def run(self, rows: Sequence[Row]) -> AsyncGenerator[tuple[int, Mapping[str, Any]]]:
        """Yield (id, what was said) for every row, as the job gives them. Raises JobDied."""
        await self._send([[row.id, row.body] for row in rows] + ["go"])
        while True:
            said = await self._hear()
            if isinstance(said, list):
                yield said[0], said[1]
            elif said["ended"] is not None:
                raise JobDied(self._find_cause(redact_text(said["ended"])))
            else:
                return

    async def stop_sending(self) -> None:
        """Let the workers send no further batch."""
        with contextlib.suppress(JobDied):
            await self._send(["stop"])

    async def end(self) -> None:
        """Let the process end, by force where it takes too long, and kill what is left of a cluster of its own."""
        process = self.process
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP + 5)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        end_session(process.pid)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _send(self, lines: Sequence[Any]) -> None:
        """Send lines. Raises JobDied where the process is gone."""
        assert self.process.stdin
        try:
            for line in lines:
                self.process.stdin.write(json.dumps(line).encode() + b"\n")
                await self.process.stdin.drain()
        except (OSError, RuntimeError):
            raise JobDied(await self._tell_death()) from None

    async def _hear(self) -> Any:
        """Return the next thing that the process says. Raises JobDied where it is gone."""
        assert self.process.stdout
        line = await self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise JobDied(await self._tell_death())
        return json.loads(line)

    async def _tell_death(self) -> str:
        """Tell how the process ended, and what its log says last about it."""
        status = await self.process.wait()
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return self._find_cause(f"Ray's process ended ({how})")

    def _lacks_token(self) -> bool:
        """Tell whether a cluster refused Ray's token, which Ray itself says in the log alone."""
        return b"InvalidAuthToken" in self._read_log_end()

    def _read_log_end(self) -> bytes:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 2**17))
            return log.read()

    def _find_cause(self, told: str) -> str:
        """Add the last error in the log where an error only points to one that was written elsewhere."""
        if "root cause" not in told and "process ended" not in told:
            return told
        lines = self._read_log_end().decode(errors="replace").splitlines()
        found = [m[0] for line in lines if (m := re.search(r"\b\w+(?:Error|Exception): .+", line))]
        causes = [redact_text(line)[:300] for line in found if "root cause" not in line]
        return f"{told}: {causes[-1]}" if causes else told
