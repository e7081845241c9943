"""The best of n responses by its letter, as RewardBench 2's generative judges answer (arXiv 2506.01937)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import LETTERS, Prompted, shown_texts
from judgescale.harness.judges.reading import boxes_and_brackets, one_hot, read_verdict
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class Choice(Prompted):
    r"""The last `[[B]]` names the best response; so does `\boxed{B}`, or `\boxed{2}` as in arXiv 2504.02495."""

    format: ClassVar[str] = "choice"
    span: ClassVar[tuple[int, int]] = (2, len(LETTERS))

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        return (self.ask(item, shown),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        seen = shown_texts(item, shown)
        return read_verdict(outputs[0], self.thinking, lambda said: best(said, len(shown)), seen, boxes_and_brackets)


def best(content: str, n: int) -> tuple[float, ...] | None:
    """One-hot scores for a letter or a number counted from 1; None for one that no response has."""
    named = re.fullmatch(r"(?:(?:response|assistant) )?([A-Z]|[1-9][0-9]?)", content, re.IGNORECASE | re.ASCII)
    if not named:
        return None
    chosen = int(named[1]) - 1 if named[1].isdigit() else LETTERS.index(named[1].upper())
    return one_hot(n, chosen) if chosen < n else None
