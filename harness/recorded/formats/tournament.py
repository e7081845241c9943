"""A pairwise tournament among models' answers (the layout of PRD's Vicuna-80): files or folders.

Rating files are named answer_{A}-vs-answer_{B}-{judge}-reviewer….jsonl and hold {"question_id", "score"}: 1 the first
shown (A), 2 the second, 3 a tie, anything else (-1) unparsed; `text` is the judge's. The judge "human" may have several
rows a question, one an annotator; all are kept as given. A folder is searched for rating files; a file of
{"question_id", "category"} gives the subsets.
Every item is one question with all models' answers, sorted by name, and shown names the two that were compared. Only
models that some judge other than "human" compared are kept, unless --models names them. gold is null: the task takes it
from the human rows. Where a judge has two files for one pair and order, the one named as above wins over the spelling
answer-{A}-vs-answer-{B}-…; the other file's judgments are dropped, counted and reported.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from judgescale.harness.recorded.source import Imported, Row, Source, need, wrong
from judgescale.harness.types import HUMAN, Judgment, Record

SUMMARY = "pairwise tournaments: answer_A-vs-answer_B-JUDGE-reviewer files, human labels beside them"
EXAMPLE = "import tournament data/vicuna80/ --out vicuna80.parquet"
TASKS = ("vicuna80_pairs", "vicuna80_best_of_5")
NAMED_BY_PATH = True  # two files may well hold the same verdicts about different things

NAME = re.compile(r"^answer([_-])(.+?)-vs-answer[_-](.+)-reviewer[^/]*$")
SCORES: dict[float, tuple[float, float]] = {1: (1.0, 0.0), 2: (0.0, 1.0), 3: (0.5, 0.5)}


class Match(NamedTuple):
    """One rating file: who compared what, in which order."""

    source: Source
    first: str
    second: str
    judge: str
    documented: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", help="comma-separated models to keep (default: those a judge compared)")


def recognises(source: Source) -> bool:
    first = set(source.first())
    return ("question_id" in first and "score" in first and "-vs-" in source.path.name) or _is_questions(source)


def _is_questions(source: Source) -> bool:
    first = set(source.first())
    return {"question_id", "category"} <= first and "score" not in first


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    chosen = [name.strip() for name in options.models.split(",") if name.strip()] if options.models else []
    matches = _matches([source for source in sources if not _is_questions(source)], chosen, options.judge)
    matches, dropped = _without_twins(matches)
    judged = {name for match in matches if match.judge != HUMAN for name in (match.first, match.second)}
    models = tuple(sorted(chosen or judged or {name for match in matches for name in (match.first, match.second)}))
    kept = [match for match in matches if {match.first, match.second} <= set(models)]
    if not kept:
        wrong(sources[0], None, None, f"no rating file compares two of {', '.join(models) or 'the models'}")
    categories = _categories(sources)
    unused = tuple(match.source for match in [*matches, *dropped] if match not in kept)
    rows = _rows(kept, models, categories)
    return Imported(rows=rows, tasks=TASKS, pool=True, notes=_notes(dropped), unused=unused)


def _matches(sources: Sequence[Source], chosen: Sequence[str], given: str | None) -> list[Match]:
    parts = []
    for source in sources:
        found = NAME.match(source.stem)
        if not found:
            wrong(source, None, None, "is not named answer_{A}-vs-answer_{B}-{judge}-reviewer….jsonl")
        parts.append((source, found.group(1) == "_", found.group(2), found.group(3)))
    models = set(chosen) | {first for _, _, first, _ in parts}
    return [
        Match(source, first, *_split(source, rest, models, given), documented)
        for source, documented, first, rest in parts
    ]


def _split(source: Source, rest: str, models: set[str], given: str | None) -> tuple[str, str]:
    """Both names may hold hyphens: "bard-vicuna-13b" is the model bard and the judge vicuna-13b."""
    cuts = [(rest[: m.start()], rest[m.end() :]) for m in re.finditer("-", rest)]
    folder = source.path.absolute().parent.name
    if given:
        cuts = [(model, judge) for model, judge in cuts if judge == given]
    elif folder.startswith("ratings-"):
        cuts = [(model, judge) for model, judge in cuts if judge == folder.removeprefix("ratings-")] or cuts
    fitting = [cut for cut in cuts if cut[0] in models] or cuts
    if len(fitting) != 1:
        wrong(
            source,
            None,
            None,
            f"cannot tell the second model from the judge in {rest!r}; give --models A,B,… or --judge NAME",
        )
    return fitting[0]


def _without_twins(matches: Sequence[Match]) -> tuple[list[Match], list[Match]]:
    documented = {(m.first, m.second, m.judge) for m in matches if m.documented}
    kept: list[Match] = []
    dropped: list[Match] = []
    for match in matches:
        twin = not match.documented and (match.first, match.second, match.judge) in documented
        (dropped if twin else kept).append(match)
    return kept, dropped


def _notes(dropped: Sequence[Match]) -> tuple[str, ...]:
    if not dropped:
        return ()
    count = sum(len(match.source.rows) for match in dropped)
    names = ", ".join(match.source.path.name for match in dropped)
    return (f"{count} judgments dropped: a second file for the same judge, pair and order ({names})",)


def _categories(sources: Sequence[Source]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        if _is_questions(source):
            for number, row in source.objects():
                key = str(need(source, number, row, "question_id", int, str))
                found[key] = need(source, number, row, "category", str)
    return found


def _rows(matches: Sequence[Match], models: tuple[str, ...], categories: dict[str, str]) -> Iterator[Row]:
    annotators: dict[tuple[str, tuple[int, int]], int] = {}
    order = sorted(matches, key=lambda m: (m.judge == HUMAN, m.judge, m.first, m.second))
    for match in order:
        shown = (models.index(match.first), models.index(match.second))
        for number, row in match.source.objects():
            prompt = str(need(match.source, number, row, "question_id", int, str))
            if "score" not in row:
                wrong(match.source, number, "score", "is missing")
            value = row["score"]
            scores = SCORES.get(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
            sample, chars = 0, None
            if match.judge == HUMAN:
                sample = annotators.get((prompt, shown), 0)
                annotators[prompt, shown] = sample + 1
            elif isinstance(row.get("text"), str):
                chars = len(row["text"])  # a human row's text is the question
            judgment = Judgment(
                judge=match.judge,
                shown=shown,
                scores=scores,
                status="unparsed" if scores is None else "ok",
                sample=sample,
                chars=chars,
            )
            record = Record(
                prompt=prompt,
                cluster=prompt,
                subset=categories.get(prompt, ""),
                responses=models,
                gold=None,
                judgment=judgment,
            )
            yield Row(record, match.source, number, value)
