"""How probable each verdict is: the model's next-token distribution over the labels, nothing sampled is read.

TokenProb is a baseline of arXiv 2504.02495; the expected rating is G-Eval's (arXiv 2303.16634).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.direct import labels
from judgescale.harness.judges.prompt import ANY, LETTERS, Prompted
from judgescale.harness.judges.reading import side_by_side
from judgescale.harness.types import Item, JudgescaleError, Output, Request


@dataclass(frozen=True)
class TokenProb(Prompted):
    """mode "verdict": the probabilities of direct's labels. "expected": each response's mean rating from 1 to `best`.

    Probabilities are renormalised over the labels. A lone response's judgment says how likely it has an error.
    """

    format: ClassVar[str] = "token_prob"
    span: ClassVar[tuple[int, int]] = (1, len(LETTERS))
    mode: str = "verdict"
    best: int = 5

    def __post_init__(self) -> None:
        if self.mode not in ("verdict", "expected"):
            raise JudgescaleError(f"judge.mode={self.mode}: choose verdict or expected")
        if self.best not in range(2, 10):
            raise JudgescaleError(f"judge.best={self.best}: the best rating is one digit, 2 to 9")
        if self.thinking:
            raise JudgescaleError("judge.thinking=true: token_prob reads the first token, before any thought")
        super().__post_init__()
        if self._expected and super().widths()[0] > 1:
            raise JudgescaleError(f"judge.template={self.template}: mode=expected needs one that shows one response")

    @property
    def ours(self) -> str:
        return "rating.jinja" if self._expected else "direct.jinja"

    @property
    def _expected(self) -> bool:
        return self.mode == "expected"

    def variables(self) -> Mapping[str, Any]:
        return {"best": self.best}

    def widths(self) -> tuple[int, int]:
        return (1, ANY) if self._expected else super().widths()

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        seen = [(i,) for i in shown] if self._expected else [shown]
        named = self._labels(len(shown))
        return tuple(self.ask(item, one, pattern="|".join(named), labels=named) for one in seen)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        read = side_by_side(probabilities(output, self._labels(len(shown))) for output in outputs)
        if read.scores is None:
            return read
        if not self._expected:
            return Reading("ok", read.scores[: len(shown)])
        rows = [read.scores[i : i + self.best] for i in range(0, len(read.scores), self.best)]
        scores = tuple(sum(rating * p for rating, p in enumerate(row, 1)) for row in rows)
        return Reading("ok", scores if len(shown) > 1 else ((self.best - scores[0]) / (self.best - 1),))

    def _labels(self, n: int) -> tuple[str, ...]:
        return tuple(str(rating) for rating in range(1, self.best + 1)) if self._expected else labels(n)


def probabilities(output: Output, named: Sequence[str]) -> Reading:
    """The labels' probabilities, summing to 1; a label without one counts as impossible, all of them as unparsed."""
    if output.finish in ("refused", "failed"):
        return Reading(output.finish)
    logs = [(output.logprobs or {}).get(label, -math.inf) for label in named]
    highest = max(logs)
    if not math.isfinite(highest) or any(math.isnan(log) for log in logs):
        return Reading("unparsed")
    weights = [math.exp(log - highest) for log in logs]
    return Reading("ok", tuple(weight / sum(weights) for weight in weights))
