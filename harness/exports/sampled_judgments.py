"""Rejection-sampled judgments, to fine-tune a judge on its own right ones (arXiv 2504.02495, section 3.2).

Of each question the samples that are right are kept, unless all are: then it is too easy to learn from. Where all are
wrong, nothing is there to keep. (The paper's hinted sampling, which tells the model the answer, is not ours.)
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from judgescale.harness.exports import Format
from judgescale.harness.exports._requests import Sample, read_samples
from judgescale.harness.exports._training import (
    ChosenArm,
    Row,
    add_arguments,
    name_origin,
    write_arms,
    write_turn,
)
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.judges.outcome import is_right
from judgescale.harness.types import JudgescaleError

SHAPES = ("trl", "messages", "openrlhf")
UNPARSED = ("wrong", "leave_out")


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the format."""
    add_arguments(parser)
    explain = "trl: prompt and completion; messages: one list of them; openrlhf: input and output"
    parser.add_argument("--shape", choices=SHAPES, default=SHAPES[0], help=explain)
    explain = "keep at most so many samples of a question, the first ones; all if not said"
    parser.add_argument("--at-most", type=int, metavar="M", help=explain)
    explain = "samples without a verdict: wrong ones, as in the paper, or left out before the rule looks"
    parser.add_argument("--unparsed", choices=UNPARSED, default=UNPARSED[0], help=explain)


def write(run: FinishedRun, folder: Path, given: argparse.Namespace) -> Sequence[Path]:
    """Write the samples that the rule keeps."""
    if given.at_most is not None and given.at_most < 1:
        raise JudgescaleError(f"--at-most {given.at_most}: keep at least one sample of a question")
    return write_arms("sampled_judgments", run, folder, given, make_rows)


def make_rows(run: FinishedRun, arm: ChosenArm, given: argparse.Namespace, counts: Counter[str]) -> list[Row]:
    """Make the rows of one arm."""
    return [write_sample(arm, sample, given.shape) for sample in keep_samples(run, arm, given, counts)]


def keep_samples(run: FinishedRun, arm: ChosenArm, given: argparse.Namespace, counts: Counter[str]) -> Iterator[Sample]:
    """Keep the samples that the rule keeps, question by question, and count what becomes of the others.

    A question is the responses that were shown, in whatever order.
    """
    questions: dict[tuple[str, frozenset[int]], list[Sample]] = {}
    for sample in read_samples(run, arm):
        counts["samples"] += 1
        counts["without a verdict"] += sample.row["status"] != "ok"
        if sample.row["status"] == "ok" or given.unparsed == "wrong":
            questions.setdefault((sample.item.id, frozenset(sample.row["shown"])), []).append(sample)
    for of_question in questions.values():
        counts["questions"] += 1
        right = [is_right(sample.row["scores"], sample.row["gold"]) for sample in of_question]
        if right[0] is None:
            counts["questions without a single best response"] += 1
        elif all(right):
            counts["questions all right"] += 1
        elif not any(right):
            counts["questions all wrong"] += 1
        else:
            yield from drop_repeated([s for s, is_kept in zip(of_question, right) if is_kept], given.at_most, counts)


def drop_repeated(samples: Sequence[Sample], at_most: int | None, counts: Counter[str]) -> list[Sample]:
    """Drop what says the same again to the same request, and what is beyond the most of a question."""
    once = list({(sample.request, sample.text): sample for sample in reversed(samples)}.values())[::-1]
    counts["said before"] += len(samples) - len(once)
    kept = once[:at_most]
    counts["beyond --at-most"] += len(once) - len(kept)
    return kept


def write_sample(arm: ChosenArm, sample: Sample, shape: str) -> Row:
    """Write a sample in the shape of a trainer, with where it comes from."""
    asked = [write_turn(role, content) for role, content in sample.request.messages]
    answer = [write_turn("assistant", sample.text)]
    row: Row = {
        "trl": {"prompt": asked, "completion": answer},
        "messages": {"messages": asked + answer},
        "openrlhf": {"input": asked, "output": answer},
    }[shape]
    own = {name: sample.row[name] for name in ("sample", "shown", "scores", "gold")}
    return row | own | name_origin(arm, sample.row)


FORMAT = Format("a judge's right judgments of what it judged both ways: for fine-tuning it", write, declare)
