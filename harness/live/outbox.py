"""Write the answers that arrive in one moment together: one by one, the store would take longer than the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from judgescale.harness.live.meter import Meter
from judgescale.harness.store import Question, Store
from judgescale.harness.types import JudgescaleError, Output

Keep = Callable[[int, Output | JudgescaleError], None]  # is told a rank, and its answer or why it could not be written


@dataclass
class Outbox:
    """Hold answers until the current turn of the event loop ends, then write and commit all of them."""

    store: Store
    meter: Meter
    _answers: list[tuple[Question, int, Output]] = field(default_factory=list)
    _keepers: list[Keep] = field(default_factory=list)

    def add_answer(self, question: Question, rank: int, output: Output, keep: Keep) -> None:
        """Write an answer soon, and then call `keep` with its rank and the one that counts now, or with the error."""
        if not self._answers:
            asyncio.get_running_loop().call_soon(self.write)
        self._answers.append((question, rank, output))
        self._keepers.append(keep)

    def write(self) -> None:
        """Write what is held."""
        answers, keepers = self._answers, self._keepers
        self._answers, self._keepers = [], []
        if not answers:
            return
        try:
            kept = self.store.add_answers(answers)
            self.store.flush()
        except JudgescaleError as error:  # the disk is full, say: what cannot be kept must not be bought
            self.meter.stopped = self.meter.stopped or error
            for keep, (_, rank, _) in zip(keepers, answers, strict=True):
                keep(rank, error)
            return
        self.meter.bought += len(answers)
        for keep, (_, rank, _), output in zip(keepers, answers, kept, strict=True):
            keep(rank, output)
