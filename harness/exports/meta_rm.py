"""Rows to train a meta RM: what a judge was asked, what it answered, and whether that was right (arXiv 2504.02495,
section 4). The conversation of a row is what `meta=scalar` sends to a meta RM, so that it is used as it was trained."""

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
from judgescale.harness.judges.meta import ScalarMeta
from judgescale.harness.judges.outcome import is_right
from judgescale.harness.types import Output

SHAPES = ("messages", "unpaired")
UNPARSED = ("wrong", "leave_out")


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the format."""
    add_arguments(parser)
    explain = "messages: one conversation and its label, 0 or 1; unpaired: TRL's prompt, completion and label"
    parser.add_argument("--shape", choices=SHAPES, default=SHAPES[0], help=explain)
    explain = "judgments without a verdict: wrong ones, or left out"
    parser.add_argument("--unparsed", choices=UNPARSED, default=UNPARSED[0], help=explain)


def write(run: FinishedRun, folder: Path, given: argparse.Namespace) -> Sequence[Path]:
    """Write every judgment of a run's arms with its label."""
    return write_arms("meta_rm", run, folder, given, label_judgments)


def label_judgments(run: FinishedRun, arm: ChosenArm, given: argparse.Namespace, counts: Counter[str]) -> Iterator[Row]:
    """Label an arm's judgments, and count the labels and what is left out."""
    for sample in read_samples(run, arm):
        parsed = sample.row["status"] == "ok"
        counts["without a verdict"] += not parsed
        right = is_right(sample.row["scores"], sample.row["gold"])
        if right is None:
            counts["without a single best response"] += 1
        elif parsed or given.unparsed == "wrong":
            counts["right" if right else "wrong"] += 1
            yield write_judgment(arm, sample, right, given.shape)


def write_judgment(arm: ChosenArm, sample: Sample, right: bool, shape: str) -> Row:
    """Write a judgment as a meta RM reads it, its label, and the question that it shares with others."""
    output = Output(sample.text, finish="length" if sample.row["status"] == "truncated" else "stop")
    *asked, answer = [write_turn(role, text) for role, text in ScalarMeta().request(sample.request, output).messages]
    row: Row = {
        "messages": {"messages": [*asked, answer], "label": int(right)},
        "unpaired": {"prompt": asked, "completion": [answer], "label": right},
    }[shape]
    question = f"{sample.item.id} {sorted(sample.row['shown'])}"
    own = {"question": question, "sample": sample.row["sample"], "status": sample.row["status"]}
    return row | own | name_origin(arm, sample.row)


FORMAT = Format("requests, judgments, and whether these are right: for training a meta RM", write, declare)
