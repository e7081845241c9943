"""Engine `lm_eval`: any model that lm-evaluation-harness has registered, asked through its own `Instance`s."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Engine
from judgescale.harness.errors import write_install
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

GATHER = 0.02  # seconds to wait for more samples before a call of the model
SECRETS = ("token", "key", "header", "secret", "password")
WHERE = ("base_url", "device", "num_concurrent", "timeout", "max_retries", "batch_size", "max_batch_size")
COPIES = 3  # prompts whose samples are all alike, before the model is said to ignore the seed …
SAMPLES, CHARS, WARM = 4, 40, 0.3  # … each of so many samples, so long, at such a temperature: verdicts may well agree


@dataclass(frozen=True)
class LmEval(Engine):
    """Run any model that lm-eval has registered. conf/engine/lm_eval.yaml describes the options.

    An answer that the token limit cut cannot be told from a whole one: its finish is "stop".
    """

    name: ClassVar[str] = "lm_eval"
    needs: ClassVar[tuple[str, ...]] = ("lm_eval",)  # the extra lm-eval
    extra_name: ClassVar[str] = "lm-eval"
    kinds: ClassVar[tuple[str, ...]] = ("text",)

    lm: str = "hf"
    lm_args: Mapping[str, Any] | None = None
    gen_kwargs: Mapping[str, Any] | None = None
    batch_size: int | str | None = None
    per_call: int = 256
    parallel: int = 1

    @property
    def window(self) -> int:
        """Return how many requests fill the next call of the model, or two calls for each thread."""
        return max(self.per_call if self.parallel == 1 else 0, 2 * self.parallel)

    def identity(self) -> Mapping[str, Any]:
        """Return lm and its arguments, without secrets and without what only says where the model runs."""
        told = {k: v for k, v in (self.lm_args or {}).items() if k not in WHERE and not any(s in k for s in SECRETS)}
        return {"lm": self.lm, "lm_args": told, "gen_kwargs": dict(self.gen_kwargs or {})}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LmEvalSession]:
        """Make the model and start the threads that call it. Raises JudgescaleError where it cannot be made."""
        if self.kind != "text":
            raise JudgescaleError(f"engine=lm_eval has no scalar heads (kind={self.kind}); take engine=vllm")
        session = LmEvalSession(self, await asyncio.to_thread(self._load))
        session.start()
        try:
            yield session
        finally:
            await asyncio.to_thread(session.stop)

    def _load(self) -> Any:
        os.environ.setdefault("TQDM_DISABLE", "1")  # its progress bars would tear ours
        logging.getLogger("lm_eval").setLevel(logging.CRITICAL)
        try:
            from lm_eval.api.registry import get_model

            importlib.import_module("lm_eval.models")  # registers them; get_model does so only where there are none
        except ImportError:
            raise JudgescaleError(f"engine=lm_eval needs lm-evaluation-harness: {write_install('lm-eval')}") from None
        try:
            made = get_model(self.lm)
            return made.create_from_arg_obj(self._make_arguments(made))
        except Exception as e:  # a model's constructor may raise anything, and all of it is about these options
            raise JudgescaleError(f"engine.lm={self.lm} cannot be made with engine.lm_args: {_flatten(e)}") from None

    def _make_arguments(self, made: type) -> dict[str, Any]:
        """Complete lm_args: judge.model goes under the name that this class has for it, unless the user gave one."""
        known: set[str] = set()
        for c in made.__mro__:
            known |= set(inspect.signature(vars(c)["__init__"]).parameters) if "__init__" in vars(c) else set()
        arguments = dict(self.lm_args or {})
        names = [name for name in ("model", "pretrained") if name in known]
        if names and not {"model", "pretrained"} & set(arguments):
            arguments[names[0]] = self.model
        if self.revision and "revision" in known:
            arguments.setdefault("revision", self.revision)
        if self.batch_size is not None:
            arguments.setdefault("batch_size", self.batch_size)
        return arguments


class LmEvalSession:
    """Ask a model through lm-eval's `Instance`s, from threads: lm-eval's models are synchronous.

    They take no n, and tell neither token counts nor why an answer ended. So every sample is an `Instance` of its own.
    A model that takes a seed finds it in gen_kwargs; lm-eval groups by gen_kwargs, hence `parallel` > 1 hands such a
    model one sample a call, in so many threads. A local Hugging Face model takes no seed: its generator is seeded once
    a call, and the samples of a call differ by their draws.
    """

    def __init__(self, options: LmEval, model: Any) -> None:
        self.faults: Counter[str] = Counter()
        self._options = options
        self._model = model
        self._local = any(c.__name__ == "HFLM" for c in type(model).__mro__)
        self._inbox: queue.SimpleQueue[_Sample | None] = queue.SimpleQueue()  # None: stop
        self._alike: list[bool] = []  # of each prompt that could tell: were all its samples the same?
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(max(1, options.parallel))]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait until the threads have ended, and let go of the model."""
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            thread.join()
        del self._model

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed. Log-probabilities of labels are asked for once, whatever the seeds."""
        answers: asyncio.Queue[tuple[int, Output] | JudgescaleError] = asyncio.Queue()
        call = _Call(asyncio.get_running_loop(), answers)
        try:
            prompt = await asyncio.to_thread(self._make_prompt, request)
        except ValueError as e:
            self.faults["failed"] += len(seeds)
            for index in range(len(seeds)):
                yield index, Output(finish="failed", error=str(e))
            return
        texts: list[str] = []
        wanted: Sequence[str | dict[str, Any]] = request.labels or [self._make_gen_kwargs(sampling, s) for s in seeds]
        for index, what in enumerate(wanted):
            self._inbox.put(_Sample(call, index, (prompt, what), seeds[0] if request.labels else seeds[index]))
        try:
            if request.labels:
                found = [await _get_answer(answers) for _ in wanted]
                for index in range(len(seeds)):
                    yield index, _join_labels(request.labels, dict(found))
                return
            for _ in wanted:
                index, output = await _get_answer(answers)
                if output.finish == "failed":
                    self.faults["failed"] += 1
                texts.append(output.text or "")
                yield index, output
            self._check_samples_differ(texts, sampling.temperature)
        finally:
            call.cancelled = True

    def _make_prompt(self, request: Request) -> Any:
        """Apply the model's own chat template. Raises ValueError where the template drops a turn."""
        messages = [{"role": role, "content": content} for role, content in request.messages]
        options = self._options
        try:
            prompt = self._model.apply_chat_template(messages)
        except NotImplementedError:
            raise JudgescaleError(f"engine.lm={options.lm} has no chat template in lm-eval: take another lm") from None
        except Exception as e:
            raise JudgescaleError(f"judge.model={options.model}: no use of its chat template: {_flatten(e)}") from None
        if isinstance(prompt, str) and any(content.strip() not in prompt for _, content in request.messages):
            raise ValueError("the model's chat template drops a turn of this prompt")
        return prompt

    def _make_gen_kwargs(self, sampling: Sampling, seed: int) -> dict[str, Any]:
        arguments = make_gen_kwargs(sampling)
        if sampling.temperature > 0:
            arguments |= {"top_k": 0} if self._local else {"seed": seed % (1 << 31)}  # transformers' own default is 50
        return arguments | dict(self._options.gen_kwargs or {})

    def _serve(self) -> None:
        """Answer samples until told to stop: the body of a thread."""
        while batch := self._take_batch():
            fitting = [sample for sample in batch if self._fit(sample)]
            if drawn := [sample for sample in fitting if isinstance(sample.arguments[1], dict)]:
                self._ask("generate_until", drawn)
            if labels := [sample for sample in fitting if isinstance(sample.arguments[1], str)]:
                self._ask("loglikelihood", labels)

    def _take_batch(self) -> list[_Sample]:
        """Take the samples for the next call of the model from the inbox; an empty list means to stop."""
        batch: list[_Sample] = []
        while len(batch) < (self._options.per_call if self._options.parallel == 1 else 1):
            try:
                sample = self._inbox.get(timeout=GATHER if batch else None)
            except queue.Empty:
                break
            if sample is None:
                self._inbox.put(None)  # for the next round, and for the other threads
                break
            if not sample.call.cancelled:
                batch.append(sample)
        return batch

    def _fit(self, sample: _Sample) -> bool:
        """Shorten an answer to the room that its prompt leaves; answer with a failure where it leaves none.

        lm-eval would cut the prompt instead to make room for the answer, and not tell.
        """
        if not self._local:
            return True
        prompt, rest = sample.arguments
        room = self._model.max_length - len(self._model.tok_encode(prompt))
        if room <= 0:
            why = f"the prompt leaves no room for an answer: context {self._model.max_length}"
            sample.put(Output(finish="failed", error=why))
        elif isinstance(rest, dict):
            rest["max_gen_toks"] = min(rest["max_gen_toks"], room)
        return room > 0

    def _ask(self, kind: Any, samples: list[_Sample]) -> None:
        """Call the model's method `kind` once for all samples, and put an answer or an error to each."""
        from lm_eval.api.instance import Instance

        lm = self._options.lm
        instances = [Instance(kind, {}, s.arguments, i) for i, s in enumerate(samples)]
        started = time.perf_counter()
        try:
            if self._local:
                import torch

                torch.manual_seed(samples[0].seed % (1 << 63))
            results = getattr(self._model, kind)(instances, disable_tqdm=True)
            if len(results) != len(samples):
                raise ValueError(f"{len(results)} answers to {len(samples)} questions")
        except NotImplementedError:
            error = JudgescaleError(f"engine.lm={lm} tells no log-probabilities: take another lm or judge format")
            return _put_all(samples, error)
        except Exception as e:  # whatever a model raises, those that wait must hear of it
            if _get_status(e) in (401, 403, 404):
                return _put_all(samples, JudgescaleError(f"engine.lm={lm} is refused: {_flatten(e)}"))
            return _put_all(samples, Output(finish="failed", error=_flatten(e)))
        for sample, result in zip(samples, results, strict=True):
            sample.put(make_output(result, time.perf_counter() - started))

    def _check_samples_differ(self, texts: list[str], temperature: float) -> None:
        """Look at the samples of one prompt. Raises JudgescaleError once the model plainly ignores the seed."""
        if len(texts) < SAMPLES or temperature < WARM or max(map(len, texts)) < CHARS:
            return
        self._alike.append(len(set(texts)) == 1)
        if len(self._alike) >= COPIES and all(self._alike):
            raise JudgescaleError(
                f"engine.lm={self._options.lm} answers every seed alike at temperature {temperature:g}: k judgments"
                " would be copies of one; take a model that samples (engine.gen_kwargs says how), or strategy.k=1"
            )


@dataclass(eq=False)
class _Call:
    """Hold where the answers of one call of the session go."""

    loop: asyncio.AbstractEventLoop
    answers: asyncio.Queue[tuple[int, Output] | JudgescaleError]
    cancelled: bool = False


@dataclass(eq=False)
class _Sample:
    """Hold one question to the model on its way through a thread."""

    call: _Call
    index: int
    arguments: tuple[Any, str | dict[str, Any]]  # prompt and gen_kwargs, or prompt and label
    seed: int

    def put(self, answer: Output | JudgescaleError) -> None:
        """Hand the answer, or the error that ends the run, to the event loop."""
        item = answer if isinstance(answer, JudgescaleError) else (self.index, answer)
        self.call.loop.call_soon_threadsafe(self.call.answers.put_nowait, item)


def _put_all(samples: list[_Sample], answer: Output | JudgescaleError) -> None:
    for sample in samples:
        sample.put(answer)


async def _get_answer(answers: asyncio.Queue[tuple[int, Output] | JudgescaleError]) -> tuple[int, Output]:
    if isinstance(answer := await answers.get(), JudgescaleError):
        raise answer
    return answer


def make_gen_kwargs(sampling: Sampling) -> dict[str, Any]:
    """Convert how an answer is drawn to lm-eval's gen_kwargs."""
    arguments: dict[str, Any] = {"until": [], "max_gen_toks": sampling.max_tokens}
    arguments |= {"do_sample": sampling.temperature > 0, "temperature": sampling.temperature}
    return arguments | ({"top_p": sampling.top_p} if sampling.temperature > 0 else {})


def make_output(result: Any, seconds: float | None = None) -> Output:
    """Convert lm-eval's result for one instance: a text, or (log-probability, whether it is the greedy answer)."""
    if isinstance(result, tuple):
        return Output(score=float(result[0]), seconds=seconds)
    if not isinstance(result, str):
        return Output(finish="failed", error="the model's server gave no content")
    return Output(text=result, seconds=seconds)


def _join_labels(labels: Sequence[str], found: Mapping[int, Output]) -> Output:
    """Join the log-probabilities of the labels, one output each, in one output; a failed one stands for all."""
    for output in found.values():
        if output.finish == "failed":
            return output
    scores = {label: found[i].score for i, label in enumerate(labels)}
    return Output(logprobs={k: v for k, v in scores.items() if v is not None}, seconds=found[0].seconds)


def _get_status(e: Exception) -> int | None:
    """Return the HTTP status of an error of requests or aiohttp, if it is one."""
    return getattr(e, "status", None) or getattr(getattr(e, "response", None), "status_code", None)


def _flatten(e: Exception) -> str:
    """Return an error's message as one line of at most 300 characters."""
    return " ".join(str(e).split())[:300] or type(e).__name__
