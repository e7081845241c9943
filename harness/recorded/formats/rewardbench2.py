"""RewardBench 2 per-item scores, recognised by content; several files (judges, arrangements) make one set.

  scalar       {"id", "subset", "num_correct", "scores": [[x], …] or [x, …]}, one line an item; the evaluator's own
               eval-set-scores JSON (one object of columns) is read too. The first num_correct responses are right.
  generative   a first line {"_record": "metadata", "model", "permutation": […]} (permutation[slot] = response), then
               {"id", "subset", "parsed_letter": "A"…"D"}; any other letter is unparsed. variant = arrangement00, …
               (with /condition where the prompt was not the original one).
A file of the evaluator's generative run that holds only `results` (1, 0 or 0.25) is refused: which response was picked
and in which order they were shown cannot be recovered from it.
Item: subset/id, because ids alone collide. Cluster: the item; in Ties the two items of one number share theirs.

Example rows, scalar and generative (below its metadata line):
  {"id": "7", "subset": "Math", "num_correct": 1, "scores": [[2.5], [1.0], [0.0], [-1.0]]}
  {"_record": "metadata", "model": "org/judge", "ordering": 6, "permutation": [1, 0, 2, 3]}
  {"id": "9", "subset": "Focus", "parsed_letter": "B"}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, reject, to_number
from judgescale.harness.types import Judgment, Record

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Gold = tuple[float, ...]


def recognises(source: Source) -> bool:
    """Tell whether a file starts with a metadata line, or with an item and its scores."""
    first = source.peek()
    if first.get("_record") == "metadata":
        return True
    return {"id", "subset"} <= set(first) and bool({"scores", "parsed_letter", "results"} & set(first))


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read every item's scores or verdict."""
    notes = []
    for source in sources:
        level = _read_header(source).get("obvious")
        if level:
            notes.append(
                f"{source.path.name}: {level} wrong answers an item replaced by obvious ones: not RewardBench 2"
            )
    return Imported(_read_records(sources, options["judge"]), notes=tuple(notes))


def _read_header(source: Source) -> Mapping[str, Any]:
    """Return what the file says about itself: its metadata line, or the constants beside the columns."""
    first = source.peek()
    if first.get("_record") == "metadata":
        return first
    return {k: v for k, v in first.items() if not isinstance(v, list)} if _is_columnar(source) else {}


def _is_columnar(source: Source) -> bool:
    return source.is_single_record and isinstance(source.peek().get("subset"), list)


def _read_rows(source: Source) -> Iterator[SourceRow]:
    """Yield an item's row after another, also of a file of columns."""
    if not _is_columnar(source):
        yield from (row for row in source.read_objects() if row.get("_record") != "metadata")
        return
    columns = {name: values for name, values in source.peek().items() if isinstance(values, list)}
    length = len(columns["subset"])
    for name, values in columns.items():
        if len(values) != length:
            reject(source, None, name, f"has {len(values)} values where subset has {length}")
    for index in range(length):
        yield SourceRow(source, index + 1, {name: values[index] for name, values in columns.items()})


def _read_records(sources: Sequence[Source], given_judge: str | None) -> Iterator[ImportedRecord]:
    for source in sources:
        header = _read_header(source)
        judge = given_judge or header.get("model")
        if not judge:
            reject(source, None, "model", "no metadata line says whose scores these are; give it with --judge NAME")
        empty = True
        for row in _read_rows(source):
            empty = False
            yield ImportedRecord(_read_record(row, header, str(judge)), row, row.get("parsed_letter"))
        if empty:
            reject(source, None, None, "holds a metadata line and no item")


def _read_record(row: SourceRow, header: Mapping[str, Any], judge: str) -> Record:
    name = str(row.need("id", str, int))
    subset = row.need("subset", str)
    if "parsed_letter" in row.fields:
        judgment, gold = _read_verdict(row, header, judge)
    else:
        judgment, gold = _read_rewards(row, judge)
    prompt = f"{subset}/{name}"
    cluster = f"{subset}/{name.split(':')[-1]}" if subset.lower() == "ties" else prompt
    if header.get("obvious"):
        prompt += f"+obvious{header['obvious']}"  # other responses, so another item; still the same question
    return Record(
        prompt=prompt,
        cluster=cluster,
        subset=subset,
        responses=tuple(str(index) for index in range(len(gold))),
        gold=gold,
        judgment=judgment,
    )


def _read_gold(row: SourceRow, size: int) -> Gold:
    right = row.get("num_correct", 1)
    if not isinstance(right, int) or not 1 <= right <= size:
        row.reject("num_correct", f"{right!r} is not between 1 and the {size} responses")
    return (1.0,) * right + (0.0,) * (size - right)


def _read_rewards(row: SourceRow, judge: str) -> tuple[Judgment, Gold]:
    if row.get("scores") is None:
        row.reject(
            "scores",
            "is missing: without the scores, or parsed_letter and the permutation, what the judge said is not recorded",
        )
    rewards: list[float] = []
    for value in row.need("scores", list):
        reward = to_number(value[0] if isinstance(value, list) and len(value) == 1 else value)
        if reward is None:
            row.reject("scores", f"{value!r} is not one number a response")
        rewards.append(reward)
    if not rewards:
        row.reject("scores", "is empty")
    if "num_correct" not in row.fields and str(row.get("subset", "")).lower() == "ties":
        row.reject("num_correct", "is missing; in Ties it says how many responses are right")
    gold = _read_gold(row, len(rewards))
    ok = all(map(math.isfinite, rewards))  # a model that gave NaN gave no verdict
    judgment = Judgment(
        judge=judge,
        shown=tuple(range(len(rewards))),
        scores=tuple(rewards) if ok else None,
        status="ok" if ok else "unparsed",
    )
    return judgment, gold


def _read_verdict(row: SourceRow, header: Mapping[str, Any], judge: str) -> tuple[Judgment, Gold]:
    shown = _read_permutation(row, header)
    letter = row.fields["parsed_letter"]
    slots = LETTERS[: len(shown)]
    picked = slots.find(letter) if isinstance(letter, str) and len(letter) == 1 else -1
    gold = _read_gold(row, len(shown))
    result = row.get("results")
    if picked >= 0 and result in (0, 1) and result != gold[shown[picked]]:
        row.reject("results", f"{result} contradicts the letter {letter} under permutation {list(shown)}")
    text = row.get("judgement_text")
    judgment = Judgment(
        judge=judge,
        shown=shown,
        scores=tuple(float(slot == picked) for slot in range(len(shown))) if picked >= 0 else None,
        status="ok" if picked >= 0 else "unparsed",
        variant=_name_variant(header),
        chars=len(text) if isinstance(text, str) else None,
    )
    return judgment, gold


def _read_permutation(row: SourceRow, header: Mapping[str, Any]) -> tuple[int, ...]:
    """Return which response stood behind each letter."""
    shown = header.get("permutation")
    if (
        not isinstance(shown, list)
        or not all(type(place) is int for place in shown)
        or sorted(shown) != list(range(len(shown)))
    ):
        row.reject(
            "permutation",
            "no metadata line with the permutation: which response stood behind which letter is not recorded",
        )
    return tuple(shown)


def _name_variant(header: Mapping[str, Any]) -> str:
    """Name what differs between two files of one judge: the arrangement, and a prompt that is not the original."""
    variant = f"arrangement{header['ordering']:02d}" if isinstance(header.get("ordering"), int) else ""
    condition = header.get("condition") or "original"
    return variant if condition == "original" else f"{variant}/{condition}".lstrip("/")


FORMAT = Format(
    manual=__doc__,
    summary="RewardBench 2: reward models' scores, or a generative judge's verdicts by arrangement",
    example="import rewardbench2 Skywork-Reward-V2.jsonl --out rb2.parquet",
    tasks=("rewardbench2",),
    recognises=recognises,
    read_sources=read_sources,
)
