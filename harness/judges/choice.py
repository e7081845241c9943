"""Ask for the letter of the best of n responses, as RewardBench 2's generative judges do (arXiv 2506.01937)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import LETTERS, PromptedJudge, list_untrusted_texts
from judgescale.harness.judges.reading import find_boxes_and_brackets, one_hot, read_verdict
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class Choice(PromptedJudge):
    r"""Take the last `[[B]]` for the best response; also `\boxed{B}`, or `\boxed{2}` as in arXiv 2504.02495."""

    format: ClassVar[str] = "choice"
    span: ClassVar[tuple[int, int]] = (2, len(LETTERS))

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request that shows all the responses."""
        return (self.write_request(item, shown),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the choice: 1 for the response that it names, 0 for the others."""
        return read_verdict(
            outputs[0],
            self.thinking,
            lambda content: parse_choice(content, len(shown)),
            list_untrusted_texts(item, shown),
            find_boxes_and_brackets,
        )


def parse_choice(content: str, n: int) -> tuple[float, ...] | None:
    """Return one-hot scores for a letter, or a number counted from 1; None where no response of the n has it."""
    match = re.fullmatch(r"(?:(?:response|assistant) )?([A-Z]|[1-9][0-9]?)", content, re.IGNORECASE | re.ASCII)
    if not match:
        return None
    chosen = int(match[1]) - 1 if match[1].isdigit() else LETTERS.index(match[1].upper())
    return one_hot(n, chosen) if chosen < n else None
