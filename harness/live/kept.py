"""Engines that stay open from one run to the next, where runs of one process ask the same model one after the other."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from judgescale.harness.contracts import Engine, EngineSession


class Opened(NamedTuple):
    """Hold an engine that was opened: its session, and what closes it."""

    session: EngineSession
    stack: AsyncExitStack


@dataclass
class KeptEngines:
    """Hold the engines that no run asks at the moment, by their keys, and the loop that all of them live in."""

    runner: asyncio.Runner
    idle: dict[str, Opened] = field(default_factory=dict)

    async def close(self) -> None:
        """Close all of them, the last opened one first."""
        async with AsyncExitStack() as closing:
            for opened in self.idle.values():
                closing.push_async_exit(opened.stack)


KEPT: contextvars.ContextVar[KeptEngines | None] = contextvars.ContextVar("KEPT", default=None)


@contextmanager
def keep_engines_open() -> Iterator[None]:
    """Open each engine once for all runs within: a model is loaded with the first request, and let go at the end.

    Every run still has its own limits, its own bill and its own way to fail.
    """
    with asyncio.Runner() as runner:
        kept = KeptEngines(runner)
        token = KEPT.set(kept)
        try:
            yield
        finally:
            KEPT.reset(token)
            if kept.idle:
                runner.run(kept.close())


def run_in_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, as asyncio.run does; in the loop of the engines that are kept open, if any."""
    kept = KEPT.get()
    if kept is None:
        asyncio.run(work)
    else:
        kept.runner.run(work, context=contextvars.copy_context())


@asynccontextmanager
async def open_engine(engine: Engine, key: str) -> AsyncIterator[EngineSession]:
    """Open an engine for a run, or take the one that an earlier run left open under the same key.

    It is left open in its turn, within `keep_engines_open`, unless the run was stopped: it may ask nothing then.
    """
    kept = KEPT.get()
    if kept is None:
        async with engine.open() as session:
            yield session
        return
    opened = kept.idle.pop(key, None)
    if opened is not None:
        opened.session.faults.clear()  # each run tells its own
    else:
        async with AsyncExitStack() as stack:
            opened = Opened(await stack.enter_async_context(engine.open()), stack.pop_all())
    async with opened.stack as closing:
        yield opened.session
        kept.idle[key] = Opened(opened.session, closing.pop_all())
