"""Language models and scalar reward models in vLLM, inside this process: continuous batching, no rounds.

Written for vLLM 0.32 and 0.33, on a GPU as well as on the CPU build. Every answer is its own request with its own seed:
that is what vLLM makes of its n-sampling too, the prefix cache prefills a prompt once either way, and answers arrive
one by one, each with its own count of cached tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import re
import secrets
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import IO, Any, ClassVar

from judgescale.harness.engines.transformers import TemplateRefusal, chat_tokenizer, token_ids
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

FINISHES = {"stop": "stop", "length": "length"}  # vLLM's word to ours; others are failures
FIXED = ("model", "revision", "runner", "trust_remote_code")  # what engine.extra may not touch


@dataclass
class Vllm:
    """vLLM's AsyncLLM. Options left None are vLLM's own defaults."""

    name: ClassVar[str] = "vllm"
    needs: ClassVar[tuple[str, ...]] = ("vllm",)  # pip install -e '.[vllm]'
    extra_name: ClassVar[str] = "vllm"
    model: str
    revision: str | None = None
    kind: str = "text"
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    max_model_len: int | None = None
    max_num_seqs: int = 256
    gpu_memory_utilization: float | None = None
    dtype: str = "auto"
    quantization: str | None = None
    kv_cache_dtype: str = "auto"
    enable_prefix_caching: bool = True
    enforce_eager: bool | None = None  # None: on the CPU, where compiling takes a minute and gains nothing
    download_dir: str | None = None
    reasoning_parser: str | None = None
    seed_requests: bool = True
    extra: Mapping[str, Any] | None = None
    faults: Counter[str] = field(default_factory=Counter)
    _llm: Any = field(default=None, init=False, repr=False)
    _tokenizer: Any = field(default=None, init=False, repr=False)
    _log_path: str = field(default="", init=False, repr=False)  # what vLLM's processes write; kept if they die
    _longest: int = field(default=0, init=False, repr=False)
    _thoughts_end: int | None = field(default=None, init=False, repr=False)  # the token </think>
    _saying: dict[str, list[int]] = field(default_factory=dict, init=False, repr=False)
    _count: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)

    @property
    def window(self) -> int:
        return self.max_num_seqs

    def identity(self) -> Mapping[str, Any]:
        names = ("dtype", "quantization", "kv_cache_dtype", "max_model_len", "reasoning_parser", "seed_requests")
        return {name: getattr(self, name) for name in names} | {"extra": dict(self.extra or {})}

    async def __aenter__(self) -> Vllm:
        """Load the model; blocks the event loop meanwhile, as vLLM ties its sockets to it."""
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # read at import; a progress bar owns the terminal
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        try:
            with _silent():
                from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as e:
            raise JudgescaleError(f"engine=vllm needs {e.name}: pip install -e '.[vllm]'") from None
        self._tokenizer = chat_tokenizer(self.model, self.revision, self.download_dir)
        descriptor, self._log_path = tempfile.mkstemp(prefix="judgescale-vllm-", suffix=".log")
        try:
            with open(descriptor, "w") as log, _silent(log):
                config = self._arguments().create_engine_config()
                self._longest = config.model_config.max_model_len
                self._llm = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
            if self.kind == "score" and "classify" not in await self._llm.get_supported_tasks():
                raise JudgescaleError(f"{self.model} has no scalar head: judge.kind=score needs a reward model")
            self._thoughts_end = self._tokenizer.get_vocab().get("</think>")
        except BaseException as e:
            why = self._why(e)
            await self.__aexit__()
            if isinstance(e, JudgescaleError) or not isinstance(e, Exception):
                raise
            raise JudgescaleError(f"engine=vllm: {self.model} does not start: {why}") from e
        return self

    async def __aexit__(self, *exc: object) -> None:
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown()
        if self._log_path and not self.faults["died"]:
            os.unlink(self._log_path)

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """One answer for every seed. With seed_requests false the seeds only say how many."""
        if sampling.thinking_tokens is not None and self.reasoning_parser is None:
            raise JudgescaleError(
                "judge.sampling.thinking_tokens needs engine.reasoning_parser, vLLM's name for this model's way of "
                "thinking: deepseek_r1, qwen3, …"
            )
        try:
            ids = token_ids(self._tokenizer, request)
            room = self._longest - (request.kind == "text")
            fault = f"the prompt has {len(ids)} tokens, the model takes {room}" if len(ids) > room else None
        except TemplateRefusal as e:
            ids, fault = [], str(e)
        if fault is not None:
            self.faults["unfit prompt"] += 1
            for i in range(len(seeds)):
                yield i, Output(finish="failed", error=fault, prompt_tokens=len(ids), shared=i > 0)
            return
        if request.kind == "score":  # nothing is sampled: one answer holds for every seed
            _, score = await self._answer(0, seeds[0], ids, request, sampling)
            for i in range(len(seeds)):
                yield i, replace(score, shared=i > 0)
            return
        answers = [asyncio.create_task(self._answer(i, seed, ids, request, sampling)) for i, seed in enumerate(seeds)]
        try:
            for answer in asyncio.as_completed(answers):
                yield await answer
        finally:  # reached early where the consumer is gone or an answer raised
            for task in answers:
                task.cancel()
            await asyncio.gather(*answers, return_exceptions=True)

    async def _answer(
        self, i: int, seed: int, ids: list[int], request: Request, sampling: Sampling
    ) -> tuple[int, Output]:
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError

        start = time.perf_counter()
        prompt, request_id = tokens_input(ids), str(next(self._count))
        if request.kind == "score":
            results = self._llm.encode(prompt, self._pooling(), request_id)
        else:
            results = self._llm.generate(prompt, self._params(request, sampling, seed), request_id)
        try:
            async for result in results:  # noqa: B007 - only the last one counts, and only one comes
                pass
            output = self._score(result) if request.kind == "score" else self._text(result, request)
        except EngineDeadError as e:
            raise JudgescaleError(f"engine=vllm: {self.model} died: {self._why(e)}") from e
        except JudgescaleError:
            raise
        except Exception as e:
            self.faults[type(e).__name__] += 1
            output = {"finish": "failed", "error": " ".join(str(e.__cause__ or e).split())}
        return i, Output(**output, prompt_tokens=len(ids), shared=i > 0, seconds=time.perf_counter() - start)

    def _text(self, result: Any, request: Request) -> dict[str, Any]:
        (answer,) = result.outputs
        finish = FINISHES.get(answer.finish_reason, "failed")
        if finish == "failed":
            self.faults[str(answer.finish_reason)] += 1
            return {"finish": finish, "error": f"vLLM ended the answer with {answer.finish_reason!r}"}
        return {
            "text": answer.text,
            "finish": finish,
            "logprobs": self._logprobs(answer.logprobs[0], request.labels) if request.labels else None,
            "cached_tokens": result.num_cached_tokens,
            "completion_tokens": len(answer.token_ids),
            "reasoning_tokens": self._thought(answer.token_ids),
        }

    def _score(self, result: Any) -> dict[str, Any]:
        logits = result.outputs.data.flatten().tolist()
        if len(logits) != 1:
            raise JudgescaleError(f"{self.model} has {len(logits)} labels: a scalar judge needs one number")
        return {"score": logits[0], "cached_tokens": result.num_cached_tokens, "completion_tokens": 0}

    def _logprobs(self, first: Mapping[int, Any], labels: Sequence[str]) -> dict[str, float]:
        """Log-probabilities of the labels as the answer's first token, within the pattern, before the temperature."""
        each = {label: [first[i].logprob for i in self._tokens_saying(label)] for label in labels}
        return {label: logsumexp(logprobs) for label, logprobs in each.items()}

    def _thought(self, ids: Sequence[int]) -> int | None:
        """How many tokens came up to the last </think>, where the model has such a token and wrote it."""
        ends = (len(ids) - i for i, token in enumerate(reversed(ids)) if token == self._thoughts_end)
        return next(ends, None)

    def _tokens_saying(self, label: str) -> list[int]:
        """Every token that says the label, with or without space around it. Raises JudgescaleError where none does."""
        if not self._saying:
            saying = defaultdict(list)
            tokens = range(len(self._tokenizer))
            for token, text in zip(tokens, self._tokenizer.batch_decode([[i] for i in tokens]), strict=True):
                saying[text.strip()].append(token)
            self._saying = dict(saying)
        if label not in self._saying:
            raise JudgescaleError(f"{self.model} has no single token for the verdict {label!r}: take shorter labels")
        return self._saying[label]

    def _params(self, request: Request, sampling: Sampling, seed: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            thinking_token_budget=sampling.thinking_tokens,
            seed=seed if self.seed_requests else None,
            structured_outputs=StructuredOutputsParams(regex=request.pattern) if request.pattern else None,
            logprob_token_ids=[i for label in request.labels for i in self._tokens_saying(label)] or None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _pooling(self) -> Any:
        from vllm import PoolingParams

        return PoolingParams(task="classify", use_activation=False)

    def _arguments(self) -> Any:
        """vLLM's AsyncEngineArgs. Raises JudgescaleError where engine.extra names what vLLM does not have."""
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform

        known = {f.name for f in fields(AsyncEngineArgs)} - set(FIXED)
        if wrong := sorted(set(self.extra or {}) - known):
            raise JudgescaleError(f"engine.extra.{wrong[0]}: vLLM has no such argument, or it is not open to choice")
        cpu = current_platform.is_cpu()
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.init and f.name in known}
        options = {name: value for name, value in own.items() if value is not None}
        options["enforce_eager"] = cpu if self.enforce_eager is None else self.enforce_eager
        if not self.seed_requests:
            options["seed"] = secrets.randbits(31)  # a resumed run must not draw the same numbers again
        elif cpu:
            options["enable_chunked_prefill"] = False  # a chunk winds a request's generator back: CPU ones cannot
        if cpu:
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")  # GiB; vLLM's default is most of the machine
        return AsyncEngineArgs(
            model=self.model,
            revision=self.revision,
            runner="pooling" if self.kind == "score" else "generate",
            trust_remote_code=False,
            use_tqdm_on_load=False,
            **(options | dict(self.extra or {})),
        )

    def _why(self, error: BaseException) -> str:
        """One line; where vLLM only says that another of its processes failed, the last error that one wrote."""
        if "root cause" not in str(error):
            return " ".join(str(error).split())
        self.faults["died"] += 1
        with open(self._log_path, errors="replace") as log:
            found = re.findall(r"\b\w+(?:Error|Exception): .+", log.read())
        return f"{found[-1] if found else 'no reason was given'} (see {self._log_path})"


def logsumexp(values: Sequence[float]) -> float:
    """log of the sum of exp of the values, which may be -inf."""
    top = max(values)
    return top if top == -math.inf else top + math.log(sum(math.exp(v - top) for v in values))


@contextlib.contextmanager
def _silent(log: IO[str] | None = None) -> Iterator[None]:
    """Send standard output and error of this process to a file; processes started meanwhile keep writing there."""
    with open(os.devnull, "w") as devnull:
        sys.stdout.flush()
        sys.stderr.flush()
        kept = os.dup(1), os.dup(2)
        try:
            for stream in (1, 2):
                os.dup2((log or devnull).fileno(), stream)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, was in zip((1, 2), kept, strict=True):
                os.dup2(was, stream)
                os.close(was)
