"""Ask whether a single response contains an error, with reasoning first (ReaLMistake, arXiv 2404.03602, section 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import PromptedJudge, list_untrusted_texts
from judgescale.harness.judges.reading import read_verdict
from judgescale.harness.types import Item, Output, Request


@dataclass(frozen=True)
class Detection(PromptedJudge):
    r"""Take the verdict from the last box, `\boxed{error}` or `\boxed{no error}`: score 1 or 0."""

    format: ClassVar[str] = "detection"
    span: ClassVar[tuple[int, int]] = (1, 1)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request that shows the response."""
        return (self.write_request(item, shown),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read whether the judge found an error."""
        return read_verdict(outputs[0], self.thinking, parse_error_verdict, list_untrusted_texts(item, shown))


def parse_error_verdict(content: str) -> tuple[float, ...] | None:
    """Return (1,) for "error", (0,) for "no error", and None for anything else; "errors" and "no_error" will do."""
    match = re.fullmatch(r"(no[ _-])?errors?", content, re.IGNORECASE | re.ASCII)
    return (0.0 if match[1] else 1.0,) if match else None
