"""A model behind the store: an answer that was bought once is never asked for again."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from judgescale.harness.batch.folder import BatchFolder, Deferred
from judgescale.harness.contracts import BatchLines
from judgescale.harness.cost import Price, Tokens
from judgescale.harness.live.connection import Connection
from judgescale.harness.live.meter import Meter, Spending, Tally
from judgescale.harness.live.outbox import Keep, Outbox
from judgescale.harness.redaction import redact
from judgescale.harness.store import Question, encode_canonical
from judgescale.harness.types import Call, JudgescaleError, Output, Request, Sampling

TEMPLATE_TOKENS = 512  # what a chat template may add to a prompt, when its most possible cost is set aside
EDGE = 1 << 16  # bytes at either end of a model's files that tell one version from another


class Answer(NamedTuple):
    """Hold an answer and what it cost."""

    output: Output
    call: Call


Promise = asyncio.Future[dict[int, Answer]]  # of some ranks, kept once all of them are in the store


@dataclass
class Model:
    """Answer requests from the store, or else from an engine with these sampling options and this seed.

    Answers are numbered by rank; rank r has the seed base + r, so that a longer list of answers begins with a shorter
    one. A scalar head and temperature 0 have one answer, whatever the rank.
    """

    connection: Connection
    role: str  # "judge", "scorer", "meta": whose calls these are
    sampling: Sampling | None  # None for a scalar head
    seed: int
    outbox: Outbox  # to the store
    meter: Meter
    price: Price | None
    dry: bool = False  # count what would be asked, ask nothing
    batch: tuple[BatchFolder, BatchLines] | None = None  # asked through batch files, not by the engine's session
    missing: dict[bytes, tuple[Question, set[int]]] = field(default_factory=dict)  # what a dry run would buy
    settings: str = ""
    _pending: dict[tuple[bytes, int], Promise] = field(default_factory=dict)
    _reused: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        engine = self.connection.engine
        settings = {
            "model": engine.model,
            "revision": engine.revision,
            "files": fingerprint_files(engine.model),
            "engine": {"name": engine.name, **engine.identity()},
            "sampling": None if self.sampling is None else dataclasses.asdict(self.sampling),
            "seed": None if self.is_deterministic else self.seed,
        }
        self.settings = self.outbox.store.find_settings(encode_canonical(redact(settings)))

    @property
    def is_deterministic(self) -> bool:
        """Tell whether the same request always has the same answer."""
        return self.sampling is None or self.sampling.temperature == 0

    @property
    def budget_read_again(self) -> int | None:
        """Return how many tokens of a thought each answer may read again, with its prompt; None where it asks once."""
        return self.sampling.thinking_budget if self.sampling and self.connection.engine.asks_twice else None

    async def __call__(self, request: Request, count: int, first: int = 0, payer: Tally | None = None) -> list[Answer]:
        """Return the answers of rank `first` to count - 1, buying what neither the store has nor others wait for.

        payer: the arm on whose account they are counted.
        """
        question = Question.from_request(self.settings, request)
        ranks = range(1) if self.is_deterministic else range(first, count)
        found = self._find_answers(question, range(ranks.stop))
        lacking = [r for r in ranks if r not in found]
        theirs = {r: self._pending[question.key, r] for r in lacking if (question.key, r) in self._pending}
        mine = [r for r in lacking if r not in theirs]
        if mine and self.dry:
            self.missing.setdefault(question.key, (question, set()))[1].update(mine)
            found |= {r: self._make_answer(question, r, Output(text=f"?{r}")) for r in mine}
        elif mine and self.batch:
            found |= await self._take_from_batch(*self.batch, question, request, mine)
        elif mine:
            found |= await self._buy(question, request, mine)
        if payer:
            payer.count_answers([found[r] for r in mine], len(ranks) - len(mine))
        for rank, promise in theirs.items():
            found[rank] = (await asyncio.shield(promise))[rank]
        return [found[0]] * (count - first) if self.is_deterministic else [found[r] for r in ranks]

    def _make_answer(self, question: Question, rank: int, output: Output) -> Answer:
        return Answer(
            output,
            Call(
                self.role,
                question.key,
                rank,
                output.prompt_tokens,
                output.cached_tokens,
                output.completion_tokens,
                output.reasoning_tokens,
                output.shared,
            ),
        )

    def _find_answers(self, question: Question, ranks: Iterable[int]) -> dict[int, Answer]:
        kept = self.outbox.store.find_answers(question)
        found = {r: self._make_answer(question, r, kept[r]) for r in ranks if r in kept}
        if (
            found
            and not self.outbox.store.has_written(question)
            and len(found) > (before := self._reused.get(question.key, 0))
        ):
            self._reused[question.key] = len(found)
            self.meter.reused += len(found) - before
        return found

    async def _buy(self, question: Question, request: Request, ranks: Sequence[int]) -> dict[int, Answer]:
        """Buy these ranks; who asks for one of them meanwhile waits for the same answers."""
        with self._promise(question, ranks) as (promise, keep):
            # Ranks in a row are one group for the engine, whose seeds run on from the first.
            for _, group in groupby(enumerate(ranks), lambda pair: pair[1] - pair[0]):
                await self._ask(question, request, [rank for _, rank in group], keep)
            return await promise

    @contextmanager
    def _promise(self, question: Question, ranks: Collection[int]) -> Iterator[tuple[Promise, Keep]]:
        """Promise the answers of some ranks, one at least, to all who ask for them, until the block ends.

        Yields the promise, and how each of the answers is handed in.
        """
        promise: Promise = asyncio.get_running_loop().create_future()
        kept: dict[int, Answer] = {}

        def keep(rank: int, output: Output | JudgescaleError) -> None:
            """Hand in an answer; the promise is kept with the last of them, or broken by an error."""
            if promise.done():
                return
            if isinstance(output, JudgescaleError):
                promise.set_exception(output)
                return
            kept[rank] = self._make_answer(question, rank, output)
            if len(kept) == len(ranks):
                promise.set_result(kept)

        places = [(question.key, rank) for rank in ranks]
        self._pending |= dict.fromkeys(places, promise)
        try:
            yield promise, keep
        except BaseException as error:
            if not promise.done():
                promise.set_exception(error if isinstance(error, Exception) else JudgescaleError("interrupted"))
            if not promise.cancelled():
                promise.exception()  # looked at: nobody may be waiting for it
            raise
        finally:
            for place in places:
                del self._pending[place]

    async def _ask(self, question: Question, request: Request, ranks: Sequence[int], keep: Keep) -> None:
        async with self.connection.slots:
            each = self._bound_spending(question)
            most = Spending(each.tokens * len(ranks), each.dollars * len(ranks))
            await self.meter.set_aside(most)
            missing = set(ranks)
            try:
                session = await self.connection.start()
                first = self._derive_seed(question)
                async for i, output in session(request, self.sampling or Sampling(), [first + rank for rank in ranks]):
                    missing.remove(ranks[i])
                    self._keep_answer(question, ranks[i], output, each, keep)
                for rank in missing:
                    lost = Output(finish="failed", error=f"engine={self.connection.engine.name} gave no answer")
                    self._keep_answer(question, rank, lost, each, keep)
            except Exception as error:
                self.meter.stopped = self.meter.stopped or error
                raise
            finally:
                self.meter.release(most)

    async def _take_from_batch(
        self, folder: BatchFolder, lines: BatchLines, question: Question, request: Request, ranks: Sequence[int]
    ) -> dict[int, Answer]:
        """Take answers that came by a batch file. Raises Deferred where some did not: the next file asks for them."""
        each = self._bound_spending(question)
        came = dict(folder.take(lines, question.key, request, ranks))
        lacking = [rank for rank in ranks if rank not in came]
        if lacking:
            seed, sampling = self._derive_seed(question), self.sampling or Sampling()
            name = self.connection.engine.model
            folder.note(lines, name, question.key, request, sampling, seed, lacking, each)
        found: dict[int, Answer] = {}
        if came:
            with self._promise(question, came) as (promise, keep):
                for rank, output in came.items():
                    self._keep_answer(question, rank, output, each, keep)
                found = await promise
        if lacking:
            raise Deferred
        return found

    def _derive_seed(self, question: Question) -> int:
        """Derive a seed from what is asked and the run's seed alone, so that every engine gets the same."""
        return int.from_bytes(hashlib.sha256(b"%d" % self.seed + question.digest).digest()[:4]) >> 2

    def _keep_answer(self, question: Question, rank: int, output: Output, most: Spending, keep: Keep) -> None:
        """Keep an answer in the store; one that failed is only counted, and asked for again by the next run."""
        failed = output.finish == "failed"
        if not failed or output.prompt_tokens is not None:
            self.meter.record_payment(output, self.price, most)
        if failed:
            self.meter.record_failure(output.error)
            keep(rank, output)
        else:
            self.outbox.add_answer(question, rank, output, keep)

    def _bound_spending(self, question: Question) -> Spending:
        """Bound what an answer may cost: no token is shorter than a byte."""
        written = 0 if self.sampling is None else self.sampling.max_tokens
        read = len(question.request.encode()) + TEMPLATE_TOKENS
        if budget := self.budget_read_again:
            read = 2 * read + budget
        most = Tokens(prompt=read, completion=written)
        return Spending(most.prompt + most.completion, self.price.dollars(most) if self.price else 0.0)


def fingerprint_files(model: str) -> str | None:
    """Digest the ends of a local model's files: one trained on in place is another. None for a model elsewhere."""
    path = Path(model).expanduser()
    if not path.exists():
        return None
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path)} {size}\n".encode())
        with file.open("rb") as content:
            digest.update(content.read(EDGE))
            content.seek(max(size - EDGE, 0))
            digest.update(content.read(EDGE))
    return digest.hexdigest()[:16]
