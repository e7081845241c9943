"""An LLMBar evaluator's result.json: <Subset>/evaluators/<Judge>/<Prompt>/result.json, two orders an item.

The last entry of `results` is the final verdict of both orders ("swap = False", "swap = True"); its winner already
names the item's output, "1" or "2", whatever was shown first. No winner is unparsed. The judge is called
Judge/Prompt, as LLMBar calls an evaluator, so that two prompts of one model are never pooled as samples of one judge.
A rating evaluator's file names a winner too, also where its two ratings are equal or unreadable: the response shown
second, in both orders, which is right in one of them. The file's winner is kept, so that its statistics come out.
Item: Subset/number of the record (from 0), as in dataset.json.

Example row:
  {"input": "Sum up.", "output_1": "Short.", "output_2": "Long.", "label": 2, "results": [
   {"swap = False": {"completion": ["Output (b)"], "winner": "2"}, "swap = True": {"winner": null}}]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, hash_texts, reject
from judgescale.harness.types import Judgment, Record

ORDERS = {"swap = False": (0, 1), "swap = True": (1, 0)}
WINNERS = {"1": (1.0, 0.0), "2": (0.0, 1.0)}


def recognises(source: Source) -> bool:
    """Tell whether a file's first record is an item with an evaluator's results."""
    return {"input", "output_1", "output_2", "label", "results"} <= set(source.peek())


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read both orders of every item."""
    return Imported(_read_records(sources, [_read_path(source, options) for source in sources]))


def _read_path(source: Source, options: Options) -> tuple[str, str]:
    """Return a file's subset and evaluator, from the options or the path."""
    path = source.path.absolute().as_posix()
    found = re.search(r"([^/]+)/evaluators/([^/]+)/([^/]+)/result\.json(\.gz)?$", path)
    subset = options["subset"] or (found.group(1) if found else None)
    judge = options["judge"] or (found.group(2) if found else None)
    variant = options["variant"] or (found.group(3) if found else None)
    if subset is None or judge is None:
        missing = " and ".join(f"--{k}" for k, v in (("subset", subset), ("judge", judge)) if v is None)
        reject(
            source,
            None,
            None,
            "the path is not …/<Subset>/evaluators/<Judge>/<Prompt>/result.json, so it does not say which items and "
            f"whose verdicts these are; give {missing}",
        )
    return subset, f"{judge}/{variant}" if variant else judge


def _read_records(sources: Sequence[Source], named: Sequence[tuple[str, str]]) -> Iterator[ImportedRecord]:
    items: dict[str, tuple[str, Source]] = {}
    for source, (subset, judge) in zip(sources, named, strict=True):
        for index, row in enumerate(source.read_objects()):
            yield from _read_item(row, f"{subset}/{index}", subset, judge, items)


def _read_item(
    row: SourceRow, prompt: str, subset: str, judge: str, items: dict[str, tuple[str, Source]]
) -> Iterator[ImportedRecord]:
    label = str(row.need("label", int, str))
    if label not in WINNERS:
        row.reject("label", f"{label!r} is neither 1 nor 2")
    _check_same_item(row, prompt, items)
    results = row.need("results", list)
    if not results or not isinstance(results[-1], dict):
        row.reject("results", "does not end with the verdicts of both orders")
    for order in ORDERS:
        record = Record(
            prompt=prompt,
            cluster=prompt,
            subset=subset,
            responses=("1", "2"),
            gold=WINNERS[label],
            judgment=_read_judgment(row, results[-1], order, judge),
        )
        yield ImportedRecord(record, row)


def _check_same_item(row: SourceRow, prompt: str, items: dict[str, tuple[str, Source]]) -> None:
    """Reject an item whose texts differ from those that an earlier file has at its place: items have no ids."""
    key = hash_texts(*(str(row.get(field)) for field in ("input", "output_1", "output_2")))
    known, earlier = items.setdefault(prompt, (key, row.source))
    if known != key:
        row.reject("input", f"is not the item at this place in {earlier.path}: not the same dataset")


def _read_judgment(row: SourceRow, final: Mapping[str, Any], order: str, judge: str) -> Judgment:
    if order not in final:
        row.reject("results", f"the last entry has no {order!r}")
    verdict, shown = final[order], ORDERS[order]
    if not isinstance(verdict, dict) or "winner" not in verdict:
        row.reject("results", f"{order!r} has no winner")
    winner = verdict["winner"]
    if winner is not None and str(winner) not in WINNERS:
        row.reject("winner", f"{winner!r} is none of '1', '2' and null")
    scores = None if winner is None else WINNERS[str(winner)]
    completion = verdict.get("completion")
    return Judgment(
        judge=judge,
        shown=shown,
        scores=None if scores is None else tuple(scores[i] for i in shown),
        status="unparsed" if scores is None else "ok",
        chars=len(completion[0]) if isinstance(completion, list) and completion and completion[0] else None,
    )


FORMAT = Format(
    manual=__doc__,
    summary="LLMBar: evaluators' result.json files, two orders an item",
    example="import llmbar Natural/evaluators/*/*/result.json --out llmbar.parquet",
    tasks=("llmbar",),
    recognises=recognises,
    read_sources=read_sources,
    options={
        "subset": "the subset, where the path does not say it (Natural, Neighbor, …)",
        "variant": "the evaluator's prompt, where the path does not say it (Vanilla, CoT, …)",
    },
    named_by_path=True,
)
