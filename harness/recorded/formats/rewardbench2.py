"""RewardBench 2 per-item scores, recognised by content; several files (judges, arrangements) make one set.

  scalar       {"id", "subset", "num_correct", "scores": [[x], …] or [x, …]}, one line an item; the evaluator's own
               eval-set-scores JSON (one object of columns) is read too. The first num_correct responses are right.
  generative   a first line {"_record": "metadata", "model", "permutation": […]} (permutation[slot] = response), then
               {"id", "subset", "parsed_letter": "A"…"D"}; any other letter is unparsed. variant = arrangement00, …
               (with /condition where the prompt was not the original one).
A file of the evaluator's generative run that holds only `results` (1, 0 or 0.25) is refused: which response was picked
and in which order they were shown cannot be recovered from it.
Item: subset/id, because ids alone collide. Cluster: the item; in Ties the two items of one number share theirs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judgescale.harness.recorded.source import Imported, Row, Source, as_number, need, wrong
from judgescale.harness.types import Judgment, Record

SUMMARY = "RewardBench 2: reward models' scores, or a generative judge's verdicts by arrangement"
EXAMPLE = "import rewardbench2 Skywork-Reward-V2.jsonl --out rb2.parquet"
TASKS = ("rewardbench2",)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def recognises(source: Source) -> bool:
    first = source.first()
    if first.get("_record") == "metadata":
        return True
    return {"id", "subset"} <= set(first) and bool({"scores", "parsed_letter", "results"} & set(first))


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    notes = []
    for source in sources:
        level = _header(source).get("obvious")
        if level:
            notes.append(
                f"{source.path.name}: {level} wrong answers an item replaced by obvious ones: not RewardBench 2"
            )
    return Imported(rows=_rows(sources, options.judge), tasks=TASKS, notes=tuple(notes))


def _header(source: Source) -> Mapping[str, Any]:
    """What the file says about itself: its metadata line, or the constants beside the columns."""
    first = source.first()
    if first.get("_record") == "metadata":
        return first
    return {k: v for k, v in first.items() if not isinstance(v, list)} if _columnar(source) else {}


def _columnar(source: Source) -> bool:
    return source.document and isinstance(source.first().get("subset"), list)


def _items(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    if not _columnar(source):
        for number, row in source.objects():
            if row.get("_record") != "metadata":
                yield number, row
        return
    columns = {name: values for name, values in source.first().items() if isinstance(values, list)}
    length = len(columns["subset"])
    for name, values in columns.items():
        if len(values) != length:
            wrong(source, None, name, f"has {len(values)} values where subset has {length}")
    for index in range(length):
        yield index + 1, {name: values[index] for name, values in columns.items()}


def _rows(sources: Sequence[Source], given: str | None) -> Iterator[Row]:
    for source in sources:
        header = _header(source)
        judge = given or header.get("model")
        if not judge:
            wrong(source, None, "model", "no metadata line says whose scores these are; give it with --judge NAME")
        empty = True
        for number, row in _items(source):
            empty = False
            name = str(need(source, number, row, "id", str, int))
            subset = need(source, number, row, "subset", str)
            if "parsed_letter" in row:
                judgment, gold = _verdict(source, number, row, header, str(judge))
            else:
                judgment, gold = _rewards(source, number, row, str(judge))
            prompt = f"{subset}/{name}"
            cluster = f"{subset}/{name.split(':')[-1]}" if subset.lower() == "ties" else prompt
            if header.get("obvious"):
                prompt += f"+obvious{header['obvious']}"  # other responses, so another item; still the same question
            responses = tuple(str(index) for index in range(len(gold)))
            yield Row(
                Record(
                    prompt=prompt, cluster=cluster, subset=subset, responses=responses, gold=gold, judgment=judgment
                ),
                source,
                number,
                row.get("parsed_letter"),
            )
        if empty:
            wrong(source, None, None, "holds a metadata line and no item")


def _gold(source: Source, number: int, row: Mapping[str, Any], size: int) -> tuple[float, ...]:
    right = row.get("num_correct", 1)
    if not isinstance(right, int) or not 1 <= right <= size:
        wrong(source, number, "num_correct", f"{right!r} is not between 1 and the {size} responses")
    return (1.0,) * right + (0.0,) * (size - right)


def _rewards(source: Source, number: int, row: Mapping[str, Any], judge: str) -> tuple[Judgment, tuple[float, ...]]:
    if row.get("scores") is None:
        wrong(
            source,
            number,
            "scores",
            "is missing: without the scores, or parsed_letter and the permutation, what the judge said is not recorded",
        )
    values: list[float] = []
    for value in need(source, number, row, "scores", list):
        inner = value[0] if isinstance(value, list) and len(value) == 1 else value
        score = as_number(inner)
        if score is None:
            wrong(source, number, "scores", f"{value!r} is not one number a response")
        values.append(score)
    if not values:
        wrong(source, number, "scores", "is empty")
    if "num_correct" not in row and str(row.get("subset", "")).lower() == "ties":
        wrong(source, number, "num_correct", "is missing; in Ties it says how many responses are right")
    gold = _gold(source, number, row, len(values))
    ok = all(map(math.isfinite, values))  # a model that gave NaN gave no verdict
    shown = tuple(range(len(values)))
    return Judgment(
        judge=judge, shown=shown, scores=tuple(values) if ok else None, status="ok" if ok else "unparsed"
    ), gold


def _verdict(
    source: Source, number: int, row: Mapping[str, Any], header: Mapping[str, Any], judge: str
) -> tuple[Judgment, tuple[float, ...]]:
    shown = header.get("permutation")
    if not isinstance(shown, list) or sorted(map(str, shown)) != sorted(map(str, range(len(shown)))):
        wrong(
            source,
            number,
            "permutation",
            "no metadata line with the permutation: which response stood behind which letter is not recorded",
        )
    letter = row["parsed_letter"]
    slots = LETTERS[: len(shown)]
    picked = slots.find(letter) if isinstance(letter, str) and len(letter) == 1 else -1
    gold = _gold(source, number, row, len(shown))
    if picked >= 0 and row.get("results") in (0, 1) and row["results"] != gold[shown[picked]]:
        wrong(source, number, "results", f"{row['results']} contradicts the letter {letter} under permutation {shown}")
    scores = tuple(float(slot == picked) for slot in range(len(shown))) if picked >= 0 else None
    text = row.get("judgement_text")
    condition = header.get("condition") or "original"
    variant = f"arrangement{header['ordering']:02d}" if isinstance(header.get("ordering"), int) else ""
    return Judgment(
        judge=judge,
        shown=tuple(shown),
        scores=scores,
        status="unparsed" if scores is None else "ok",
        variant=variant if condition == "original" else f"{variant}/{condition}".lstrip("/"),
        chars=len(text) if isinstance(text, str) else None,
    ), gold
