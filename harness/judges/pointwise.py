"""Ask for principles, a critique, then one whole number a response (DeepSeek-GRM, arXiv 2504.02495)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import UNLIMITED, PromptedJudge, list_untrusted_texts
from judgescale.harness.judges.reading import combine_readings, parse_whole_number, read_verdict
from judgescale.harness.types import Item, JudgescaleError, Output, Request


@dataclass(frozen=True)
class Pointwise(PromptedJudge):
    r"""Score 1, 2 or n responses: the last `\boxed{a, b, …}` holds one whole number each, clamped to the scale.

    Shown a single response, the judgment says how likely it has an error: its score, reversed and scaled to [0, 1].
    With `each`, every response has a request of its own; `missing` then stands for the score of a response whose
    answer could not be read, provided that another's could. It is no score that an answer can give, so that the two
    can be told apart.
    """

    format: ClassVar[str] = "pointwise"
    span: ClassVar[tuple[int, int]] = (1, UNLIMITED)
    scale: str = "1-10"
    each: bool = False
    missing: float | None = None
    verdict_only: bool = False

    def __post_init__(self) -> None:
        if not (bounds := re.fullmatch(r"(\d{1,3})-(\d{1,3})", str(self.scale))) or int(bounds[1]) >= int(bounds[2]):
            raise JudgescaleError(f"judge.scale={self.scale}: write the lowest and the highest score, as in 1-10")
        super().__post_init__()
        if self.verdict_only and self.thinking:
            raise JudgescaleError("judge.verdict_only=true leaves no room for thoughts: set judge.thinking=false")
        if self.missing is not None and not self.each:
            raise JudgescaleError(f"judge.missing={self.missing}: needs judge.each=true, an answer a response")
        if self.missing is not None and not self._is_no_score(self.missing):
            raise JudgescaleError(
                f"judge.missing={self.missing:g}: must be a number that no answer can give, outside judge.scale="
                f"{self.scale} or between two scores, so that an unreadable answer does not pass for a read one"
            )
        if self.each and super().widths()[0] > 1:
            raise JudgescaleError(f"judge.template={self.template}: judge.each=true needs one that shows one response")

    @property
    def bounds(self) -> tuple[int, int]:
        """Return the lowest and the highest score of the scale."""
        low, high = self.scale.split("-")
        return int(low), int(high)

    @property
    def variables(self) -> Mapping[str, Any]:
        """Return the template's `low`, `high` and `verdict_only`."""
        low, high = self.bounds
        return {"low": low, "high": high, "verdict_only": self.verdict_only}

    def widths(self) -> tuple[int, int]:
        """Return how many responses the templates show; with `each`, a judgment takes as many as there are."""
        return self.span if self.each else super().widths()

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request that shows all the responses; with `each`, one request a response."""
        return tuple(
            self.write_request(item, group, pattern=self._write_pattern(len(group))) for group in self._split(shown)
        )

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the scores; for a single response, how likely it has an error, 0 to 1."""
        readings = [self._read_one(item, group, output) for group, output in zip(self._split(shown), outputs)]
        reading = combine_readings(self._fill_missing(readings))
        if len(shown) > 1 or reading.scores is None:
            return reading
        low, high = self.bounds
        return Reading("ok", ((high - reading.scores[0]) / (high - low),))

    def _is_no_score(self, number: float) -> bool:
        """Tell whether no answer can give a number as its score; what is not finite cannot stand for a score at all."""
        low, high = self.bounds
        return math.isfinite(number) and (number != int(number) or not low <= number <= high)

    def _split(self, shown: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the responses of each request."""
        return [(i,) for i in shown] if self.each else [shown]

    def _write_pattern(self, n: int) -> str | None:
        """Write the regular expression of a bare verdict on n responses; None where reasoning comes before it."""
        low, high = self.bounds
        number = "(" + "|".join(str(score) for score in range(high, low - 1, -1)) + ")"
        return r"\\boxed\{" + ", ".join([number] * n) + r"\}" if self.verdict_only else None

    def _read_one(self, item: Item, group: tuple[int, ...], output: Output) -> Reading:
        texts = list_untrusted_texts(item, group)
        return read_verdict(output, self.thinking, lambda content: self._parse_scores(content, len(group)), texts)

    def _parse_scores(self, content: str, n: int) -> tuple[float, ...] | None:
        """Return n scores clamped to the scale; None unless the content is n whole numbers."""
        numbers = [parse_whole_number(part) for part in re.split("[,，]", content)]
        low, high = self.bounds
        scores = tuple(float(min(max(number, low), high)) for number in numbers if number is not None)
        return scores if len(scores) == len(numbers) == n else None

    def _fill_missing(self, readings: list[Reading]) -> list[Reading]:
        """Put `missing` in the place of unreadable answers, unless a request failed: that is asked for again."""
        statuses = {reading.status for reading in readings}
        if self.missing is None or "ok" not in statuses or "failed" in statuses:
            return readings
        return [reading if reading.status == "ok" else Reading("ok", (float(self.missing),)) for reading in readings]
