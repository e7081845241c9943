"""RewardBench's math-prm pairs as RewardMATH's owners scored them: a right and a wrong solution, or the steps of each.

Scores, one row a pair: problem, solution_reference ("human_to_GPT-4" is the right one), score. Step scores, one row a
solution: problem, solution_type ("chosen" or "rejected"), output.step_scores; rows of one problem_id, or else of one
problem, are a pair. Of steps the score is the last one's; a run may choose another rule with judge.steps.
Item: math-prm/problem, the problem as a hash (RewardBench's own ids are not in these files); a problem that a file
holds twice is …#2 in the same cluster. Judge: --judge, or the file's name without rewardbench_. The set is pointwise.

Example rows, a pair and one solution:
  {"problem": "1+1?", "solution_reference": ["human_to_GPT-4", "modified_with_GPT-4"], "score": [0.5, -1.25]}
  {"problem": "1+1?", "problem_id": 0, "solution_type": "chosen", "output": {"step_scores": [0.9, 0.8]}}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.formats.rewardmath import (
    NOT_SCORED,
    RIGHT,
    Scored,
    make_judgment,
    name_judge,
    read_score,
    read_solutions,
)
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, hash_texts
from judgescale.harness.types import Record

TYPES = ("chosen", "rejected")


def recognises(source: Source) -> bool:
    """Tell whether a file's first row has the scores of two solutions, or the step scores of one."""
    first = source.peek()
    if {"problem", "solution_type", "output"} <= set(first):
        return True
    score = first.get("score")
    pair = isinstance(score, list) and len(score) == 2 and "chosen_position" not in first
    return pair and {"problem", "solution_reference"} <= set(first)


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read the scores of every pair."""
    return Imported(_read_records(sources, options["judge"]), pointwise=True)


def _read_records(sources: Sequence[Source], given_judge: str | None) -> Iterator[ImportedRecord]:
    for source in sources:
        judge = name_judge(source, given_judge)
        seen: Counter[str] = Counter()
        for row, pair in _read_pairs(source):
            problem = hash_texts(row.need("problem", str))
            seen[problem] += 1
            record = Record(
                prompt=f"math-prm/{problem}" + (f"#{seen[problem]}" if seen[problem] > 1 else ""),
                cluster=problem,
                subset="math-prm",
                responses=TYPES,
                gold=(1.0, 0.0),
                judgment=make_judgment(judge, [pair.get(kind, NOT_SCORED) for kind in TYPES]),
            )
            yield ImportedRecord(record, row)


def _read_pairs(source: Source) -> Iterator[tuple[SourceRow, dict[str, Scored]]]:
    """Yield the first row of every pair, and what was said of the chosen and of the rejected solution."""
    halves: dict[Any, tuple[SourceRow, dict[str, Scored]]] = {}
    for row in source.read_objects():
        if "solution_type" not in row.fields:
            yield row, _read_pair(row)
            continue
        kind = row.need("solution_type", str)
        if kind not in TYPES:
            row.reject("solution_type", f"{kind!r} is neither {' nor '.join(map(repr, TYPES))}")
        _, pair = halves.setdefault(_find_key(row), (row, {}))
        if kind in pair:
            row.reject("solution_type", f"this problem has a {kind} solution already")
        steps = row.need("output", dict).get("step_scores")
        if not isinstance(steps, list):
            row.reject("output.step_scores", "is no list of numbers")
        pair[kind] = read_score(row, "output.step_scores", steps)
    yield from halves.values()


def _find_key(row: SourceRow) -> Any:
    """Return what the two rows of a pair share."""
    return row.need("problem_id", int, str) if "problem_id" in row.fields else row.need("problem", str)


def _read_pair(row: SourceRow) -> dict[str, Scored]:
    solutions = read_solutions(row)
    if len(solutions) != 2:
        row.reject("score", f"is of {len(solutions)} solutions, and a pair has two; ten are the format rewardmath")
    return {TYPES[author != RIGHT]: said for author, said in solutions.items()}


FORMAT = Format(
    manual=__doc__,
    summary="RewardBench's math-prm pairs: scores or step scores, as RewardMATH's owners took them",
    example="import rewardbench_math_prm rewardbench_Math_Shepherd.json --out math_prm.parquet",
    tasks=("rewardbench",),
    recognises=recognises,
    read_sources=read_sources,
)
