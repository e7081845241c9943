"""Pointwise scores in words: principles, a critique, then one integer a response (DeepSeek-GRM, arXiv 2504.02495)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.prompt import ANY, Prompted, shown_texts
from judgescale.harness.judges.reading import read_verdict, side_by_side, whole_number
from judgescale.harness.types import Item, JudgescaleError, Output, Request


@dataclass(frozen=True)
class Pointwise(Prompted):
    r"""1, 2 or n responses; the last `\boxed{a, b, …}` holds one whole number each, clamped to the scale.

    A lone response's judgment says how likely it has an error: its score, turned round and brought to [0, 1].
    `missing` stands for the score of a response whose own answer (`each`) could not be read, where another's could.
    """

    format: ClassVar[str] = "pointwise"
    span: ClassVar[tuple[int, int]] = (1, ANY)
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
        if self.each and super().widths()[0] > 1:
            raise JudgescaleError(f"judge.template={self.template}: judge.each=true needs one that shows one response")

    @property
    def bounds(self) -> tuple[int, int]:
        low, high = self.scale.split("-")
        return int(low), int(high)

    def variables(self) -> Mapping[str, Any]:
        low, high = self.bounds
        return {"low": low, "high": high, "verdict_only": self.verdict_only}

    def widths(self) -> tuple[int, int]:
        return self.span if self.each else super().widths()

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        return tuple(self.ask(item, seen, pattern=self._pattern(len(seen))) for seen in self._seen(shown))

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        reading = side_by_side(
            self._filled([self._read(item, seen, output) for seen, output in zip(self._seen(shown), outputs)])
        )
        if len(shown) > 1 or reading.scores is None:
            return reading
        low, high = self.bounds
        return Reading("ok", ((high - reading.scores[0]) / (high - low),))

    def _filled(self, readings: list[Reading]) -> list[Reading]:
        """With `missing` for what could not be read; what failed is no answer, and will be asked for again."""
        statuses = {reading.status for reading in readings}
        if self.missing is None or "ok" not in statuses or "failed" in statuses:
            return readings
        return [reading if reading.status == "ok" else Reading("ok", (float(self.missing),)) for reading in readings]

    def _seen(self, shown: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [(i,) for i in shown] if self.each else [shown]

    def _pattern(self, n: int) -> str | None:
        low, high = self.bounds
        number = "(" + "|".join(str(score) for score in range(high, low - 1, -1)) + ")"
        return r"\\boxed\{" + ", ".join([number] * n) + r"\}" if self.verdict_only else None

    def _read(self, item: Item, seen: tuple[int, ...], output: Output) -> Reading:
        texts = shown_texts(item, seen)
        return read_verdict(output, self.thinking, lambda content: self._scores(content, len(seen)), texts)

    def _scores(self, content: str, n: int) -> tuple[float, ...] | None:
        numbers = [whole_number(part) for part in content.split(",")]
        low, high = self.bounds
        inside = tuple(float(min(max(number, low), high)) for number in numbers if number is not None)
        return inside if len(inside) == len(numbers) == n else None
