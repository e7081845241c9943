"""Ask which of two responses is better, after a rubric or a solution of the judge's own (RM-R1, arXiv 2505.02387)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.choice import parse_choice
from judgescale.harness.judges.prompt import PromptedJudge, list_untrusted_texts
from judgescale.harness.judges.reading import Marker, read_verdict
from judgescale.harness.types import Item, Output, Request

ANSWER = re.compile(r"(?:<answer>\s*+)?\[\[([^\[\]]{0,40})\]\](?:\s*+</answer>)?")


@dataclass(frozen=True)
class Rubric(PromptedJudge):
    """Take the winner from the last `[[A]]` or `[[B]]`, with `<answer>` tags around it or without.

    A box is no verdict here: the judge solves the query itself, and may box its own solution. With `guided`, the
    template says how to get there: the kind of task, a rubric or a solution, and the comparison, each between tags.
    """

    format: ClassVar[str] = "rubric"
    span: ClassVar[tuple[int, int]] = (2, 2)
    guided: bool = True

    @property
    def variables(self) -> Mapping[str, Any]:
        """Return the template's `guided`."""
        return {"guided": self.guided}

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request that shows both responses."""
        return (self.write_request(item, shown),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the winner: 1 for it, 0 for the other."""
        return read_verdict(
            outputs[0], self.thinking, parse_letter, list_untrusted_texts(item, shown), find_bracketed_answers
        )


def find_bracketed_answers(text: str) -> Iterator[Marker]:
    """Find every `[[…]]`, each with the `<answer>` tags around it."""
    for found in ANSWER.finditer(text):
        yield Marker(found[1], found.start(), found.end())


def parse_letter(content: str) -> tuple[float, ...] | None:
    """Return one-hot scores for A or B, and None for anything else, numbers too."""
    return parse_choice(content, 2) if content.isalpha() else None
