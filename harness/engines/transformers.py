"""Scalar reward models through Hugging Face transformers: the plain way, where vLLM does not know the model.

Also home of what every engine that templates a conversation itself shares: `chat_tokenizer` and `token_ids`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from judgescale.harness.types import JudgescaleError, Output, Request, Sampling


@dataclass
class Transformers:
    """AutoModelForSequenceClassification with one label, in batches of what is waiting. kind="score" only."""

    name: ClassVar[str] = "transformers"
    needs: ClassVar[tuple[str, ...]] = ("transformers", "torch")  # pip install -e '.[transformers]'
    extra_name: ClassVar[str] = "transformers"
    model: str
    revision: str | None = None
    kind: str = "score"
    batch_size: int = 8
    dtype: str = "auto"
    device: str | None = None
    max_length: int | None = None
    faults: Counter[str] = field(default_factory=Counter)
    _tokenizer: Any = field(default=None, init=False, repr=False)
    _model: Any = field(default=None, init=False, repr=False)
    _pad: int | None = field(default=None, init=False, repr=False)
    _waiting: asyncio.Queue[tuple[list[int], asyncio.Future[float]]] = field(init=False, repr=False)
    _worker: asyncio.Task[None] | None = field(default=None, init=False, repr=False)

    @property
    def window(self) -> int:
        return 4 * self.batch_size

    def identity(self) -> Mapping[str, Any]:
        return {"dtype": self.dtype, "max_length": self.max_length}

    async def __aenter__(self) -> Transformers:
        if self.kind != "score":
            raise JudgescaleError("engine=transformers runs scalar heads only: for a judge that writes, engine=vllm")
        await asyncio.to_thread(self._load)
        self._waiting = asyncio.Queue()
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._worker:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        self._worker = self._model = None

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """The same score for every seed: nothing is sampled. A conversation that is too long fails."""
        start = time.perf_counter()
        output = await self._ask(request)
        for i in range(len(seeds)):
            yield i, Output(**output, shared=i > 0, seconds=time.perf_counter() - start)

    async def _ask(self, request: Request) -> dict[str, Any]:
        try:
            ids = token_ids(self._tokenizer, request)
        except TemplateRefusal as e:
            self.faults["template"] += 1
            return {"finish": "failed", "error": str(e)}
        if self.max_length and len(ids) > self.max_length:
            self.faults["too long"] += 1
            error = f"the conversation has {len(ids)} tokens, engine.max_length is {self.max_length}"
            return {"finish": "failed", "error": error, "prompt_tokens": len(ids)}
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((ids, answer))
        return {"score": await answer, "prompt_tokens": len(ids), "cached_tokens": 0, "completion_tokens": 0}

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self.batch_size and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            batch = [(ids, answer) for ids, answer in batch if not answer.cancelled()]
            try:
                scores = await asyncio.to_thread(self._score, [ids for ids, _ in batch]) if batch else []
            except Exception as e:
                error = JudgescaleError(
                    f"engine=transformers: {self.model} cannot score: {e} (a lower engine.batch_size?)"
                )
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), score in zip(batch, scores, strict=True):
                with contextlib.suppress(asyncio.InvalidStateError):  # cancelled meanwhile
                    answer.set_result(score)

    def _load(self) -> None:
        try:
            import torch
            from transformers import AutoModelForSequenceClassification
            from transformers.utils import logging
        except ImportError as e:
            raise JudgescaleError(f"engine=transformers needs {e.name}: pip install -e '.[transformers]'") from None
        logging.disable_progress_bar()
        self._tokenizer = chat_tokenizer(self.model, self.revision)
        try:
            model = AutoModelForSequenceClassification.from_pretrained(
                self.model, revision=self.revision, dtype=self.dtype, trust_remote_code=False
            )
            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            self._model = model.to(device).eval()
        except (OSError, ValueError, RuntimeError) as e:
            raise JudgescaleError(f"engine=transformers: {self.model} does not load: {e}") from e
        if model.config.num_labels != 1:
            raise JudgescaleError(f"{self.model} has {model.config.num_labels} labels: a scalar judge needs one number")
        self._pad = model.config.pad_token_id

    def _score(self, batch: Sequence[list[int]]) -> list[float]:
        """One logit a sequence, at its last token that is no padding, which is where transformers looks for it."""
        import torch

        # tokens after the one looked at change nothing: padding is free to be any token that no sequence uses
        batch = [_without_tail(ids, self._pad) for ids in batch]
        used = set().union(*batch)
        pad = next(i for i in range(len(used) + 1) if i not in used)
        width = max(map(len, batch))
        self._model.config.pad_token_id = pad
        device = self._model.device
        rows = torch.tensor([ids + [pad] * (width - len(ids)) for ids in batch], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in batch], device=device)
        with torch.inference_mode():
            logits = self._model(input_ids=rows, attention_mask=mask).logits
        return logits[:, 0].float().tolist()


class TemplateRefusal(Exception):
    """A chat template that does not take this conversation, in one line."""


def chat_tokenizer(model: str, revision: str | None, cache: str | None = None) -> Any:
    """The model's own tokenizer with its own chat template.

    Raises JudgescaleError where there is none: a template made up here would be another judge.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision, cache_dir=cache, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as e:
        raise JudgescaleError(f"model={model}: no tokenizer can be had: {e}") from e
    if not getattr(tokenizer, "chat_template", None):
        raise JudgescaleError(f"model={model} has no chat template: take an instruction-tuned model or a judge's own")
    return tokenizer


def token_ids(tokenizer: Any, request: Request) -> list[int]:
    """The conversation under the chat template, as the model reads it: a text request ends where its answer begins.

    Raises TemplateRefusal.
    """
    messages = [{"role": role, "content": content} for role, content in request.messages]
    try:
        return tokenizer.apply_chat_template(
            messages, add_generation_prompt=request.kind == "text", tokenize=True, return_dict=False
        )
    except Exception as e:  # a template is a program of the model's: it may raise anything
        raise TemplateRefusal(f"the chat template refuses the conversation: {' '.join(str(e).split())}") from e


def _without_tail(ids: list[int], pad: int | None) -> list[int]:
    end = next((i for i in range(len(ids), 0, -1) if ids[i - 1] != pad), len(ids))
    return ids[:end]
