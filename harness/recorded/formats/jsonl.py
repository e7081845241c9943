"""Judgments of one's own, one JSON object a line (or one array). A field not listed here is an error, against typos.

  prompt      (or item) the item's key: rows with the same key are about the same item            required
  responses   list of the candidates' names, in item order, the same in every row of an item       required
  gold        list with one number a response (1 = right)
  best        instead of gold: the right response, by name or index, or a list of them
  judge       who judged (or --judge NAME for all rows)                                            required
  shown       the responses shown, by name or index, in that order              default: all, in item order
  scores      list of numbers, one a response shown, in shown order
  winner      instead of scores: the name or index of the pick among `responses`, "tie", or null (unparsed)
  status      ok, unparsed, truncated, refused or failed                        default: ok, unparsed without scores
  sample      0, 1, … for repeats of the same judge, variant and order          default: counts up
  variant     what else differs: a prompt template, a temperature               default: ""
  subset, cluster        the item's subset; what it stands or falls with        default: "", the prompt
  meta        a meta reward model's score of this judgment
  prompt_tokens, completion_tokens, chars        what it cost

Neither gold nor best in any row of an item leaves its gold open; then only a task that derives it can use the set.
Example line:  {"prompt": "q1", "responses": ["a", "b"], "best": "a", "judge": "mine", "winner": "b"}
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from judgescale.harness.recorded.source import Imported, Row, Source, as_number, need, wrong
from judgescale.harness.types import STATUSES, Judgment, Record

SUMMARY = "your own judgments, one JSON object a line (fields: import jsonl --help)"
EXAMPLE = "import jsonl mine.jsonl --out mine.parquet"
TASKS = ("custom",)

FIELDS = (
    "prompt",
    "item",
    "responses",
    "gold",
    "best",
    "judge",
    "shown",
    "scores",
    "winner",
    "status",
    "sample",
    "variant",
    "subset",
    "cluster",
    "meta",
    "prompt_tokens",
    "completion_tokens",
    "chars",
)


def recognises(source: Source) -> bool:
    first = set(source.first())
    return bool(first & {"prompt", "item"}) and "responses" in first


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    return Imported(rows=_rows(sources, options.judge), tasks=TASKS)


def _rows(sources: Sequence[Source], given: str | None) -> Iterator[Row]:
    counts: dict[tuple[Any, ...], int] = {}
    for source in sources:
        for number, row in source.objects():
            yield Row(_record(source, number, row, given, counts), source, number)


def _record(
    source: Source, number: int, row: dict[str, Any], given: str | None, counts: dict[tuple[Any, ...], int]
) -> Record:
    def bad(field: str, message: str) -> NoReturn:
        wrong(source, number, field, message)

    for field in row:
        if field not in FIELDS:
            bad(field, f"is not a field of this format; known: {', '.join(FIELDS)}")
    for one, other in (("prompt", "item"), ("gold", "best"), ("scores", "winner")):
        if one in row and other in row:
            bad(other, f"stands beside {one}, which says the same; give one of them")
    prompt = str(need(source, number, row, "item" if "item" in row else "prompt", str, int))
    for name in (named := need(source, number, row, "responses", list)):
        if isinstance(name, bool) or not isinstance(name, str | int):
            bad("responses", f"{name!r} is not a name")
    responses = tuple(map(str, named))
    if not responses or len(set(responses)) != len(responses):
        bad("responses", f"{list(responses)} must be at least one name, each different")
    judge = row.get("judge", given)
    if not isinstance(judge, str) or not judge:
        bad("judge", "is missing; name it in the row, or give --judge NAME for all rows")

    def index(field: str, value: Any) -> int:
        if isinstance(value, str) and value in responses:
            return responses.index(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(responses):
            if any(re.fullmatch(r"-?\d+", name) for name in responses):
                bad(field, f'{value} may be a name or an index here; write names as text ("{value}")')
            return value
        bad(field, f"{value!r} is neither a name in responses nor an index from 0 to {len(responses) - 1}")

    shown = tuple(range(len(responses)))
    if row.get("shown") is not None:
        shown = tuple(index("shown", value) for value in need(source, number, row, "shown", list))
        if not shown or len(set(shown)) != len(shown):
            bad("shown", f"{row['shown']} must hold different responses, at least one")
    gold: tuple[float, ...] | None = None
    if row.get("gold") is not None:
        gold = _numbers(source, number, row, "gold", len(responses))
        if any(value not in (0, 1) for value in gold):  # none may be right: tasks that need one say so
            bad("gold", f"{row['gold']} must be 0 or 1 a response, with a 1 for every right one; or give best=NAME")
    elif row.get("best") is not None:
        best = row["best"] if isinstance(row["best"], list) else [row["best"]]
        right = {index("best", value) for value in best}
        if not right:
            bad("best", "is empty; name at least one right response")
        gold = tuple(float(i in right) for i in range(len(responses)))

    scores: tuple[float, ...] | None = None
    status = row.get("status")
    if status is not None and status not in STATUSES:
        bad("status", f"{status!r} is none of {', '.join(STATUSES)}")
    if row.get("scores") is not None:
        scores = _numbers(source, number, row, "scores", len(shown))
    elif row.get("winner") is not None:
        winner = row["winner"]
        if winner == "tie" and "tie" not in responses:
            scores = (1.0 / len(shown),) * len(shown)
        else:
            picked = index("winner", winner)
            if picked not in shown:
                bad("winner", f"{winner!r} was not among the responses shown")
            scores = tuple(float(i == picked) for i in shown)
    elif status == "ok" or ("scores" not in row and "winner" not in row and status is None):
        bad("scores", "is missing; give scores or winner, or a status other than ok")
    if scores is not None and len(responses) == 1 and not 0 <= scores[0] <= 1:
        bad("scores", f"{scores[0]:g} about a lone response must lie between 0 and 1 (1 = it has the property)")
    if scores is not None and status not in (None, "ok"):
        bad("status", f"is {status}, but the row has a verdict; only ok carries scores")
    status = status or ("ok" if scores is not None else "unparsed")

    variant = _text(source, number, row, "variant")
    asked = (prompt, judge, variant, shown)
    given_sample = _count(source, number, row, "sample")
    sample = counts.get(asked, 0) if given_sample is None else given_sample
    counts[asked] = max(counts.get(asked, 0), sample + 1)
    if row.get("meta") is None:
        meta = None
    else:
        meta = as_number(row["meta"])
        if meta is None or not math.isfinite(meta):
            bad("meta", f"{row['meta']!r} is not a finite number")
    judgment = Judgment(
        judge=judge,
        shown=shown,
        scores=scores,
        status=status,
        sample=sample,
        variant=variant,
        meta=meta,
        prompt_tokens=_count(source, number, row, "prompt_tokens"),
        completion_tokens=_count(source, number, row, "completion_tokens"),
        chars=_count(source, number, row, "chars"),
    )
    cluster = _text(source, number, row, "cluster") or prompt
    return Record(
        prompt=prompt,
        cluster=cluster,
        subset=_text(source, number, row, "subset"),
        responses=responses,
        gold=gold,
        judgment=judgment,
    )


def _numbers(source: Source, number: int, row: Mapping[str, Any], field: str, size: int) -> tuple[float, ...]:
    values = need(source, number, row, field, list)
    numbers: list[float] = []
    for value in values:
        each = as_number(value)
        if each is None or not math.isfinite(each):
            wrong(source, number, field, f"{value!r} is not a finite number")
        numbers.append(each)
    if len(values) != size:
        wrong(source, number, field, f"{len(values)} numbers for {size} responses")
    return tuple(numbers)


def _text(source: Source, number: int, row: Mapping[str, Any], field: str) -> str:
    return str(need(source, number, row, field, str, int)) if row.get(field) is not None else ""


def _count(source: Source, number: int, row: Mapping[str, Any], field: str) -> int | None:
    if row.get(field) is None:
        return None
    value = need(source, number, row, field, int, float)
    if not math.isfinite(value) or value != int(value):
        wrong(source, number, field, f"{value} is not a whole number")
    limit = 32767 if field == "sample" else 2**31 - 1
    if not 0 <= value <= limit:
        wrong(source, number, field, f"{value} is not between 0 and {limit}")
    return int(value)
