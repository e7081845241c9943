"""An LLMBar evaluator's result.json: <Subset>/evaluators/<Judge>/<Prompt>/result.json, two orders an item.

The last entry of `results` is the final verdict of both orders ("swap = False", "swap = True"); its winner already
names the item's output, "1" or "2", whatever was shown first. No winner is unparsed. The judge is called
Judge/Prompt, as LLMBar calls an evaluator, so that two prompts of one model are never pooled as samples of one judge.
A rating evaluator's file names a winner too, also where its two ratings are equal or unreadable: the response shown
second, in both orders, which is right in one of them. The file's winner is kept, so that its statistics come out.
Item: Subset/number of the record (from 0), as in dataset.json.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judgescale.harness.recorded.source import Imported, Row, Source, need, text_key, wrong
from judgescale.harness.types import Judgment, Record

SUMMARY = "LLMBar: evaluators' result.json files, two orders an item"
EXAMPLE = "import llmbar Natural/evaluators/*/*/result.json --out llmbar.parquet"
TASKS = ("llmbar",)
NAMED_BY_PATH = True  # two files may well hold the same verdicts about different things

ORDERS = {"swap = False": (0, 1), "swap = True": (1, 0)}
WINNERS = {"1": (1.0, 0.0), "2": (0.0, 1.0)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subset", help="the subset, where the path does not say it (Natural, Neighbor, …)")
    parser.add_argument("--variant", help="the evaluator's prompt, where the path does not say it (Vanilla, CoT, …)")


def recognises(source: Source) -> bool:
    return {"input", "output_1", "output_2", "label", "results"} <= set(source.first())


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    named = [_names(source, options) for source in sources]
    return Imported(rows=_rows(sources, named), tasks=TASKS)


def _names(source: Source, options: argparse.Namespace) -> tuple[str, str]:
    """The file's subset and evaluator."""
    path = source.path.absolute().as_posix()
    found = re.search(r"([^/]+)/evaluators/([^/]+)/([^/]+)/result\.json(\.gz)?$", path)
    subset = options.subset or (found.group(1) if found else None)
    judge = options.judge or (found.group(2) if found else None)
    variant = options.variant or (found.group(3) if found else None)
    if subset is None or judge is None:
        missing = " and ".join(f"--{k}" for k, v in (("subset", subset), ("judge", judge)) if v is None)
        wrong(
            source,
            None,
            None,
            "the path is not …/<Subset>/evaluators/<Judge>/<Prompt>/result.json, so it does not say which items and "
            f"whose verdicts these are; give {missing}",
        )
    return subset, f"{judge}/{variant}" if variant else judge


def _rows(sources: Sequence[Source], named: Sequence[tuple[str, str]]) -> Iterator[Row]:
    inputs: dict[str, tuple[str, Source, int]] = {}
    for source, (subset, judge) in zip(sources, named, strict=True):
        for index, (number, row) in enumerate(source.objects()):
            label = str(need(source, number, row, "label", int, str))
            if label not in WINNERS:
                wrong(source, number, "label", f"{label!r} is neither 1 nor 2")
            prompt = f"{subset}/{index}"
            key = text_key(*(str(row.get(field)) for field in ("input", "output_1", "output_2")))
            known = inputs.setdefault(prompt, (key, source, number))
            if known[0] != key:
                wrong(
                    source, number, "input", f"is not the item at this place in {known[1].path}: not the same dataset"
                )
            results = need(source, number, row, "results", list)
            if not results or not isinstance(results[-1], dict):
                wrong(source, number, "results", "does not end with the verdicts of both orders")
            for order, shown in ORDERS.items():
                if order not in results[-1]:
                    wrong(source, number, "results", f"the last entry has no {order!r}")
                judgment = _judgment(source, number, judge, shown, results[-1], order)
                yield Row(
                    Record(
                        prompt=prompt,
                        cluster=prompt,
                        subset=subset,
                        responses=("1", "2"),
                        gold=WINNERS[label],
                        judgment=judgment,
                    ),
                    source,
                    number,
                )


def _judgment(
    source: Source, number: int, judge: str, shown: tuple[int, int], final: Mapping[str, Any], order: str
) -> Judgment:
    verdict = final[order]
    if not isinstance(verdict, dict) or "winner" not in verdict:
        wrong(source, number, "results", f"{order!r} has no winner")
    winner = verdict["winner"]
    if winner is not None and str(winner) not in WINNERS:
        wrong(source, number, "winner", f"{winner!r} is none of '1', '2' and null")
    scores = None if winner is None else WINNERS[str(winner)]
    completion = verdict.get("completion")
    chars = len(completion[0]) if isinstance(completion, list) and completion and completion[0] else None
    in_order = None if scores is None else tuple(scores[i] for i in shown)
    return Judgment(
        judge=judge, shown=shown, scores=in_order, status="unparsed" if in_order is None else "ok", chars=chars
    )
