"""Engine `ray`: chunks of requests as Ray Data LLM jobs, on this machine or on a cluster.

A chunk's answers are kept as they come, so that a job which dies takes none of them with it: what lacks an answer is
asked for in another job. Requests are written as rows by ray_forms.py, collected by ray_chunks.py, and run by
ray_process.py in a process of its own (ray_driver.py). Written for Ray 2.60.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from judgescale.harness.contracts import Engine, EngineSession
from judgescale.harness.engines.openai import OpenAI
from judgescale.harness.engines.ray_chunks import RaySession
from judgescale.harness.engines.ray_forms import OWN_ARGUMENTS, ServerForm, TokenForm
from judgescale.harness.engines.ray_process import RayProcess
from judgescale.harness.engines.vllm import Vllm
from judgescale.harness.types import JudgescaleError

PROCESSORS = ("http", "vllm")
OWN_OPTIONS = (  # of Ray's configs: said by options of the engine
    "url", "headers", "session_factory", "max_retries", "model_source", "batch_size", "concurrency", "engine_kwargs",
    "should_continue_on_error", "task_type",
)  # fmt: skip
ALSO_VLLM = (  # arguments of vLLM that engine=vllm has as options
    "max_num_seqs", "gpu_memory_utilization", "kv_cache_dtype", "enable_prefix_caching", "enforce_eager",
    "download_dir",
)  # fmt: skip
HTTP_ONLY = (
    "base_url", "api_key_env", "concurrency", "timeout", "request_retries", "max_reply_bytes", "constrain",
    "max_tokens_field", "thinking_field", "extra_body", "provider",
)  # fmt: skip
VLLM_ONLY = (
    "tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "dtype", "quantization", "reasoning_parser",
    "engine_kwargs",
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
