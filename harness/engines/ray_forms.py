"""Write a row of engine=ray's jobs, and read its answer, as engine=openai or engine=vllm would."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.engines.chat import load_chat_tokenizer, tokenize_conversation
from judgescale.harness.engines.openai_replies import Fault, keep_n, parse_reply, read_completions, read_error
from judgescale.harness.engines.openai_requests import REJECTED, find_wrapped_pattern, write_head, write_tail
from judgescale.harness.engines.ray_driver import NOT_ASKED, Setup
from judgescale.harness.redaction import redact_text
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

if TYPE_CHECKING:
    from judgescale.harness.engines.ray import Ray

OWN_ARGUMENTS = ("model", "revision", "runner", "trust_remote_code", "tensor_parallel_size", "pipeline_parallel_size",
                 "max_model_len", "dtype", "quantization", "reasoning_parser")  # fmt: skip


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
