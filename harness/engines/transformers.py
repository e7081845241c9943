"""Engine `transformers`: scalar reward models in Hugging Face transformers, for those that vLLM does not know."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Engine
from judgescale.harness.engines.chat import TemplateRefusal, load_chat_tokenizer, tokenize_conversation
from judgescale.harness.errors import write_install
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling


@dataclass(frozen=True)
class Transformers(Engine):
    """Run an AutoModelForSequenceClassification with one label: conversations to scores, in batches.

    conf/engine/transformers.yaml describes the options. `kind` can only be "score".
    """

    name: ClassVar[str] = "transformers"
    needs: ClassVar[tuple[str, ...]] = ("transformers", "torch")  # the extra transformers
    extra_name: ClassVar[str] = "transformers"

    kind: str = "score"
    batch_size: int = 8
    dtype: str = "auto"
    device: str | None = None
    max_length: int | None = None

    @property
    def window(self) -> int:
        """Return four batches, so that full ones are always waiting."""
        return 4 * self.batch_size

    def identity(self) -> Mapping[str, Any]:
        """Return the options that may change a score."""
        return {"dtype": self.dtype, "max_length": self.max_length}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[TransformersSession]:
        """Load the model. Raises JudgescaleError where it cannot be loaded or has several labels."""
        if self.kind != "score":
            raise JudgescaleError("engine=transformers runs scalar heads only: for a judge that writes, engine=vllm")
        session = TransformersSession(self, *await asyncio.to_thread(self._load))
        worker = asyncio.create_task(session.work())
        try:
            yield session
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            session.close()

    def _load(self) -> tuple[Any, Any]:
        """Load (tokenizer, model)."""
        try:
            import torch
            from transformers import AutoModelForSequenceClassification
            from transformers.utils import logging
        except ImportError as e:
            raise JudgescaleError(f"engine=transformers needs {e.name}: {write_install('transformers')}") from None
        logging.disable_progress_bar()
        tokenizer = load_chat_tokenizer(self.model, self.revision)
        try:
            model = AutoModelForSequenceClassification.from_pretrained(
                self.model, revision=self.revision, dtype=self.dtype, trust_remote_code=False
            )
            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            model = model.to(device).eval()
        except (OSError, ValueError, RuntimeError) as e:
            raise JudgescaleError(f"engine=transformers: {self.model} does not load: {e}") from e
        if model.config.num_labels != 1:
            raise JudgescaleError(f"{self.model} has {model.config.num_labels} labels: a scalar judge needs one number")
        return tokenizer, model


class TransformersSession:
    """Collect the conversations that wait, and score them in batches."""

    def __init__(self, options: Transformers, tokenizer: Any, model: Any) -> None:
        self.faults: Counter[str] = Counter()
        self._options = options
        self._tokenizer = tokenizer
        self._model = model
        self._pad: int | None = model.config.pad_token_id  # as the model came: `_score` sets others
        self._waiting: asyncio.Queue[tuple[list[int], asyncio.Future[float]]] = asyncio.Queue()

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield the same score for every seed: nothing is sampled. A conversation that is too long fails."""
        start = time.perf_counter()
        output = await self._ask(request)
        for i in range(len(seeds)):
            yield i, Output(**output, shared=i > 0, seconds=time.perf_counter() - start)

    async def work(self) -> None:
        """Score what is waiting, batch after batch, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._options.batch_size and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            batch = [(ids, answer) for ids, answer in batch if not answer.cancelled()]
            try:
                scores = await asyncio.to_thread(self._score, [ids for ids, _ in batch]) if batch else []
            except Exception as e:
                error = JudgescaleError(
                    f"engine=transformers: {self._options.model} cannot score: {e} (a lower engine.batch_size?)"
                )
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), score in zip(batch, scores, strict=True):
                with contextlib.suppress(asyncio.InvalidStateError):  # cancelled meanwhile
                    answer.set_result(score)

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    async def _ask(self, request: Request) -> dict[str, Any]:
        """Queue a conversation for the next batch, and return its score as fields of Output."""
        try:
            ids = tokenize_conversation(self._tokenizer, request)
        except TemplateRefusal as e:
            self.faults["template"] += 1
            return {"finish": "failed", "error": str(e)}
        most = self._options.max_length
        if most and len(ids) > most:
            self.faults["too long"] += 1
            error = f"the conversation has {len(ids)} tokens, engine.max_length is {most}"
            return {"finish": "failed", "error": error, "prompt_tokens": len(ids)}
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((ids, answer))
        return {"score": await answer, "prompt_tokens": len(ids), "cached_tokens": 0, "completion_tokens": 0}

    def _score(self, batch: Sequence[list[int]]) -> list[float]:
        """Return one logit a sequence: that of its last token that is no padding, where transformers looks for it."""
        import torch

        # Tokens after the one looked at change nothing, so padding may be any token that no sequence uses.
        batch = [_strip_padding(ids, self._pad) for ids in batch]
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


def _strip_padding(ids: list[int], pad: int | None) -> list[int]:
    """Return the ids without the padding at their end; all of them where they are nothing else."""
    end = next((i for i in range(len(ids), 0, -1) if ids[i - 1] != pad), len(ids))
    return ids[:end]
