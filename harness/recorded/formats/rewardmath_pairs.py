"""RewardMATH: a judge's verdicts on the right solution of a problem against each of the wrong ones.

A row: problem, solution_reference (who wrote each wrong solution), chosen_position ("A" or "B", where the right one
stood) and score ("A" or "B", the judge's pick; anything else is no verdict).
Item: problem/author, the problem as a hash, its two solutions as the first file showed them; a problem that a file
holds twice is …#2. Cluster: the problem. Judge: --judge, or the file's name without _pairwise_reward. Scores of all
solutions at once are the format rewardmath.

Example row, two wrong solutions:
  {"problem": "1+1?", "solution_reference": ["org/m", "org/n"], "score": ["A", null], "chosen_position": ["A", "B"]}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.formats.rewardmath import RIGHT, name_judge, name_problems, read_authors
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow
from judgescale.harness.types import Judgment, Record

PICKS = {"A": (1.0, 0.0), "B": (0.0, 1.0)}  # in the order shown


def recognises(source: Source) -> bool:
    """Tell whether a file's first row has verdicts and where the right solutions stood."""
    first = source.peek()
    return {"problem", "solution_reference", "score", "chosen_position"} <= set(first)


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read every verdict."""
    return Imported(_read_records(sources, options["judge"]))


def _read_records(sources: Sequence[Source], given_judge: str | None) -> Iterator[ImportedRecord]:
    responses: dict[str, tuple[str, ...]] = {}  # of each item, in the order that the first file showed them in
    for source in sources:
        judge = name_judge(source, given_judge)
        for name, row in name_problems(source):
            yield from _read_row(row, name, judge, responses)


def _read_row(row: SourceRow, name: str, judge: str, known: dict[str, tuple[str, ...]]) -> Iterator[ImportedRecord]:
    picks, places = row.need("score", list), row.need("chosen_position", list)
    authors = read_authors(row, picks)
    if len(places) != len(authors):
        row.reject("chosen_position", f"{len(places)} for the {len(authors)} solutions in solution_reference")
    for author, pick, place in zip(authors, picks, places, strict=True):
        if place not in PICKS:
            row.reject("chosen_position", f"{place!r} is neither 'A' nor 'B'")
        if author == RIGHT:
            row.reject("solution_reference", f"{author!r} wrote the right solution, and the wrong ones stand here")
        shown = (RIGHT, author) if place == "A" else (author, RIGHT)
        responses = known.setdefault(f"{name}/{author}", shown)
        scores = PICKS.get(pick.strip().upper()) if isinstance(pick, str) else None
        record = Record(
            prompt=f"{name}/{author}",
            cluster=name.partition("#")[0],
            subset="",
            responses=responses,
            gold=tuple(float(response == RIGHT) for response in responses),
            judgment=Judgment(
                judge=judge,
                shown=(0, 1) if shown == responses else (1, 0),
                scores=scores,
                status="ok" if scores else "unparsed",
            ),
        )
        yield ImportedRecord(record, row, pick)


FORMAT = Format(
    manual=__doc__,
    summary="RewardMATH: verdicts on the right solution against each wrong one",
    example="import rewardmath_pairs gpt4o_pairwise_reward.json --out pairs.parquet",
    tasks=("rewardmath_pairs",),
    recognises=recognises,
    read_sources=read_sources,
)
