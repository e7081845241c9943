"""Judgments of one's own, one JSON object a line (or one array), or a Parquet file with these fields as columns, which
is read much faster. A field not listed here is an error, against typos.

  prompt      (or item) the item's key: rows with the same key are about the same item            required
  responses   list of the candidates' names, in item order, the same in every row of an item       required
  gold        list with one number a response (1 = right)
  best        instead of gold: the right response, by name or index, or a list of them
  judge       who judged (or --judge NAME for all rows)                                            required
  shown       the responses shown, by name or index, in that order              default: all, in item order
  scores      list of numbers, one a response shown, in shown order
  steps       of a process reward model: a list of step scores for each response shown, in shown order; without scores
              beside it the score of a response is its last step's, and a run may choose another rule (judge.steps)
  winner      instead of scores: the name or index of the pick among `responses`, "tie", or null (unparsed)
  status      ok, unparsed, truncated, refused or failed                        default: ok, unparsed without scores
  sample      0, 1, … for repeats of the same judge, variant and order          default: counts up
  variant     what else differs: a prompt template, a temperature               default: ""
  pointwise   true where each response was scored alone, the same in every row; or --pointwise yes for all rows
  subset, cluster        the item's subset; what it stands or falls with        default: "", the prompt
  meta        a meta reward model's score of this judgment
  prompt_tokens, completion_tokens, chars        what it cost

Where each response was scored alone, its scores are a judgment of any of the responses; a score is null, and so are its
steps, where a response has none.

Neither gold nor best in any row of an item leaves its gold open; then only a task that derives it can use the set.
Example line:  {"prompt": "q1", "responses": ["a", "b"], "best": "a", "judge": "mine", "winner": "b"}
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.own_tables import make_set_table
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, to_number
from judgescale.harness.types import STATUSES, JudgescaleError, Judgment, Record

if TYPE_CHECKING:
    import pyarrow as pa

FIELDS = (
    "prompt",
    "item",
    "responses",
    "gold",
    "best",
    "judge",
    "shown",
    "scores",
    "steps",
    "pointwise",
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
RIVALS = (("prompt", "item"), ("gold", "best"), ("scores", "winner"), ("steps", "winner"))  # of these a row has one

Steps = tuple[tuple[float, ...], ...]  # of each response shown
Samples = Counter[tuple[Any, ...]]  # (prompt, judge, variant, shown) -> the sample that comes next


def recognises(source: Source) -> bool:
    """Tell whether a file's first record names an item and its responses."""
    first = set(source.peek())
    return bool(first & {"prompt", "item"}) and "responses" in first


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read every row of every file."""
    if (alone := options.get("pointwise")) not in (None, "yes", "no"):
        raise JudgescaleError(f"--pointwise {alone}: say yes or no")
    pointwise = sources[0].peek().get("pointwise") is True if alone is None else alone == "yes"
    return Imported(_read_records(sources, options["judge"], pointwise), pointwise=pointwise)


def read_table(sources: Sequence[Source], options: Options) -> pa.Table | None:
    """Read a single Parquet file by column; None where it has to be read by row."""
    if len(sources) > 1 or sources[0].table is None or options.get("pointwise") == "yes":
        return None
    return make_set_table(sources[0].table, options["judge"])


def _read_records(sources: Sequence[Source], given_judge: str | None, pointwise: bool) -> Iterator[ImportedRecord]:
    samples: Samples = Counter()
    for source in sources:
        for row in source.read_objects():
            yield ImportedRecord(_read_record(row, given_judge, samples, pointwise), row)


def _read_record(row: SourceRow, given_judge: str | None, samples: Samples, pointwise: bool) -> Record:
    _check_fields(row)
    prompt, responses = _read_item(row)
    judge = _read_judge(row, given_judge)
    shown = _read_shown(row, responses)
    gold = _read_gold(row, responses)
    _check_pointwise(row, pointwise)
    steps = _read_steps(row, len(shown), pointwise)
    scores, status = _read_verdict(row, responses, shown, steps, pointwise)
    variant = _read_text(row, "variant")
    judgment = Judgment(
        judge=judge,
        shown=shown,
        scores=scores,
        status=status,
        variant=variant,
        sample=_number_sample(row, (prompt, judge, variant, shown), samples),
        meta=_read_meta(row),
        prompt_tokens=_read_count(row, "prompt_tokens"),
        completion_tokens=_read_count(row, "completion_tokens"),
        chars=_read_count(row, "chars"),
        steps=steps,
    )
    return Record(
        prompt=prompt,
        cluster=_read_text(row, "cluster") or prompt,
        subset=_read_text(row, "subset"),
        responses=responses,
        gold=gold,
        judgment=judgment,
    )


def _check_fields(row: SourceRow) -> None:
    """Reject unknown fields, and two that say the same."""
    for field in row.fields:
        if field not in FIELDS:
            row.reject(field, f"is not a field of this format; known: {', '.join(FIELDS)}")
    for one, other in RIVALS:
        if one in row.fields and other in row.fields:
            row.reject(other, f"stands beside {one}, which says the same; give one of them")


def _check_pointwise(row: SourceRow, pointwise: bool) -> None:
    """Reject a row that says otherwise than the first row, or the command line, how responses were scored."""
    said = row.get("pointwise")
    if said is not None and not isinstance(said, bool):
        row.reject("pointwise", f"{said!r} must be true or false")
    if said is not None and said != pointwise:
        row.reject(
            "pointwise",
            f"is {str(said).lower()}, and of this set it is {str(pointwise).lower()}, by its first row or --pointwise;"
            " every row must say the same",
        )


def _read_item(row: SourceRow) -> tuple[str, tuple[str, ...]]:
    """Read the item's key and the names of its responses."""
    prompt = str(row.need("item" if "item" in row.fields else "prompt", str, int))
    names = row.need("responses", list)
    for name in names:
        if isinstance(name, bool) or not isinstance(name, str | int):
            row.reject("responses", f"{name!r} is not a name")
    responses = tuple(map(str, names))
    if not responses or len(set(responses)) != len(responses):
        row.reject("responses", f"{list(responses)} must be at least one name, each different")
    return prompt, responses


def _read_judge(row: SourceRow, given: str | None) -> str:
    judge = row.get("judge", given)
    if not isinstance(judge, str) or not judge:
        row.reject("judge", "is missing; name it in the row, or give --judge NAME for all rows")
    return judge


def _read_shown(row: SourceRow, responses: tuple[str, ...]) -> tuple[int, ...]:
    if row.get("shown") is None:
        return tuple(range(len(responses)))
    shown = tuple(_find_response(row, "shown", value, responses) for value in row.need("shown", list))
    if not shown or len(set(shown)) != len(shown):
        row.reject("shown", f"{row.get('shown')} must hold different responses, at least one")
    return shown


def _read_gold(row: SourceRow, responses: tuple[str, ...]) -> tuple[float, ...] | None:
    """Read which responses are right, from `gold` or `best`; None where the row leaves it open."""
    if row.get("gold") is not None:
        gold = _read_numbers(row, "gold", len(responses))
        if any(value not in (0, 1) for value in gold):  # none may be right: tasks that need one say so
            row.reject(
                "gold", f"{row.get('gold')} must be 0 or 1 a response, with a 1 for every right one; or give best=NAME"
            )
        return gold
    best = row.get("best")
    if best is None:
        return None
    right = {_find_response(row, "best", value, responses) for value in (best if isinstance(best, list) else [best])}
    if not right:
        row.reject("best", "is empty; name at least one right response")
    return tuple(float(i in right) for i in range(len(responses)))


def _read_verdict(
    row: SourceRow, responses: tuple[str, ...], shown: tuple[int, ...], steps: Steps | None, pointwise: bool
) -> tuple[tuple[float, ...] | None, str]:
    """Read scores in shown order, None where there is no verdict, and the status."""
    status = row.get("status")
    if status is not None and status not in STATUSES:
        row.reject("status", f"{status!r} is none of {', '.join(STATUSES)}")
    scores = _read_scores(row, responses, shown, pointwise)
    if steps is not None:
        scores = _match_steps(row, steps, scores)
    if scores is None:
        says_nothing = not {"scores", "steps", "winner"} & set(row.fields) and status is None
        if status == "ok" or says_nothing:
            row.reject("scores", "is missing; give scores or winner, or a status other than ok")
        return None, status or "unparsed"
    if len(responses) == 1 and not 0 <= scores[0] <= 1:
        row.reject("scores", f"{scores[0]:g} about a lone response must lie between 0 and 1 (1 = it has the property)")
    if status not in (None, "ok"):
        row.reject("status", f"is {status}, but the row has a verdict; only ok carries scores")
    return scores, "ok"


def _read_scores(
    row: SourceRow, responses: tuple[str, ...], shown: tuple[int, ...], pointwise: bool
) -> tuple[float, ...] | None:
    if row.get("scores") is not None:
        scores = _read_numbers(row, "scores", len(shown), gaps=pointwise)
        return None if all(map(math.isnan, scores)) else scores
    winner = row.get("winner")
    if winner is None:
        return None
    if pointwise:
        row.reject("winner", "is a verdict on several responses, and --pointwise yes says that each was scored alone")
    if winner == "tie" and "tie" not in responses:
        return (1.0 / len(shown),) * len(shown)
    picked = _find_response(row, "winner", winner, responses)
    if picked not in shown:
        row.reject("winner", f"{winner!r} was not among the responses shown")
    return tuple(float(i == picked) for i in shown)


def _read_steps(row: SourceRow, size: int, pointwise: bool) -> Steps | None:
    """Read the step scores of each response shown, none for one that has no score; None where the row has none."""
    if row.get("steps") is None:
        return None
    given = row.need("steps", list)
    if len(given) != size:
        row.reject("steps", f"{len(given)} lists of step scores for {size} responses")
    if not pointwise and any(value is None or value == [] for value in given):
        row.reject("steps", "a response has no step scores; only a pointwise set may lack some")
    steps = []
    for value in given:
        if value is not None and not isinstance(value, list):
            row.reject("steps", f"{value!r} is not a list of step scores")
        numbers = [to_number(step) for step in value or ()]
        if wrong := [step for step, n in zip(value or (), numbers, strict=True) if n is None or not math.isfinite(n)]:
            row.reject("steps", f"{wrong[0]!r} is not a finite number")
        steps.append(tuple(number for number in numbers if number is not None))
    if not any(steps):
        row.reject("steps", "no response has step scores; leave the field out")
    return tuple(steps)


def _match_steps(row: SourceRow, steps: Steps, scores: tuple[float, ...] | None) -> tuple[float, ...]:
    """Return the scores that stand beside the step scores, or the last step's of each response where none do."""
    if scores is None:
        if "scores" in row.fields:
            row.reject("steps", "stand beside scores that say nothing; leave scores out to take the last step's")
        return tuple(of_response[-1] if of_response else math.nan for of_response in steps)
    for place, (of_response, score) in enumerate(zip(steps, scores, strict=True), 1):
        if bool(of_response) == math.isnan(score):
            row.reject("steps", f"response {place} of those shown has only one of score and step scores; it needs both")
    return scores


def _number_sample(row: SourceRow, asked: tuple[Any, ...], samples: Samples) -> int:
    """Return the row's sample, or the next of those that the same judge gave to the same question."""
    given = _read_count(row, "sample", most=2**15 - 1)
    sample = samples[asked] if given is None else given
    samples[asked] = max(samples[asked], sample + 1)
    return sample


def _read_meta(row: SourceRow) -> float | None:
    if row.get("meta") is None:
        return None
    meta = to_number(row.get("meta"))
    if meta is None or not math.isfinite(meta):
        row.reject("meta", f"{row.get('meta')!r} is not a finite number")
    return meta


def _find_response(row: SourceRow, field: str, value: Any, responses: tuple[str, ...]) -> int:
    """Return the place of a response that is given by name or by index."""
    if isinstance(value, str) and value in responses:
        return responses.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(responses):
        if any(re.fullmatch(r"-?\d+", name) for name in responses):
            row.reject(field, f'{value} may be a name or an index here; write names as text ("{value}")')
        return value
    row.reject(field, f"{value!r} is neither a name in responses nor an index from 0 to {len(responses) - 1}")


def _read_numbers(row: SourceRow, field: str, size: int, gaps: bool = False) -> tuple[float, ...]:
    """Read a list of numbers. gaps: whether null, read as NaN, may stand for one."""
    values = row.need(field, list)
    numbers: list[float] = []
    for value in values:
        if value is None and gaps:
            numbers.append(math.nan)
            continue
        number = to_number(value)
        if number is None or not math.isfinite(number):
            row.reject(field, f"{value!r} is not a finite number")
        numbers.append(number)
    if len(values) != size:
        row.reject(field, f"{len(values)} numbers for {size} responses")
    return tuple(numbers)


def _read_text(row: SourceRow, field: str) -> str:
    return str(row.need(field, str, int)) if row.get(field) is not None else ""


def _read_count(row: SourceRow, field: str, most: int = 2**31 - 1) -> int | None:
    if row.get(field) is None:
        return None
    value = row.need(field, int, float)
    if isinstance(value, float) and not value.is_integer():
        row.reject(field, f"{value} is not a whole number")
    if not 0 <= value <= most:
        row.reject(field, f"{value} is not between 0 and {most}")
    return int(value)


FORMAT = Format(
    manual=__doc__,
    summary="your own judgments, one JSON object a line (fields: import jsonl --help)",
    example="import jsonl mine.jsonl --out mine.parquet",
    tasks=("custom",),
    recognises=recognises,
    read_sources=read_sources,
    read_table=read_table,
    options={"pointwise": "yes where each response was scored alone; a score may then be null"},
)
