"""Engine `transformers`: reward models in Hugging Face transformers, for those that vLLM does not know."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from judgescale.harness.contracts import Engine
from judgescale.harness.engines.chat import TemplateRefusal, load_chat_tokenizer, tokenize_conversation
from judgescale.harness.engines.steps import find_probabilities, tokenize_steps
from judgescale.harness.errors import write_install
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling


@dataclass(frozen=True)
class Transformers(Engine):
    """Run a model with a head in batches: conversations to scores, or to step scores.

    kind "score": an AutoModelForSequenceClassification with one label; "steps": an AutoModelForTokenClassification, or
    with `trust_remote_code` the AutoModel of a model that brings code of its own, which gives logits for every token.
    conf/engine/transformers.yaml describes the options.
    """

    name: ClassVar[str] = "transformers"
    needs: ClassVar[tuple[str, ...]] = ("transformers", "torch")  # the extra transformers
    extra_name: ClassVar[str] = "transformers"
    kinds: ClassVar[tuple[str, ...]] = ("score", "steps")

    kind: str = "score"
    batch_size: int = 8
    dtype: str = "auto"
    device: str | None = None
    max_length: int | None = None
    trust_remote_code: bool = False

    @property
    def window(self) -> int:
        """Return four batches, so that full ones are always waiting."""
        return 4 * self.batch_size

    def identity(self) -> Mapping[str, Any]:
        """Return the options that may change a score."""
        own_code = {"trust_remote_code": True} if self.trust_remote_code else {}
        return {"dtype": self.dtype, "max_length": self.max_length, **own_code}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[TransformersSession]:
        """Load the model. Raises JudgescaleError where it cannot be loaded or has several labels."""
        if self.kind == "text":
            raise JudgescaleError("engine=transformers runs reward models only: for a judge that writes, engine=vllm")
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
            from transformers.utils import logging
        except ImportError as e:
            raise JudgescaleError(f"engine=transformers needs {e.name}: {write_install('transformers')}") from None
        logging.disable_progress_bar()
        tokenizer = load_chat_tokenizer(self.model, self.revision)
        try:
            model, found = self._choose_class().from_pretrained(
                self.model,
                revision=self.revision,
                dtype=self.dtype,
                trust_remote_code=self.trust_remote_code,
                output_loading_info=True,
            )
            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            model = model.to(device).eval()
        except (OSError, ValueError, RuntimeError) as e:
            raise JudgescaleError(f"engine=transformers: {self.model} does not load: {e}") from e
        if self.kind == "steps" and found["missing_keys"]:  # transformers fills in random weights
            raise JudgescaleError(
                f"{self.model} has no token-classification head ({min(found['missing_keys'])} is missing):"
                " judge.kind=steps needs a process reward model; one with code of its own also needs"
                " engine.trust_remote_code=true"
            )
        if self.kind == "score" and model.config.num_labels != 1:
            raise JudgescaleError(f"{self.model} has {model.config.num_labels} labels: a scalar judge needs one number")
        return tokenizer, model

    def _choose_class(self) -> Any:
        """Choose the class of transformers that loads the model."""
        from transformers import (
            AutoConfig,
            AutoModel,
            AutoModelForSequenceClassification,
            AutoModelForTokenClassification,
        )

        if self.kind == "score":
            return AutoModelForSequenceClassification
        config = AutoConfig.from_pretrained(
            self.model, revision=self.revision, trust_remote_code=self.trust_remote_code
        )
        own_classes = getattr(config, "auto_map", None) or {} if self.trust_remote_code else {}
        own = "AutoModel" in own_classes and "AutoModelForTokenClassification" not in own_classes
        return AutoModel if own else AutoModelForTokenClassification


class Waiting(NamedTuple):
    """Hold a conversation that waits for a batch: its logits will be (1, 1), or (steps, labels)."""

    ids: list[int]
    places: Sequence[int]  # of the tokens that end a step
    answer: asyncio.Future[list[list[float]]]


class TransformersSession:
    """Collect the conversations that wait, and score them in batches."""

    def __init__(self, options: Transformers, tokenizer: Any, model: Any) -> None:
        self.faults: Counter[str] = Counter()
        self._options = options
        self._tokenizer = tokenizer
        self._model = model
        self._pad: int | None = model.config.pad_token_id  # as the model came: `_score` sets others
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue()

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield the same answer for every seed: nothing is sampled. A conversation that is too long fails."""
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
            batch = [one for one in batch if not one.answer.cancelled()]
            run = self._score_steps if self._options.kind == "steps" else self._score
            try:
                found = await asyncio.to_thread(run, batch) if batch else []
            except Exception as e:
                error = JudgescaleError(
                    f"engine=transformers: {self._options.model} cannot score: {e} (a lower engine.batch_size?)"
                )
                for one in batch:
                    if not one.answer.done():
                        one.answer.set_exception(error)
                continue
            for one, logits in zip(batch, found, strict=True):
                with contextlib.suppress(asyncio.InvalidStateError):  # cancelled meanwhile
                    one.answer.set_result(logits)

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    async def _ask(self, request: Request) -> dict[str, Any]:
        """Queue a conversation for the next batch, and return its score or step scores as fields of Output."""
        options = self._options
        places: Sequence[int] = ()
        try:
            if options.kind == "steps":
                ids, places = tokenize_steps(self._tokenizer, request, options.model)
            else:
                ids = tokenize_conversation(self._tokenizer, request)
        except TemplateRefusal as e:
            self.faults["template"] += 1
            return {"finish": "failed", "error": str(e)}
        most = options.max_length
        if most and len(ids) > most:
            self.faults["too long"] += 1
            error = f"the conversation has {len(ids)} tokens, engine.max_length is {most}"
            return {"finish": "failed", "error": error, "prompt_tokens": len(ids)}
        answer: asyncio.Future[list[list[float]]] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(Waiting(ids, places, answer))
        logits = await answer
        counts = {"prompt_tokens": len(ids), "cached_tokens": 0, "completion_tokens": 0}
        if options.kind == "steps":
            return {"steps": find_probabilities(logits, request.good_label, options.model), **counts}
        return {"score": logits[0][0], **counts}

    def _score(self, batch: Sequence[Waiting]) -> list[list[list[float]]]:
        """Return one logit a sequence: that of its last token that is no padding, where transformers looks for it."""
        # Tokens after the one looked at change nothing, so padding may be any token that no sequence uses.
        rows = [_strip_padding(one.ids, self._pad) for one in batch]
        used = set().union(*rows)
        pad = next(i for i in range(len(used) + 1) if i not in used)
        self._model.config.pad_token_id = pad
        return [[logits] for logits in self._run(rows, pad)[:, :1].float().tolist()]

    def _score_steps(self, batch: Sequence[Waiting]) -> list[list[list[float]]]:
        """Return the logits of all labels at the tokens that end a step, for each sequence."""
        logits = self._run([one.ids for one in batch], 0)  # padding is masked: any token will do
        return [of_one[list(one.places)].float().tolist() for of_one, one in zip(logits, batch, strict=True)]

    def _run(self, rows: Sequence[list[int]], pad: int) -> Any:
        """Return what the model gives for the token ids of some sequences, as a tensor with a row for each."""
        import torch

        width = max(map(len, rows))
        device = self._model.device
        padded = torch.tensor([ids + [pad] * (width - len(ids)) for ids in rows], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in rows], device=device)
        with torch.inference_mode():
            return self._model(input_ids=padded, attention_mask=mask)[0]


def _strip_padding(ids: list[int], pad: int | None) -> list[int]:
    """Return the ids without the padding at their end; all of them where they are nothing else."""
    end = next((i for i in range(len(ids), 0, -1) if ids[i - 1] != pad), len(ids))
    return ids[:end]
