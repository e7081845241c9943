"""Engine `openvino`: a model inside this process, run by OpenVINO GenAI's continuous batching; needs no torch."""

from __future__ import annotations

import asyncio
import itertools
import math
import queue
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from judgescale.harness.contracts import Engine
from judgescale.harness.engines import weights
from judgescale.harness.errors import write_install
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling


@dataclass(frozen=True)
class Openvino(Engine):
    """Run a language model on the CPU, or on what else OpenVINO sees. conf/engine/openvino.yaml describes the options.

    `precision` "f32" makes an answer independent of what else is in flight (measured on SmolLM2-135M: log-probabilities
    move by 1e-5 with the batch, against 0.1-0.3 in the device's own precision). OpenVINO packs a Q4_1 GGUF anew on
    loading: its log-probabilities of SmolLM2 differ by up to about 1 nat from those of llama.cpp and transformers,
    which agree with each other.
    """

    name: ClassVar[str] = "openvino"
    needs: ClassVar[tuple[str, ...]] = ("openvino_genai",)  # the extra embedded
    extra_name: ClassVar[str] = "embedded"
    kinds: ClassVar[tuple[str, ...]] = ("text",)

    device: str = "CPU"
    precision: str | None = "f32"
    context: int | None = None
    threads: int | None = None
    cache_size: int = 2
    max_num_seqs: int = 64
    max_num_batched_tokens: int = 2048

    @property
    def window(self) -> int:
        """Return twice the answers generated at the same time, so that new ones are ready when these end."""
        return 2 * self.max_num_seqs

    def identity(self) -> Mapping[str, Any]:
        """Return the options that may change an answer."""
        return {"device": self.device, "precision": self.precision, "context": self.context}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenvinoSession]:
        """Load the model and start its thread. Raises JudgescaleError where it cannot be loaded."""
        if self.kind != "text":
            raise JudgescaleError(f"engine=openvino has no scalar heads (kind={self.kind}); take engine=vllm")
        worker = await asyncio.to_thread(self._load)
        worker.start()
        try:
            yield OpenvinoSession(worker)
        finally:
            await asyncio.to_thread(worker.stop)

    def _load(self) -> _Worker:
        try:
            import openvino_genai as genai
        except ImportError:
            raise JudgescaleError(f"engine=openvino needs OpenVINO GenAI: {write_install('embedded')}") from None
        path = weights.find_model(self.model, self.revision)
        limit = self._choose_limit(weights.read_context_length(path))
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size = self.cache_size
        scheduler.max_num_seqs = self.max_num_seqs
        scheduler.max_num_batched_tokens = self.max_num_batched_tokens
        scheduler.enable_prefix_caching = True
        properties: dict[str, Any] = {}
        if self.threads:
            properties["INFERENCE_NUM_THREADS"] = self.threads
        if self.precision:
            properties["INFERENCE_PRECISION_HINT"] = self.precision
        if self.precision == "f32":
            properties |= {"KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
        try:
            pipeline = genai.ContinuousBatchingPipeline(str(path), scheduler, self.device, properties, {}, {})
        except RuntimeError as e:
            why = _get_last_line(e)
            raise JudgescaleError(f"engine=openvino cannot load judge.model={self.model}: {why}") from None
        return _Worker(pipeline, limit, self.model)

    def _choose_limit(self, own: int | None) -> int:
        """Choose the most tokens of prompt and answer; `own` is the model's limit.

        A prompt beyond the model's own limit would be cut by the tokenizer without a word, so more is refused.
        """
        if self.context is None and own is None:
            raise JudgescaleError(f"judge.model={self.model} does not tell its context length: set engine.context")
        if self.context and own and self.context > own:
            raise JudgescaleError(f"engine.context={self.context}: judge.model={self.model} was made for {own} tokens")
        return self.context or own or 0


class OpenvinoSession:
    """Pass requests to the thread that runs the model, and answers back to the event loop as they are finished.

    Every seed is a request of its own to the pipeline, because samples that share one request also share the state of
    its grammar. The first of a call computes the prompt; the others wait for its first token and then find the prompt
    in the prefix cache.
    """

    def __init__(self, worker: _Worker) -> None:
        self.faults: Counter[str] = Counter()
        self._worker = worker

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed."""
        call = _Call(request, sampling, tuple(seeds), asyncio.get_running_loop())
        self._worker.submit(call)
        try:
            for _ in seeds:
                answer = await call.answers.get()
                if isinstance(answer, JudgescaleError):
                    raise answer
                if answer[1].finish == "failed":
                    self.faults["failed"] += 1
                yield answer
        finally:
            call.cancelled = True


@dataclass(eq=False)
class _Call:
    """Hold one call of the session while the worker deals with it."""

    request: Request
    sampling: Sampling
    seeds: tuple[int, ...]
    loop: asyncio.AbstractEventLoop
    answers: asyncio.Queue[tuple[int, Output] | JudgescaleError] = field(default_factory=asyncio.Queue)
    cancelled: bool = False
    started: float = field(default_factory=time.perf_counter)
    prompt: Any = None  # its token ids, (1, tokens)
    logprobs: dict[str, float] = field(default_factory=dict)
    held: list[tuple[int, Output]] = field(default_factory=list)  # answers that wait for the labels' log-probabilities

    def put(self, answer: tuple[int, Output] | JudgescaleError) -> None:
        """Hand an answer, or the error that ends the run, to the event loop; any thread may do so."""
        self.loop.call_soon_threadsafe(self.answers.put_nowait, answer)

    def fail(self, why: str) -> None:
        """Answer every seed with a failure."""
        for index in range(len(self.seeds)):
            self.put((index, Output(finish="failed", error=why)))


@dataclass(eq=False)
class _Run:
    """Hold one sequence in the pipeline: the answer to one seed, or the probe of one label."""

    call: _Call
    index: int | str  # of the seed; or the label
    handle: Any
    followers: list[tuple[int | str, Any]] = field(default_factory=list)  # to start once its prompt is computed


class _Worker:
    """Run the pipeline in a thread of its own; no other thread touches it after `start`."""

    def __init__(self, pipeline: Any, limit: int, model: str) -> None:
        self._thread = threading.Thread(target=self._serve, name="openvino", daemon=True)
        self._inbox: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()  # None: stop
        self._broken: JudgescaleError | None = None  # what ended the thread
        self._pipeline, self._limit, self._model = pipeline, limit, model
        self._tokenizer = pipeline.get_tokenizer()
        if not self._tokenizer.chat_template:
            raise JudgescaleError(f"judge.model={model} has no chat template: take an instruction-tuned model")
        self._vocabulary: Mapping[bytes, int] = self._tokenizer.get_vocab()
        self._stops: set[int] = set(pipeline.get_config().stop_token_ids) | {self._tokenizer.get_eos_token_id()}
        self._runs: dict[int, _Run] = {}  # by the pipeline's request id
        self._ids = itertools.count()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Cancel what is unfinished, and wait until the thread has ended."""
        self._inbox.put(None)
        self._thread.join()

    def submit(self, call: _Call) -> None:
        """Give the thread a call to answer. Raises JudgescaleError where the thread has ended."""
        self._inbox.put(call)
        if self._broken:  # looked at after the put, so that no call is left behind unanswered
            raise self._broken

    def _serve(self) -> None:
        """Answer calls until told to stop: the body of the thread."""
        try:
            while self._take_calls():
                if self._pipeline.has_non_finished_requests():
                    self._pipeline.step()
                self._collect()
            for run in self._runs.values():
                run.handle.cancel()
            while self._pipeline.has_non_finished_requests():
                self._pipeline.step()
        except Exception as e:  # whatever the library raises, the calls that wait must hear of it
            self._fail_all(_wrap_error(e))
        del self._pipeline, self._tokenizer

    def _take_calls(self) -> bool:
        """Start the calls in the inbox, and wait for one where there is nothing else to do; False to stop."""
        wait = not self._runs and not self._pipeline.has_non_finished_requests()
        while True:
            try:
                call = self._inbox.get(block=wait)
            except queue.Empty:
                return True
            if call is None:
                return False
            wait = False
            if not call.cancelled:
                try:
                    self._start_call(call)
                except Exception as e:
                    call.put(_wrap_error(e))
                    raise

    def _start_call(self, call: _Call) -> None:
        """Tokenize a call's prompt and start its first sequence, with the others as followers."""
        try:
            messages = [{"role": role, "content": content} for role, content in call.request.messages]
            text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True)
            # the template has written every special token already, BOS included
            call.prompt = self._tokenizer.encode(text, add_special_tokens=False).input_ids.data.copy()
        except RuntimeError as e:
            return call.fail(f"the chat template or the tokenizer refuses this prompt: {_get_last_line(e)}")
        if (length := call.prompt.shape[1]) >= self._limit:
            return call.fail(f"the prompt leaves no room for an answer: {length} tokens or more, context {self._limit}")
        wanted: list[tuple[int | str, Any]] = [(label, self._make_probe(label)) for label in call.request.labels]
        wanted += enumerate(self._make_samples(call))
        (index, config), *others = wanted
        self._add_run(call, index, config, others)

    def _add_run(self, call: _Call, index: int | str, config: Any, followers: list[tuple[int | str, Any]]) -> None:
        import openvino as ov

        key = next(self._ids)
        handle = self._pipeline.add_request(key, ov.Tensor(call.prompt), config)
        self._runs[key] = _Run(call, index, handle, followers)

    def _make_config(self, max_tokens: int, pattern: str | None) -> Any:
        import openvino_genai as genai

        config = genai.GenerationConfig()
        config.max_new_tokens = max_tokens
        config.eos_token_id = self._tokenizer.get_eos_token_id()
        config.stop_token_ids = self._stops
        if pattern is not None:
            config.structured_output_config = genai.StructuredOutputConfig(regex=pattern)
        return config

    def _make_samples(self, call: _Call) -> Iterator[Any]:
        """Make the generation config of each seed's answer."""
        room = self._limit - call.prompt.shape[1]
        for seed in call.seeds:
            config = self._make_config(min(call.sampling.max_tokens, room), call.request.pattern)
            config.rng_seed = seed % (1 << 32)  # the pipeline's generator takes no more
            if call.sampling.temperature > 0:
                config.do_sample = True
                config.temperature = call.sampling.temperature
                config.top_p = call.sampling.top_p
            yield config

    def _make_probe(self, label: str) -> Any:
        """Make the generation config of an answer whose one token can only be `label`.

        The pipeline tells the log-probability of the token that it chose, as it was before grammar and penalties, and
        of no other token; so each label is forced in turn. The grammar would also allow a shorter token that begins
        the label: such tokens are declared to be stop tokens, which may not come first.
        """
        token = self._vocabulary.get(label.encode())
        if token is None:
            raise JudgescaleError(
                f"engine=openvino gives log-probabilities of labels of one token; {label!r} is none of {self._model}'s"
            )
        config = self._make_config(1, re.sub(r"([\\.^$*+?{}\[\]()|])", r"\\\1", label))
        beginnings = {self._vocabulary.get(label[:i].encode()) for i in range(1, len(label))} - {None}
        config.stop_token_ids = self._stops | beginnings
        config.min_new_tokens = 1
        config.logprobs = 1
        return config

    def _collect(self) -> None:
        """Hand on the answers that are finished, and start the followers of prompts that are computed."""
        for key, run in list(self._runs.items()):
            status = run.handle.get_status().name
            if run.call.cancelled:
                run.handle.cancel()
                del self._runs[key]
                continue
            if run.followers and (status != "RUNNING" or run.handle.can_read()):
                for index, config in run.followers:
                    self._add_run(run.call, index, config, [])
                run.followers = []
            if status != "RUNNING":
                self._finish(run, status)
                del self._runs[key]

    def _finish(self, run: _Run, status: str) -> None:
        """Read what a sequence gave; a call's answers are handed on once all of its labels have been probed."""
        call, prompt_tokens = run.call, run.call.prompt.shape[1]
        (done,) = run.handle.read_all() if status == "FINISHED" else (None,)
        if isinstance(run.index, str):
            call.logprobs[run.index] = done.generated_log_probs[0] if done else math.nan
        elif done is None:
            call.put((run.index, Output(finish="failed", error=f"{status}: engine.cache_size is too small for it")))
        else:
            output = Output(
                text=self._tokenizer.decode(done.generated_ids),
                finish="length" if done.finish_reason.name == "LENGTH" else "stop",
                logprobs=call.logprobs if call.request.labels else None,
                prompt_tokens=prompt_tokens,
                completion_tokens=len(done.generated_ids),
                shared=run.index > 0,
                seconds=time.perf_counter() - call.started,
            )
            call.held.append((run.index, output))
        if len(call.logprobs) == len(call.request.labels):
            for answer in call.held:
                call.put(answer)
            call.held.clear()

    def _fail_all(self, error: JudgescaleError) -> None:
        """Raise the error in every call that waits, and in those that come."""
        self._broken = error
        waiting = {run.call for run in self._runs.values()}
        while not self._inbox.empty():
            if call := self._inbox.get():
                waiting.add(call)
        for call in waiting:
            call.put(error)


def _wrap_error(e: Exception) -> JudgescaleError:
    return e if isinstance(e, JudgescaleError) else JudgescaleError(f"engine=openvino gave up: {_get_last_line(e)}")


def _get_last_line(e: BaseException) -> str:
    """Return the last line of a message: OpenVINO's begin with where they were raised and end with why."""
    line = next((line for line in reversed(str(e).splitlines()) if line.strip()), type(e).__name__)
    return re.sub(r"^.*\.[ch]pp:\d+:", "", line).strip()
