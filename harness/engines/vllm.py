"""Engine `vllm`: language models and reward models, scalar and process ones, in vLLM, inside this process.

Written for vLLM 0.32 and 0.33, on a GPU as well as on the CPU build.
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
from dataclasses import dataclass, fields
from typing import IO, Any, ClassVar

from judgescale.harness.contracts import Engine
from judgescale.harness.engines.chat import TemplateRefusal, load_chat_tokenizer, tokenize_conversation
from judgescale.harness.engines.steps import find_probabilities, tokenize_steps
from judgescale.harness.engines.thoughts import check_reasoning_parser
from judgescale.harness.errors import write_install
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

FINISHES = {"stop": "stop", "length": "length"}  # vLLM's word to ours; others are failures
FIXED = ("model", "revision", "runner", "trust_remote_code")  # what engine.extra may not touch


@dataclass(frozen=True)
class Vllm(Engine):
    """Run vLLM's AsyncLLM. conf/engine/vllm.yaml describes the options; one that is None has vLLM's own default."""

    name: ClassVar[str] = "vllm"
    needs: ClassVar[tuple[str, ...]] = ("vllm",)  # the extra vllm
    extra_name: ClassVar[str] = "vllm"
    kinds: ClassVar[tuple[str, ...]] = ("text", "score", "steps")

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
    end_of_thought: str | None = None
    seed_requests: bool = True
    extra: Mapping[str, Any] | None = None

    @property
    def window(self) -> int:
        """Return how many answers vLLM generates at the same time."""
        return self.max_num_seqs

    def identity(self) -> Mapping[str, Any]:
        """Return the options that may change an answer."""
        return {
            "dtype": self.dtype,
            "quantization": self.quantization,
            "kv_cache_dtype": self.kv_cache_dtype,
            "max_model_len": self.max_model_len,
            "reasoning_parser": self.reasoning_parser,
            "seed_requests": self.seed_requests,
            "extra": dict(self.extra or {}),
            **({"end_of_thought": self.end_of_thought} if self.end_of_thought else {}),  # it came later
        }

    def check_thinking_budget(self) -> None:
        """Ask for the name of the model's way of thinking, by which vLLM knows where a thought begins and ends."""
        check_reasoning_parser(self.reasoning_parser)
        if self.end_of_thought is not None and not self.end_of_thought.endswith("</think>"):
            raise JudgescaleError("engine.end_of_thought: must end with </think>, after which the model answers")

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[VllmSession]:
        """Load the model. Raises JudgescaleError where vLLM cannot run it."""
        session = VllmSession(self)
        try:
            await session.start()
            yield session
        finally:
            session.close()

    def make_arguments(self) -> Any:
        """Make vLLM's AsyncEngineArgs. Raises JudgescaleError where engine.extra names what vLLM does not have."""
        from vllm.config import PoolerConfig
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform

        known = {f.name for f in fields(AsyncEngineArgs)} - set(FIXED)
        if wrong := sorted(set(self.extra or {}) - known):
            raise JudgescaleError(f"engine.extra.{wrong[0]}: vLLM has no such argument, or it is not open to choice")
        cpu = current_platform.is_cpu()
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name in known}
        options = {name: value for name, value in own.items() if value is not None}
        options["enforce_eager"] = cpu if self.enforce_eager is None else self.enforce_eager
        if not self.seed_requests:
            options["seed"] = secrets.randbits(31)  # a resumed run must not draw the same numbers again
        elif cpu:
            # after a chunk of a prompt, vLLM rewinds the request's random generator, which CPU generators cannot do
            options["enable_chunked_prefill"] = False
        if self.end_of_thought:
            from vllm.config import ReasoningConfig

            options["reasoning_config"] = ReasoningConfig(reasoning_end_str=self.end_of_thought)
        if self.kind == "steps":  # of every token: for some models vLLM would look for a tag of its own choice
            options["pooler_config"] = PoolerConfig(tok_pooling_type="ALL")
        if cpu:
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "4")  # GiB; vLLM's default is most of the machine
        return AsyncEngineArgs(
            model=self.model,
            revision=self.revision,
            runner="generate" if self.kind == "text" else "pooling",
            trust_remote_code=False,
            use_tqdm_on_load=False,
            **(options | dict(self.extra or {})),
        )


class VllmSession:
    """Put requests to vLLM, which batches whatever is in flight.

    Every answer is a request of its own with its own seed. vLLM makes the same of its n-sampling; the prefix cache
    computes a prompt once either way; and so answers arrive one by one, each with its own count of cached tokens.
    """

    def __init__(self, options: Vllm) -> None:
        self.faults: Counter[str] = Counter()
        self._options = options
        self._llm: Any = None
        self._tokenizer: Any = None
        self._log_path = ""  # what vLLM's processes write; kept if they die
        self._longest = 0  # tokens of prompt and answer
        self._thoughts_end: int | None = None  # the token </think>, where the model has one
        self._tokens_by_text: dict[str, list[int]] = {}  # without the space around them
        self._count = itertools.count()

    async def start(self) -> None:
        """Load the model. This blocks the event loop, to which vLLM ties its sockets.

        Raises JudgescaleError. Call `close` in any case.
        """
        options = self._options
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # read at import; a progress bar owns the terminal
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        try:
            with _redirect_output():
                from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as e:
            raise JudgescaleError(f"engine=vllm needs {e.name}: {write_install('vllm')}") from None
        self._tokenizer = load_chat_tokenizer(options.model, options.revision, options.download_dir)
        descriptor, self._log_path = tempfile.mkstemp(prefix="judgescale-vllm-", suffix=".log")
        try:
            with open(descriptor, "w") as log, _redirect_output(log):
                config = options.make_arguments().create_engine_config()
                self._longest = config.model_config.max_model_len
                self._llm = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
            tasks = await self._llm.get_supported_tasks()
            if options.kind == "score" and "classify" not in tasks:
                raise JudgescaleError(f"{options.model} has no scalar head: judge.kind=score needs a reward model")
            if options.kind == "steps" and config.model_config.get_pooling_task(tasks) != "token_classify":
                raise JudgescaleError(
                    f"{options.model} has no token-classification head: judge.kind=steps needs a process reward model"
                )
            self._thoughts_end = self._tokenizer.get_vocab().get("</think>")
        except JudgescaleError:
            raise
        except Exception as e:
            raise JudgescaleError(f"engine=vllm: {options.model} does not start: {self._explain(e)}") from e

    def close(self) -> None:
        """Stop vLLM, and delete its log unless it tells why vLLM died."""
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown()
        if self._log_path and not self.faults["died"]:
            os.unlink(self._log_path)

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed. With seed_requests false, the seeds only say how many."""
        try:
            if request.kind == "steps":
                ids, places = tokenize_steps(self._tokenizer, request, self._options.model)
            else:
                ids, places = tokenize_conversation(self._tokenizer, request), []
            room = self._longest - (request.kind == "text")
            fault = f"the prompt has {len(ids)} tokens, the model takes {room}" if len(ids) > room else None
        except TemplateRefusal as e:
            ids, places, fault = [], [], str(e)
        if fault is not None:
            self.faults["unfit prompt"] += 1
            for i in range(len(seeds)):
                yield i, Output(finish="failed", error=fault, prompt_tokens=len(ids), shared=i > 0)
            return
        if request.kind != "text":  # nothing is sampled: one answer holds for every seed
            _, score = await self._ask(0, seeds[0], ids, request, sampling, places)
            for i in range(len(seeds)):
                yield i, score._replace(shared=i > 0)
            return
        answers = [asyncio.create_task(self._ask(i, seed, ids, request, sampling)) for i, seed in enumerate(seeds)]
        try:
            for answer in asyncio.as_completed(answers):
                yield await answer
        finally:  # reached early where the consumer is gone or an answer raised
            for task in answers:
                task.cancel()
            await asyncio.gather(*answers, return_exceptions=True)

    async def _ask(
        self, i: int, seed: int, ids: list[int], request: Request, sampling: Sampling, places: Sequence[int] = ()
    ) -> tuple[int, Output]:
        """Return (i, the answer to seed i). Raises JudgescaleError where vLLM is dead or the model does not fit.

        places: of the tokens that end a step, in ids.
        """
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError

        start = time.perf_counter()
        prompt, request_id = tokens_input(ids), str(next(self._count))
        if request.kind != "text":
            results = self._llm.encode(prompt, self._make_pooling_params(request.kind), request_id)
        else:
            results = self._llm.generate(prompt, self._make_params(request, sampling, seed), request_id)
        try:
            async for result in results:  # noqa: B007 - only the last one counts, and only one comes
                pass
            if request.kind == "steps":
                output = self._read_steps(result, request, places)
            else:
                output = self._read_score(result) if request.kind == "score" else self._read_text(result, request)
        except EngineDeadError as e:
            raise JudgescaleError(f"engine=vllm: {self._options.model} died: {self._explain(e)}") from e
        except JudgescaleError:
            raise
        except Exception as e:
            self.faults[type(e).__name__] += 1
            output = {"finish": "failed", "error": " ".join(str(e.__cause__ or e).split())}
        return i, Output(**output, prompt_tokens=len(ids), shared=i > 0, seconds=time.perf_counter() - start)

    def _read_text(self, result: Any, request: Request) -> dict[str, Any]:
        """Read a sampled answer as fields of Output."""
        (answer,) = result.outputs
        finish = FINISHES.get(answer.finish_reason, "failed")
        if finish == "failed":
            self.faults[str(answer.finish_reason)] += 1
            return {"finish": finish, "error": f"vLLM ended the answer with {answer.finish_reason!r}"}
        return {
            "text": answer.text,
            "finish": finish,
            "logprobs": self._read_logprobs(answer.logprobs[0], request.labels) if request.labels else None,
            "cached_tokens": result.num_cached_tokens,
            "completion_tokens": len(answer.token_ids),
            "reasoning_tokens": self._count_thoughts(answer.token_ids),
        }

    def _read_score(self, result: Any) -> dict[str, Any]:
        """Read a scalar head's number as fields of Output. Raises JudgescaleError where there are several."""
        logits = result.outputs.data.flatten().tolist()
        if len(logits) != 1:
            raise JudgescaleError(f"{self._options.model} has {len(logits)} labels: a scalar judge needs one number")
        return {"score": logits[0], "cached_tokens": result.num_cached_tokens, "completion_tokens": 0}

    def _read_steps(self, result: Any, request: Request, places: Sequence[int]) -> dict[str, Any]:
        """Read the probabilities at the tokens that end a step as fields of Output. Raises JudgescaleError."""
        logits = result.outputs.data
        if len(logits) != (tokens := len(result.prompt_token_ids)):
            self.faults["wrong number of scores"] += 1
            error = f"vLLM gave {len(logits)} scores for the {tokens} tokens of {len(places)} steps"
            return {"finish": "failed", "error": error}
        steps = find_probabilities(logits[list(places)].float().tolist(), request.good_label, self._options.model)
        return {"steps": steps, "cached_tokens": result.num_cached_tokens, "completion_tokens": 0}

    def _read_logprobs(self, first: Mapping[int, Any], labels: Sequence[str]) -> dict[str, float]:
        """Read each label's log-probability as the first token, within the pattern, before the temperature."""
        each = {label: [first[i].logprob for i in self._find_tokens(label)] for label in labels}
        return {label: logsumexp(logprobs) for label, logprobs in each.items()}

    def _count_thoughts(self, ids: Sequence[int]) -> int | None:
        """Count the tokens up to the last </think>; None where the model has no such token or did not write it."""
        ends = (len(ids) - i for i, token in enumerate(reversed(ids)) if token == self._thoughts_end)
        return next(ends, None)

    def _find_tokens(self, label: str) -> list[int]:
        """Find every token that says the label, with or without space around it.

        Raises JudgescaleError where there is none.
        """
        if not self._tokens_by_text:
            found = defaultdict(list)
            tokens = range(len(self._tokenizer))
            for token, text in zip(tokens, self._tokenizer.batch_decode([[i] for i in tokens]), strict=True):
                found[text.strip()].append(token)
            self._tokens_by_text = dict(found)
        if label not in self._tokens_by_text:
            model = self._options.model
            raise JudgescaleError(f"{model} has no single token for the verdict {label!r}: take shorter labels")
        return self._tokens_by_text[label]

    def _make_params(self, request: Request, sampling: Sampling, seed: int) -> Any:
        """Make vLLM's SamplingParams."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            thinking_token_budget=sampling.thinking_budget,
            seed=seed if self._options.seed_requests else None,
            structured_outputs=StructuredOutputsParams(regex=request.pattern) if request.pattern else None,
            logprob_token_ids=[i for label in request.labels for i in self._find_tokens(label)] or None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _make_pooling_params(self, kind: str) -> Any:
        """Make vLLM's PoolingParams for the raw logits of a head: the scalar one's, or those of every token."""
        from vllm import PoolingParams

        return PoolingParams(task="token_classify" if kind == "steps" else "classify", use_activation=False)

    def _explain(self, error: BaseException) -> str:
        """Explain an error in one line.

        Where vLLM only says that another of its processes failed, take the last error in that process's log.
        """
        if "root cause" not in str(error):
            return " ".join(str(error).split())
        self.faults["died"] += 1
        with open(self._log_path, errors="replace") as log:
            found = re.findall(r"\b\w+(?:Error|Exception): .+", log.read())
        return f"{found[-1] if found else 'no reason was given'} (see {self._log_path})"


def logsumexp(values: Sequence[float]) -> float:
    """Compute the log of the sum of exp of the values, which may be -inf."""
    top = max(values)
    return top if top == -math.inf else top + math.log(sum(math.exp(v - top) for v in values))


@contextlib.contextmanager
def _redirect_output(log: IO[str] | None = None) -> Iterator[None]:
    """Send this process's standard output and error to a file, by default nowhere.

    Processes started meanwhile keep writing there.
    """
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
