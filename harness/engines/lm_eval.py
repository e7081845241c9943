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
from dataclasses import dataclass, field
from typing import Any, ClassVar

from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

GATHER = 0.02  # seconds in which samples come together for one call of the model
SECRETS = ("token", "key", "header", "secret", "password")
WHERE = ("base_url", "device", "num_concurrent", "timeout", "max_retries", "batch_size", "max_batch_size")
COPIES = 3  # prompts whose samples are all alike, before the model is said to ignore the seed …
SAMPLES, CHARS, WARM = 4, 40, 0.3  # … each of so many samples, so long, at such a temperature: verdicts may well agree


@dataclass(eq=False)
class LmEval:
    """lm-eval's models are synchronous, take no n, and tell neither token counts nor why an answer ended.

    So every sample is an `Instance` of its own. A model that takes a seed finds it in gen_kwargs; lm-eval groups by
    gen_kwargs, hence `parallel` > 1 hands such a model one sample a call, in so many threads. A local Hugging Face
    model takes no seed: its generator is seeded once a call, and the samples of a call differ by their draws.
    An answer that the token limit cut cannot be told from a whole one: finish is "stop".
    """

    name: ClassVar[str] = "lm_eval"
    needs: ClassVar[tuple[str, ...]] = ("lm_eval",)  # pip install -e '.[lm-eval]'
    extra_name: ClassVar[str] = "lm-eval"
    model: str
    revision: str | None = None
    kind: str = "text"
    lm: str = "hf"
    lm_args: Mapping[str, Any] | None = None
    gen_kwargs: Mapping[str, Any] | None = None
    batch_size: int | str | None = None
    per_call: int = 256
    parallel: int = 1
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def window(self) -> int:
        return max(self.per_call if self.parallel == 1 else 0, 2 * self.parallel)

    def identity(self) -> Mapping[str, Any]:
        told = {k: v for k, v in (self.lm_args or {}).items() if k not in WHERE and not any(s in k for s in SECRETS)}
        return {"lm": self.lm, "lm_args": told, "gen_kwargs": dict(self.gen_kwargs or {})}

    async def __aenter__(self) -> LmEval:
        if self.kind != "text":
            raise JudgescaleError(f"engine=lm_eval has no scalar heads (kind={self.kind}); take engine=vllm")
        self._model = await asyncio.to_thread(self._load)
        self._local = any(c.__name__ == "HFLM" for c in type(self._model).__mro__)
        self._inbox: queue.SimpleQueue[_Sample | None] = queue.SimpleQueue()
        self._alike: list[bool] = []  # of each prompt that could tell: were all its samples the same?
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(max(1, self.parallel))]
        for thread in self._threads:
            thread.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        del self._model

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        answers: asyncio.Queue[tuple[int, Output] | JudgescaleError] = asyncio.Queue()
        call = _Call(asyncio.get_running_loop(), answers)
        try:
            prompt = await asyncio.to_thread(self._prompt, request)
        except ValueError as e:
            self.faults["failed"] += len(seeds)
            for index in range(len(seeds)):
                yield index, Output(finish="failed", error=str(e))
            return
        texts: list[str] = []
        wanted: Sequence[str | dict[str, Any]] = request.labels or [self._generation(sampling, seed) for seed in seeds]
        for index, what in enumerate(wanted):
            self._inbox.put(_Sample(call, index, (prompt, what), seeds[0] if request.labels else seeds[index]))
        try:
            if request.labels:
                found = [await _next(answers) for _ in wanted]
                for index in range(len(seeds)):
                    yield index, _joined(request.labels, dict(found))
                return
            for _ in wanted:
                index, output = await _next(answers)
                if output.finish == "failed":
                    self.faults["failed"] += 1
                texts.append(output.text or "")
                yield index, output
            self._look(texts, sampling.temperature)
        finally:
            call.cancelled = True

    def _load(self) -> Any:
        os.environ.setdefault("TQDM_DISABLE", "1")  # its bars would tear ours
        logging.getLogger("lm_eval").setLevel(logging.CRITICAL)
        try:
            from lm_eval.api.registry import get_model

            importlib.import_module("lm_eval.models")  # registers them; get_model does so only where there are none
        except ImportError:
            raise JudgescaleError("engine=lm_eval needs lm-evaluation-harness: pip install -e '.[lm-eval]'") from None
        try:
            made = get_model(self.lm)
            return made.create_from_arg_obj(self._arguments(made))
        except Exception as e:  # a model's constructor may raise anything, and all of it is about these options
            raise JudgescaleError(f"engine.lm={self.lm} cannot be made with engine.lm_args: {_flat(e)}") from None

    def _arguments(self, made: type) -> dict[str, Any]:
        """lm_args, with the judge's model under the name that this class has for it, unless the user gave one."""
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

    def _prompt(self, request: Request) -> Any:
        """The conversation as the model's own template has it. Raises ValueError where the template loses a turn."""
        messages = [{"role": role, "content": content} for role, content in request.messages]
        try:
            prompt = self._model.apply_chat_template(messages)
        except NotImplementedError:
            raise JudgescaleError(f"engine.lm={self.lm} has no chat template in lm-eval: take another lm") from None
        except Exception as e:
            raise JudgescaleError(f"judge.model={self.model}: no use of its chat template: {_flat(e)}") from None
        if isinstance(prompt, str) and any(content.strip() not in prompt for _, content in request.messages):
            raise ValueError("the model's chat template drops a turn of this prompt")
        return prompt

    def _generation(self, sampling: Sampling, seed: int) -> dict[str, Any]:
        arguments = generation(sampling)
        if sampling.temperature > 0:
            arguments |= {"top_k": 0} if self._local else {"seed": seed % (1 << 31)}  # transformers' own default is 50
        return arguments | dict(self.gen_kwargs or {})

    def _serve(self) -> None:
        while batch := self._take():
            fitting = [sample for sample in batch if self._fits(sample)]
            for kind, asked in (("generate_until", dict), ("loglikelihood", str)):
                if samples := [s for s in fitting if isinstance(s.arguments[1], asked)]:
                    self._ask(kind, samples)

    def _take(self) -> list[_Sample]:
        """The next samples for one call of the model; none at the end."""
        batch: list[_Sample] = []
        while len(batch) < (self.per_call if self.parallel == 1 else 1):
            try:
                sample = self._inbox.get(timeout=GATHER if batch else None)
            except queue.Empty:
                break
            if sample is None:
                self._inbox.put(None)
                break
            if not sample.call.cancelled:
                batch.append(sample)
        return batch

    def _fits(self, sample: _Sample) -> bool:
        """Whether the context holds the prompt; lm-eval would cut it, and say nothing, to make room for the answer."""
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
        from lm_eval.api.instance import Instance

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
            error = JudgescaleError(f"engine.lm={self.lm} tells no log-probabilities: take another lm or judge format")
            return _put_all(samples, error)
        except Exception as e:  # whatever a model raises, those that wait must hear of it
            if _status(e) in (401, 403, 404):
                return _put_all(samples, JudgescaleError(f"engine.lm={self.lm} is refused: {_flat(e)}"))
            return _put_all(samples, Output(finish="failed", error=_flat(e)))
        for sample, result in zip(samples, results, strict=True):
            sample.put(output_of(result, time.perf_counter() - started))

    def _look(self, texts: list[str], temperature: float) -> None:
        """Raises JudgescaleError once it is plain that the model gives every seed the same answer."""
        if len(texts) < SAMPLES or temperature < WARM or max(map(len, texts)) < CHARS:
            return
        self._alike.append(len(set(texts)) == 1)
        if len(self._alike) >= COPIES and all(self._alike):
            raise JudgescaleError(
                f"engine.lm={self.lm} answers every seed alike at temperature {temperature:g}: k judgments would be "
                "copies of one; take a model that samples (engine.gen_kwargs says how), or strategy.k=1"
            )


@dataclass(eq=False)
class _Call:
    loop: asyncio.AbstractEventLoop
    answers: asyncio.Queue[tuple[int, Output] | JudgescaleError]
    cancelled: bool = False


@dataclass(eq=False)
class _Sample:
    call: _Call
    index: int
    arguments: tuple[Any, str | dict[str, Any]]  # prompt and gen_kwargs, or prompt and label
    seed: int

    def put(self, answer: Output | JudgescaleError) -> None:
        item = answer if isinstance(answer, JudgescaleError) else (self.index, answer)
        self.call.loop.call_soon_threadsafe(self.call.answers.put_nowait, item)


def _put_all(samples: list[_Sample], answer: Output | JudgescaleError) -> None:
    for sample in samples:
        sample.put(answer)


async def _next(answers: asyncio.Queue[tuple[int, Output] | JudgescaleError]) -> tuple[int, Output]:
    if isinstance(answer := await answers.get(), JudgescaleError):
        raise answer
    return answer


def generation(sampling: Sampling) -> dict[str, Any]:
    """How an answer is drawn, as lm-eval's gen_kwargs."""
    arguments: dict[str, Any] = {"until": [], "max_gen_toks": sampling.max_tokens}
    arguments |= {"do_sample": sampling.temperature > 0, "temperature": sampling.temperature}
    return arguments | ({"top_p": sampling.top_p} if sampling.temperature > 0 else {})


def output_of(result: Any, seconds: float | None = None) -> Output:
    """What lm-eval gave for one instance: a text, or (log-probability, whether it is the greedy answer)."""
    if isinstance(result, tuple):
        return Output(score=float(result[0]), seconds=seconds)
    if not isinstance(result, str):
        return Output(finish="failed", error="the model's server gave no content")
    return Output(text=result, seconds=seconds)


def _joined(labels: Sequence[str], found: Mapping[int, Output]) -> Output:
    """One answer out of one log-probability a label."""
    for output in found.values():
        if output.finish == "failed":
            return output
    scores = {label: found[i].score for i, label in enumerate(labels)}
    return Output(logprobs={k: v for k, v in scores.items() if v is not None}, seconds=found[0].seconds)


def _status(e: Exception) -> int | None:
    """The HTTP status in requests' and in aiohttp's errors."""
    return getattr(e, "status", None) or getattr(getattr(e, "response", None), "status_code", None)


def _flat(e: Exception) -> str:
    return " ".join(str(e).split())[:300] or type(e).__name__
