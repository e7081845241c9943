"""Read how probable each verdict is from the next token's distribution over the labels; no sampled text is read.

TokenProb is a baseline of arXiv 2504.02495; the expected rating is G-Eval's (arXiv 2303.16634).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from judgescale.harness.contracts import Reading
from judgescale.harness.judges.direct import list_labels
from judgescale.harness.judges.prompt import LETTERS, UNLIMITED, PromptedJudge
from judgescale.harness.judges.reading import combine_readings
from judgescale.harness.types import Item, JudgescaleError, Output, Request


@dataclass(frozen=True)
class TokenProb(PromptedJudge):
    """Score responses by probabilities, renormalised over the labels.

    mode "verdict": one request, the probability of each label of judge=direct. mode "expected": one request a
    response, its mean rating from 1 to `best`. Shown a single response, the judgment says how likely it has an error.
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
        if self._is_rating and super().widths()[0] > 1:
            raise JudgescaleError(f"judge.template={self.template}: mode=expected needs one that shows one response")

    @property
    def default_template(self) -> str:
        """Return the template of the mode."""
        return "rating.jinja" if self._is_rating else "direct.jinja"

    @property
    def variables(self) -> Mapping[str, Any]:
        """Return the template's `best`."""
        return {"best": self.best}

    def widths(self) -> tuple[int, int]:
        """Return how many responses the templates show; ratings are asked for one by one, as many as there are."""
        return (1, UNLIMITED) if self._is_rating else super().widths()

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Ask for the labels' log-probabilities: in one request, or with mode "expected" in one request a response."""
        groups = [(i,) for i in shown] if self._is_rating else [shown]
        labels = self._list_labels(len(shown))
        return tuple(self.write_request(item, group, pattern="|".join(labels), labels=labels) for group in groups)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the probabilities, or the mean ratings; for a single response, how likely it has an error, 0 to 1."""
        reading = combine_readings(read_probabilities(output, self._list_labels(len(shown))) for output in outputs)
        if reading.scores is None:
            return reading
        if not self._is_rating:
            return Reading("ok", reading.scores[: len(shown)])
        rows = [reading.scores[i : i + self.best] for i in range(0, len(reading.scores), self.best)]
        scores = tuple(sum(rating * p for rating, p in enumerate(row, 1)) for row in rows)
        return Reading("ok", scores if len(shown) > 1 else ((self.best - scores[0]) / (self.best - 1),))

    @property
    def _is_rating(self) -> bool:
        return self.mode == "expected"

    def _list_labels(self, n: int) -> tuple[str, ...]:
        """List the answers whose probabilities are wanted, for n responses."""
        return tuple(str(rating) for rating in range(1, self.best + 1)) if self._is_rating else list_labels(n)


def read_probabilities(output: Output, labels: Sequence[str]) -> Reading:
    """Return the labels' probabilities, summing to 1; unparsed where the engine reports none of them.

    A label that the engine does not report counts as impossible.
    """
    if output.finish in ("refused", "failed"):
        return Reading(output.finish)
    logs = [(output.logprobs or {}).get(label, -math.inf) for label in labels]
    highest = max(logs)
    if not math.isfinite(highest) or any(math.isnan(log) for log in logs):
        return Reading("unparsed")
    weights = [math.exp(log - highest) for log in logs]
    return Reading("ok", tuple(weight / sum(weights) for weight in weights))
