"""Judge items of your own: is the best-scored response right, or has a lone response an error?

Rule: accuracy by your own labels; protocol=custom is yours to change.

Data: any recorded set with gold labels; or, for live judges, one file (JSON Lines, JSON or Parquet) with a row an item:
  prompt      the user's text, or a list of {"role", "content"} that ends with the user's turn
  responses   a list of at least 2 texts, and
  best        the index (from 0) of the right one, or a list of indices; or, in place of these two,
  chosen      the right text, or a list of them, and
  rejected    the wrong text, or a list of them; or, to ask of a lone response whether it has an error,
  response    the text, and
  error       true or false; then every row of the file is of this kind
  id          text or a number, unique in the file; the row's number (from 1) where there is none
  subset      optional: accuracy is told for each
  cluster     optional: items that stand or fall together, for the intervals; those of one prompt where there is none

    {"id": "sum-1", "prompt": "What is 2 + 3?", "responses": ["It is 5.", "It is 6."], "best": 0, "subset": "sums"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from judgescale.harness.evaluation.rules import credit_best, name_split_vote
from judgescale.harness.types import Item, JudgescaleError, Task
from judgescale.tasks.loading import load_gold_items
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, hash_conversation, make_reader, shuffle_by_name


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the items of one file, or of a data set on the Hub, of the same shape."""
    if data.path and data.path.is_dir():
        raise JudgescaleError(f"{data.title} is a folder; name one file in it")
    lone = None  # whether the file holds lone responses; told by its first row
    for row in data.read_rows():
        name = _read_optional(row, "id") or str(row.number)
        texts, gold = _read_responses(row, name)
        if lone not in (None, len(texts) == 1):
            row.reject(
                "response", "must be in every row or in none: one file holds lone responses, another holds choices"
            )
        lone = len(texts) == 1
        item = Item(
            id=name,
            prompt=name,
            cluster=_read_optional(row, "cluster") or hash_conversation(row.need("prompt", str, list)),
            responses=tuple(str(i + 1) for i in range(len(texts))),
            gold=gold,
            subset=_read_optional(row, "subset"),
            conversation=row.get_turns("prompt"),
            texts=tuple(texts),
        )
        yield SourcedItem(item, row)


def _read_responses(row: RawRow, name: str) -> tuple[list[str], tuple[float, ...]]:
    """Read the responses with their gold: 1 for each right one; for a lone response, 1 where it has an error."""
    kinds = [field for field in ("response", "responses", "chosen") if row.get(field) is not None]
    if len(kinds) > 1:
        row.reject(kinds[1], f"stands beside {kinds[0]}; keep one of them")
    if kinds == ["response"]:
        return [row.get_text("response")], (float(row.need("error", bool)),)
    if kinds == ["responses"]:
        texts, right = row.get_texts("responses"), set()
        if len(texts) < 2:
            row.reject("responses", f"has {len(texts)}, needs 2 or more")
        given = row.need("best", int, list)
        for index in given if isinstance(given, list) else [given]:
            if type(index) is not int or not 0 <= index < len(texts):
                row.reject("best", f"{index!r} is not an index from 0 to {len(texts) - 1}")
            right.add(index)
        if not right:
            row.reject("best", "names no response")
        if len(right) == len(texts):
            row.reject("best", "names every response, so no choice could be wrong")
        return texts, tuple(float(i in right) for i in range(len(texts)))
    labelled = [(text, 1.0) for text in row.get_texts("chosen")] + [(text, 0.0) for text in row.get_texts("rejected")]
    shuffled, gold = zip(*shuffle_by_name(name, labelled))  # else the chosen ones would always come first
    return list(shuffled), gold


def _read_optional(row: RawRow, field: str) -> str:
    """Read an optional field as text: "" where it is missing, null or empty."""
    return row.get_name(field) if row.get(field) not in (None, "") else ""


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    return Task(
        name="custom",
        revision="1",
        protocols=("custom",),
        any_set=True,
        load=load_gold_items,
        credit=credit_best,
        tied=name_split_vote,
        read=make_reader(read, path, hub),
    )
