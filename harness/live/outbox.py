"""Write the answers that arrive in one moment together: one by one, the store would take longer than the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from judgescale.harness.live.meter import Meter
from judgescale.harness.store import Question, Store
from judgescale.harness.types import JudgescaleError, Output

Answer = tuple[Question, int, Output]
Keep = Callable[[int, Output | JudgescaleError], None]  # is told a rank, and its answer or why it could not be written


@dataclass
class Outbox:
    """Hold answers until the current turn of the event loop ends, then write and commit all of them."""

    store: Store
    meter: Meter
    _answers: list[Answer] = field(default_factory=list)
    _keepers: list[Keep] = field(default_factory=list)

    def add_answer(self, question: Question, rank: int, output: Output, keep: Keep) -> None:
        """Write an answer soon, and then call `keep` with its rank and the one that counts now, or with the error."""
        if not self._answers:
            asyncio.get_running_loop().call_soon(self.write)
        self._answers.append((question, rank, output))
        self._keepers.append(keep)

    def write(self) -> None:
        """Write what is held."""
        held = list(zip(self._answers, self._keepers))
        self._answers, self._keepers = [], []
        if held:
            self._write_all(held)

    def _write_all(self, held: Sequence[tuple[Answer, Keep]]) -> None:
        """Write answers together; where they do not fit together, on a full disk, as many of them as do."""
        try:
            kept = self.store.add_answers([answer for answer, _ in held])
            self.store.flush()
        except JudgescaleError as error:
            self.meter.stopped = self.meter.stopped or error  # what cannot be kept must not be bought
            if len(held) == 1:
                ((_, rank, _), keep) = held[0]
                keep(rank, error)
                return
            for half in (held[: len(held) // 2], held[len(held) // 2 :]):  # these are paid for
                self._write_all(half)
            return
        self.meter.bought += len(held)
        for ((_, rank, _), keep), output in zip(held, kept, strict=True):
            keep(rank, output)
