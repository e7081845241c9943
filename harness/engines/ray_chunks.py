"""Collect the requests of engine=ray to chunks, run a job for each, and ask again what a dead job left unanswered."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from judgescale.harness.engines.chat import TemplateRefusal
from judgescale.harness.engines.ray_forms import ServerForm, TokenForm
from judgescale.harness.types import JudgescaleError, Output, Request, Sampling

if TYPE_CHECKING:
    from judgescale.harness.engines.ray import Ray


class Row(NamedTuple):
    """Hold one sample that is asked for, and whom to tell."""

    id: int
    head: str  # of its body; one text for all samples of a prompt
    tail: str
    tell: Callable[[Mapping[str, Any] | Exception | None], None]  # None: it was not asked

    @property
    def body(self) -> str:
        """Return its body."""
        return self.head + self.tail


class Jobs:
    """What runs a chunk; RayProcess does, and tests have one of their own."""

    def run(self, rows: Sequence[Row]) -> AsyncGenerator[tuple[int, Mapping[str, Any]]]:
        """Yield (id, what was said) for every row. Raises JobDied."""
        raise NotImplementedError

    async def stop_sending(self) -> None:
        """Ask nothing again."""

    async def end(self) -> None:
        """Leave no process behind."""


class JobDied(Exception):
    """Say in one line why a job died."""


class RaySession:
    """Collect requests to chunks, and run one chunk after another.

    start: makes what runs jobs; it is made anew after a job that died, for Ray's own state may be gone.
    """

    def __init__(self, options: Ray, form: ServerForm | TokenForm, start: Callable[[], Any]) -> None:
        self.faults: Counter[str] = Counter()
        self._options = options
        self._form = form
        self._start = start
        self._jobs: Jobs | None = None
        self._waiting: deque[Row] = deque()
        self._asked = asyncio.Event()  # something new was asked
        self._stopping = asyncio.Event()
        self._error: Exception | None = None  # why nothing can be asked any more
        self._count = 0  # rows so far
        self._kept = 0  # answers so far
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start what runs jobs. Raises JudgescaleError."""
        self._jobs = await self._start()
        self._task = asyncio.create_task(self._run_chunks())

    async def close(self) -> None:
        """End what runs jobs, whatever it is at."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._jobs:
            await self._jobs.end()

    def stop_sending(self) -> None:
        """Ask nothing more."""
        self._stopping.set()

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed, each a row of its own."""
        came: asyncio.Queue[tuple[int, Mapping[str, Any] | Exception | None]] = asyncio.Queue()
        try:
            head, tails = self._form.write(request, sampling, seeds)
        except TemplateRefusal as refusal:
            self.faults["unfit prompt"] += 1
            for i in range(len(seeds)):
                yield i, Output(finish="failed", error=str(refusal), shared=i > 0)
            return
        if self._error:
            raise self._error
        rows = []
        for i, tail in enumerate(tails):
            rows.append(Row(self._count, head, tail, lambda said, i=i: came.put_nowait((i, said))))  # type: ignore[misc]
            self._count += 1
        self._waiting.extend(rows)
        self._asked.set()
        for _ in seeds:
            i, said = await came.get()
            if isinstance(said, Exception):
                raise said
            if said is None:
                yield i, Output(finish="failed", error="not asked: the run was stopped")
                continue
            try:
                output = self._form.read(request, sampling, said, self.faults)
            except JudgescaleError as error:
                self._error = self._error or error
                raise
            yield i, output._replace(shared=i > 0)

    async def _run_chunks(self) -> None:
        """Run chunks for as long as the session is open; an error is told to all who wait, and to who asks later."""
        told = asyncio.create_task(self._tell_stop())
        try:
            while True:
                await self._wait_for_chunk()
                await self._run_chunk([self._waiting.popleft() for _ in range(min(self._chunk, len(self._waiting)))])
        except Exception as error:  # also one that is a bug: nobody may wait for ever
            self._error = error
            while self._waiting:
                self._waiting.popleft().tell(error)
        finally:
            told.cancel()

    @property
    def _chunk(self) -> int:
        return self._options.chunk

    async def _tell_stop(self) -> None:
        """Tell what runs jobs that the run was stopped, and those who wait for their turn that it will not come."""
        await self._stopping.wait()
        if self._jobs:
            await self._jobs.stop_sending()
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft().tell(None)

    async def _wait_for_chunk(self) -> None:
        """Wait until there are rows for a whole chunk, or nothing new was asked for a while."""
        while True:
            self._asked.clear()
            if self._stopping.is_set():
                self._drop_waiting()
            if len(self._waiting) >= self._chunk:
                return
            try:
                await asyncio.wait_for(self._asked.wait(), self._options.wait if self._waiting else None)
            except TimeoutError:
                return

    async def _run_chunk(self, rows: Sequence[Row]) -> None:
        """Run jobs until every row has its answer. Raises JudgescaleError where too many of them die.

        A job that dies before anything was ever answered is not tried again: something is wrong with the options.
        """
        lacking = {row.id: row for row in rows}
        try:
            for attempt in range(self._options.retries + 1):
                if self._stopping.is_set():
                    return
                try:
                    if self._jobs is None:
                        self._jobs = await self._start()
                    async with contextlib.aclosing(self._jobs.run(list(lacking.values()))) as answers:
                        async for number, said in answers:
                            if row := lacking.pop(number, None):
                                row.tell(said)
                                self._kept += 1
                    if not lacking:
                        return
                    raise JobDied(f"the job ended, and {len(lacking)} of its rows have no answer")
                except JobDied as died:
                    self.faults["job died"] += 1
                    if self._jobs:
                        await self._jobs.end()
                        self._jobs = None
                    if self._stopping.is_set():
                        return
                    if attempt == self._options.retries or not self._kept:
                        raise self._explain(died, attempt + 1, len(lacking)) from died
        except Exception as error:
            for row in lacking.values():
                row.tell(error)
            lacking.clear()
            raise
        finally:
            for row in lacking.values():
                row.tell(None)

    def _explain(self, died: JobDied, jobs: int, lacking: int) -> JudgescaleError:
        """Explain that a chunk was given up: the first cause, what is kept, and what to do."""
        times = "the job" if jobs == 1 else f"{jobs} jobs in a row"
        return JudgescaleError(
            f"engine=ray: {times} died: {died}; {self._kept} answers came and are kept, {lacking} of this chunk lack:"
            f" mend the cause and run the same command again (see {self._options.log or 'the log'})"
        )
