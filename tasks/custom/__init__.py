"""Items of one's own: accuracy of the best-scored response, or of "has an error", by one's own labels and subsets.

Recorded judgments: any set with gold labels. Texts: one file, JSON Lines, JSON or Parquet, a row an item:
  prompt      the user's text, or a list of {"role", "content"} that ends with the user's turn
  responses   a list of at least 2 texts, and
  best        the index (from 0) of the right one, or a list of indices; or, in place of these two,
  chosen      the right text, or a list of them, and
  rejected    the wrong text, or a list of them; or, to ask of a lone response whether it has an error,
  response    the text, and
  error       true or false; then every row of the file is of this kind
  id          text or a number, once in the file; the row's number (from 1) where there is none
  subset      optional: accuracy is told for each
  cluster     optional: items that stand or fall together, for the intervals; those of one prompt where there is none
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from judgescale.harness.evaluation.credit import best
from judgescale.harness.types import Item, JudgescaleError, Task
from judgescale.tasks.loading import items_with_gold
from judgescale.tasks.texts import Data, Placed, Row, question_key, reader, unranked


def read(data: Data) -> Iterator[Placed]:
    if data.path and data.path.is_dir():
        raise JudgescaleError(f"{data.shown} is a folder; name one file in it")
    lone = None
    for row in data.rows():
        name = _word(row, "id") or str(row.number)
        texts, gold = _labelled(row, name)
        if lone not in (None, len(texts) == 1):
            row.wrong(
                "response", "must be in every row or in none: one file holds lone responses, another holds choices"
            )
        lone = len(texts) == 1
        made = Item(
            id=name,
            prompt=name,
            cluster=_word(row, "cluster") or question_key(row.get("prompt", str, list)),
            responses=tuple(str(i + 1) for i in range(len(texts))),
            gold=gold,
            subset=_word(row, "subset"),
            conversation=row.turns("prompt"),
            texts=tuple(texts),
        )
        yield Placed(made, row)


def _labelled(row: Row, name: str) -> tuple[list[str], tuple[float, ...]]:
    """The responses, and 1 for each right one; for a lone response, 1 where it has an error."""
    kinds = [field for field in ("response", "responses", "chosen") if row.fields.get(field) is not None]
    if len(kinds) > 1:
        row.wrong(kinds[1], f"stands beside {kinds[0]}; keep one of them")
    if kinds == ["response"]:
        return [row.text("response")], (float(row.get("error", bool)),)
    if kinds == ["responses"]:
        texts, right = row.texts("responses"), set()
        if len(texts) < 2:
            row.wrong("responses", f"has {len(texts)}, needs 2 or more")
        given = row.get("best", int, list)
        for index in given if isinstance(given, list) else [given]:
            if type(index) is not int or not 0 <= index < len(texts):
                row.wrong("best", f"{index!r} is not an index from 0 to {len(texts) - 1}")
            right.add(index)
        if not right:
            row.wrong("best", "names no response")
        if len(right) == len(texts):
            row.wrong("best", "names every response, so no choice could be wrong")
        return texts, tuple(float(i in right) for i in range(len(texts)))
    both = [(text, 1.0) for text in row.texts("chosen")] + [(text, 0.0) for text in row.texts("rejected")]
    said, gold = zip(*unranked(name, both))  # chosen ones would always come first
    return list(said), gold


def _word(row: Row, field: str) -> str:
    """An optional field as text: empty where it is missing, null or empty."""
    return row.name(field) if row.fields.get(field) not in (None, "") else ""


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="custom",
        revision="1",
        protocols=("custom",),
        load=items_with_gold,
        credit=best,
        read=reader(read, path, hub),
    )
