"""Ask a process reward model: its head scores every step of a response, and a rule makes one score of them.

The rules are those of recorded step scores (stats/steps.py; RewardMATH, arXiv 2410.01729).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from judgescale.harness.contracts import Judge, Reading
from judgescale.harness.judges.prompt import UNLIMITED, read_conversation
from judgescale.harness.judges.untrusted import break_tag
from judgescale.harness.stats.steps import RULES
from judgescale.harness.types import Item, JudgescaleError, Output, Request


@dataclass(frozen=True)
class Process(Judge):
    r"""Make one request a response, whose steps end in the tag that the model was trained with.

    `steps` names the rule by which the step scores make the response's score. The judgment keeps them, so that a
    recorded set of it can be read under another rule. In `step_separator` and `step_tag`, `\n` stands for a line break
    and `\t` for a tab, which a command line cannot say.
    """

    format: ClassVar[str] = "process"
    step_separator: str = "\n\n"
    step_tag: str = "<extra_0>"
    steps: str = "prod"
    good_label: int = field(default=1, metadata={"least": 0})

    def __post_init__(self) -> None:
        if self.steps not in RULES:
            raise JudgescaleError(f"judge.steps={self.steps}: choose {', '.join(RULES)}")
        for option, text, what in (
            ("step_separator", self.step_separator, r"say what stands between two steps, as in \n\n"),
            ("step_tag", self.step_tag, "say what the model was trained to read after each step, as in <extra_0>"),
        ):
            if not text:
                raise JudgescaleError(f"judge.{option} is empty: {what}")

    def widths(self) -> tuple[int, int]:
        """Return 2 and no limit: a reward alone says nothing on a scale of 0 to 1."""
        return (2, UNLIMITED)

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write one request a response: the conversation, then the response with a tag after each of its steps."""
        tag = _read_escapes(self.step_tag)
        turns = tuple((role, break_tag(content, tag)) for role, content in read_conversation(item))
        return tuple(self._write_request(turns, item.texts[i], tag) for i in shown)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read one score a response; unparsed where an answer has not one probability for every step."""
        scores, steps = [], []
        for i, output in zip(shown, outputs, strict=True):
            if output.finish in ("refused", "failed"):
                return Reading(output.finish)
            found = output.steps or ()
            if len(found) != len(self._split(item.texts[i])) or not all(0 <= p <= 1 for p in found):
                return Reading("unparsed")
            scores.append(float(RULES[self.steps](found)))
            steps.append(found)
        return Reading("ok", tuple(scores), tuple(steps))

    def _split(self, text: str) -> list[str]:
        """Split a response into its steps, without the space around them; one that says nothing is one empty step."""
        steps = [step.strip() for step in text.split(_read_escapes(self.step_separator))]
        return [step for step in steps if step] or [""]

    def _write_request(self, turns: tuple[tuple[str, str], ...], text: str, tag: str) -> Request:
        """Write the request of one response."""
        said, marks = "", []
        for step in self._split(text):
            said += break_tag(step, tag)
            marks.append((len(said), len(said) + len(tag)))
            said += tag
        return Request((*turns, ("assistant", said)), kind="steps", marks=tuple(marks), good_label=self.good_label)


def _read_escapes(text: str) -> str:
    r"""Return the text with line breaks and tabs for `\n` and `\t`."""
    return text.replace(r"\n", "\n").replace(r"\t", "\t")
