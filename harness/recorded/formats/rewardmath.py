"""RewardMATH: a reward model's or judge's score of each of ten solutions of a problem, one right and nine wrong.

A row: problem, solution_reference (who wrote each solution; "human_to_GPT-4" is the right one) and score, one a
solution: a number, or the list of step scores of a process reward model. Of steps the score is the last one's; a run
may choose another rule with judge.steps. null, or text that is no number, is no score; a solution that another file
has and this one lacks has none either.
Item and cluster: a hash of the problem. A problem that a file holds twice is two items in one cluster (…#2), since the
owners' figures count both. Judge: --judge, or the file's name without _reward. The set is pointwise.
Verdicts on pairs are the format rewardmath_pairs, RewardBench's pairs are rewardbench_math_prm.

Example rows, three solutions each, the second with step scores:
  {"problem": "1+1?", "solution_reference": ["human_to_GPT-4", "org/m", "org/n"], "score": [0.5, -1.25, 0.1]}
  {"problem": "1+1?", "solution_reference": ["human_to_GPT-4", "org/m", "org/n"], "score": [[0.9, 0.8], [0.7], [0.2]]}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, hash_texts, to_number
from judgescale.harness.types import Judgment, Record

RIGHT = "human_to_GPT-4"  # who wrote the right solution
UNKNOWN = "unknown"  # whom the owners' files leave out


class Scored(NamedTuple):
    """Hold what a model said of one solution: its score, NaN where there is none, and its step scores, if it has."""

    score: float
    steps: tuple[float, ...] = ()


NOT_SCORED = Scored(nan)


def recognises(source: Source) -> bool:
    """Tell whether a file's first row has the scores of more than two solutions."""
    first = source.peek()
    score = first.get("score")
    return {"problem", "solution_reference"} <= set(first) and _is_long(score) and "chosen_position" not in first


def _is_long(score: Any) -> bool:
    return isinstance(score, list) and len(score) > 2


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read the scores of every problem's solutions."""
    return Imported(_read_records(sources, options["judge"]), pointwise=True)


def _read_records(sources: Sequence[Source], given_judge: str | None) -> Iterator[ImportedRecord]:
    read = [(row, name, read_solutions(row)) for source in sources for name, row in name_problems(source)]
    responses: dict[str, dict[str, None]] = {}  # of each item, those in any file
    for _, name, solutions in read:
        responses.setdefault(name, {RIGHT: None}).update(dict.fromkeys(solutions))
    for row, name, solutions in read:
        every = tuple(responses[name])
        record = Record(
            prompt=name,
            cluster=name.partition("#")[0],
            subset="",
            responses=every,
            gold=tuple(float(response == RIGHT) for response in every),
            judgment=make_judgment(name_judge(row.source, given_judge), [solutions.get(r, NOT_SCORED) for r in every]),
        )
        yield ImportedRecord(record, row)


def name_problems(source: Source) -> Iterator[tuple[str, SourceRow]]:
    """Yield every row with the name of its problem; one that is there again is …#2, …#3."""
    seen: Counter[str] = Counter()
    for row in source.read_objects():
        name = hash_texts(row.need("problem", str))
        seen[name] += 1
        yield name + (f"#{seen[name]}" if seen[name] > 1 else ""), row


def name_judge(source: Source, given: str | None) -> str:
    """Return the judge: as given, or as the file is called."""
    name = source.stem.removeprefix("rewardbench_").removesuffix("_reward").removesuffix("_pairwise")
    return given or name


def read_authors(row: SourceRow, others: Sequence[Any]) -> list[str]:
    """Return who wrote each solution, as many as there are of `others`; one who wrote two is told apart by #2."""
    authors = [UNKNOWN if author in (None, "") else author for author in row.need("solution_reference", list)]
    if not authors or not all(isinstance(author, str) for author in authors):
        row.reject("solution_reference", "must be a list of names")
    if len(authors) != len(others):
        row.reject("score", f"{len(others)} for the {len(authors)} solutions in solution_reference")
    seen: Counter[str] = Counter()
    names = []
    for author in authors:
        seen[author] += 1
        names.append(author + (f"#{seen[author]}" if seen[author] > 1 else ""))
    return names


def read_solutions(row: SourceRow) -> dict[str, Scored]:
    """Read what a model said of each solution, by author."""
    values = row.need("score", list)
    authors = read_authors(row, values)
    if RIGHT not in authors:
        row.reject("solution_reference", f"has no {RIGHT!r}, who wrote the right solution")
    return {author: read_score(row, "score", value) for author, value in zip(authors, values, strict=True)}


def read_score(row: SourceRow, field: str, value: Any) -> Scored:
    """Read a score, or a list of step scores, of which the last is the score."""
    if isinstance(value, list):
        steps = [to_number(step) for step in value]
        if wrong := next((v for v, s in zip(value, steps, strict=True) if s is None or not isfinite(s)), None):
            row.reject(field, f"{wrong!r} is not the score of a step")
        known = tuple(step for step in steps if step is not None)
        return Scored(known[-1], known) if len(known) == len(value) > 0 else NOT_SCORED
    if isinstance(value, dict | bool):
        row.reject(field, f"{value!r} is neither a number, nor null, nor a list of step scores")
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):  # null, or words
        return NOT_SCORED
    return Scored(score) if isfinite(score) else NOT_SCORED


def make_judgment(judge: str, solutions: Sequence[Scored]) -> Judgment:
    """Make one judgment of what a model said of each of an item's responses, in their order."""
    ok = any(isfinite(solution.score) for solution in solutions)
    stepwise = ok and all(solution.steps or not isfinite(solution.score) for solution in solutions)
    return Judgment(
        judge=judge,
        shown=tuple(range(len(solutions))),
        scores=tuple(solution.score for solution in solutions) if ok else None,
        status="ok" if ok else "unparsed",
        steps=tuple(solution.steps for solution in solutions) if stepwise else None,
    )


FORMAT = Format(
    manual=__doc__,
    summary="RewardMATH: scores or step scores of ten solutions a problem",
    example="import rewardmath internlm2_reward.json Math_Shepherd_reward.json --out rewardmath.parquet",
    tasks=("rewardmath",),
    recognises=recognises,
    read_sources=read_sources,
)
