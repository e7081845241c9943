"""Ask for two scores from 1 to 10, each between tags of its own, after a thought (JudgeLRM, arXiv 2504.00050)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import PromptedJudge, list_untrusted_texts
from judgescale.harness.judges.reading import Marker, parse_whole_number, read_verdict
from judgescale.harness.types import Item, Output, Request

TAGGED = re.compile(r"<answer>([^<>]{0,40})</answer>")
LOW, HIGH = 1, 10


@dataclass(frozen=True)
class TaggedScores(PromptedJudge):
    """Score two responses, in the order shown: `<answer>3</answer><answer>5</answer>`, clamped to 1-10."""

    format: ClassVar[str] = "tagged_scores"
    span: ClassVar[tuple[int, int]] = (2, 2)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request that shows both responses."""
        return (self.write_request(item, shown),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the last two scores; equal ones are a tie."""
        return read_verdict(outputs[0], self.thinking, parse_pair, list_untrusted_texts(item, shown), find_score_pairs)


def find_score_pairs(text: str) -> Iterator[Marker]:
    """Find what the tags hold, two after two as "3, 5"; of an odd one out, "": it belongs to nothing."""
    tags = list(TAGGED.finditer(text))
    for first, second in zip(tags[::2], tags[1::2]):
        yield Marker(f"{first[1]}, {second[1]}", first.start(), second.end())
    if len(tags) % 2:
        yield Marker("", tags[-1].start(), tags[-1].end())


def parse_pair(content: str) -> tuple[float, ...] | None:
    """Return two scores clamped to 1-10; None unless the content is two whole numbers."""
    numbers = [parse_whole_number(part) for part in content.split(",")]
    scores = tuple(float(min(max(number, LOW), HIGH)) for number in numbers if number is not None)
    return scores if len(scores) == len(numbers) == 2 else None
