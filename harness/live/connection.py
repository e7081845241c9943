"""The way to an engine: opened with the first request, and given no more of them than keep it busy."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from judgescale.harness.contracts import Engine, EngineSession
from judgescale.harness.live.kept import open_engine
from judgescale.harness.store import encode_canonical
from judgescale.harness.types import JudgescaleError


@dataclass
class Connection:
    """Open an engine once for all who share it. Requests wait here, not inside: a run that is stopped sends no more."""

    engine: Engine
    open_engines: AsyncExitStack  # closes the engine's session when the run ends
    slots: asyncio.Semaphore = field(init=False)
    session: EngineSession | None = None
    _opening: asyncio.Future[EngineSession] | None = None
    _stopped: bool = False

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.engine.window)

    async def start(self) -> EngineSession:
        """Return the engine's session, opening it with the first call; one that cannot be opened is not tried again."""
        if self.session is None:
            if self._opening is None:
                opening = self.open_engines.enter_async_context(open_engine(self.engine, identify(self.engine)))
                self._opening = asyncio.ensure_future(opening)
            try:
                self.session = await asyncio.shield(self._opening)
            except asyncio.CancelledError:
                if self._stopped:
                    raise JudgescaleError("interrupted") from None
                raise
        return self.session

    def stop_sending(self) -> None:
        """Let the engine ask nothing again, by retries of its own; where it is still starting, end that."""
        self._stopped = True
        if self.session is not None:
            self.engine.stop_sending(self.session)
        elif self._opening is not None:
            self._opening.cancel()

    @property
    def faults(self) -> Counter[str]:
        """Return what went wrong on the way, by kind."""
        return self.session.faults if self.session else Counter()


def identify(engine: Engine) -> str:
    """Write all that may change an engine's answers: engines with equal keys are one."""
    return encode_canonical(
        {"name": engine.name, "model": engine.model, "revision": engine.revision, **engine.identity()}
    )
