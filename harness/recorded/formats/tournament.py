"""A pairwise tournament among models' answers (the layout of PRD's Vicuna-80): files or folders.

Rating files are named answer_{A}-vs-answer_{B}-{judge}-reviewer….jsonl and hold {"question_id", "score"}: 1 the first
shown (A), 2 the second, 3 a tie, anything else (-1) unparsed; `text` is the judge's. The judge "human" may have several
rows a question, one an annotator; all are kept as given. A folder is searched for rating files; a file of
{"question_id", "category"} gives the subsets.
Every item is one question with all models' answers, sorted by name, and shown names the two that were compared. Only
models that some judge other than "human" compared are kept, unless --models names them. gold is null: the task takes it
from the human rows. Where a judge has two files for one pair and order, the one named as above wins over the spelling
answer-{A}-vs-answer-{B}-…; the other file's judgments are dropped, counted and reported.

Example row, in ratings-gpt4/answer_bard-vs-answer_claude-gpt4-reviewer.jsonl:
  {"question_id": 1, "score": 1, "text": "Assistant 1 is better because …"}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, reject
from judgescale.harness.types import HUMAN, Judgment, Record

NAME = re.compile(r"^answer([_-])(.+?)-vs-answer[_-](.+)-reviewer[^/]*$")
SCORES: dict[float, tuple[float, float]] = {1: (1.0, 0.0), 2: (0.0, 1.0), 3: (0.5, 0.5)}

Annotators = Counter[tuple[str, tuple[int, int]]]  # (question, shown) -> how many labels it has so far


class Match(NamedTuple):
    """One rating file: who compared what, in which order."""

    source: Source
    first: str
    second: str
    judge: str
    documented: bool  # its name is spelled as the authors document it


def recognises(source: Source) -> bool:
    """Tell whether a file holds ratings, by its name and first record, or the questions."""
    first = set(source.peek())
    return ("question_id" in first and "score" in first and "-vs-" in source.path.name) or _is_questions(source)


def _is_questions(source: Source) -> bool:
    first = set(source.peek())
    return {"question_id", "category"} <= first and "score" not in first


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read the ratings among the models that judges compared, or among those that --models names."""
    chosen = [name.strip() for name in (options["models"] or "").split(",") if name.strip()]
    matches = _read_names([source for source in sources if not _is_questions(source)], chosen, options["judge"])
    matches, dropped = _drop_twins(matches)
    judged = {name for match in matches if match.judge != HUMAN for name in (match.first, match.second)}
    models = tuple(sorted(chosen or judged or {name for match in matches for name in (match.first, match.second)}))
    kept = [match for match in matches if {match.first, match.second} <= set(models)]
    if not kept:
        reject(sources[0], None, None, f"no rating file compares two of {', '.join(models) or 'the models'}")
    categories = _read_categories(sources)
    return Imported(
        _read_records(kept, models, categories),
        pool=True,
        notes=_report_dropped(dropped),
        unused=tuple(match.source for match in [*matches, *dropped] if match not in kept),
    )


def _read_names(sources: Sequence[Source], chosen: Sequence[str], given_judge: str | None) -> list[Match]:
    """Read from each rating file's name who compared what."""
    parts = []
    for source in sources:
        found = NAME.match(source.stem)
        if not found:
            reject(source, None, None, "is not named answer_{A}-vs-answer_{B}-{judge}-reviewer….jsonl")
        parts.append((source, found.group(1) == "_", found.group(2), found.group(3)))
    models = set(chosen) | {first for _, _, first, _ in parts}
    return [
        Match(source, first, *_split_name(source, rest, models, given_judge), documented)
        for source, documented, first, rest in parts
    ]


def _split_name(source: Source, rest: str, models: set[str], given_judge: str | None) -> tuple[str, str]:
    """Split into model and judge. Both may hold hyphens: "bard-vicuna-13b" is the model bard, the judge vicuna-13b."""
    cuts = [(rest[: m.start()], rest[m.end() :]) for m in re.finditer("-", rest)]
    folder = source.path.absolute().parent.name
    if given_judge:
        cuts = [(model, judge) for model, judge in cuts if judge == given_judge]
    elif folder.startswith("ratings-"):
        cuts = [(model, judge) for model, judge in cuts if judge == folder.removeprefix("ratings-")] or cuts
    fitting = [cut for cut in cuts if cut[0] in models] or cuts
    if len(fitting) != 1:
        reject(
            source,
            None,
            None,
            f"cannot tell the second model from the judge in {rest!r}; give --models A,B,… or --judge NAME",
        )
    return fitting[0]


def _drop_twins(matches: Sequence[Match]) -> tuple[list[Match], list[Match]]:
    """Return the files to read, and those that a documented file for the same judge, pair and order replaces."""
    documented = {(m.first, m.second, m.judge) for m in matches if m.documented}
    kept: list[Match] = []
    dropped: list[Match] = []
    for match in matches:
        twin = not match.documented and (match.first, match.second, match.judge) in documented
        (dropped if twin else kept).append(match)
    return kept, dropped


def _report_dropped(dropped: Sequence[Match]) -> tuple[str, ...]:
    if not dropped:
        return ()
    count = sum(len(match.source.rows) for match in dropped)
    names = ", ".join(match.source.path.name for match in dropped)
    return (f"{count} judgments dropped: a second file for the same judge, pair and order ({names})",)


def _read_categories(sources: Sequence[Source]) -> dict[str, str]:
    """Map each question to its category, where a file of questions was given."""
    found: dict[str, str] = {}
    for source in sources:
        if _is_questions(source):
            for row in source.read_objects():
                key = str(row.need("question_id", int, str))
                found[key] = row.need("category", str)
    return found


def _read_records(
    matches: Sequence[Match], models: tuple[str, ...], categories: Mapping[str, str]
) -> Iterator[ImportedRecord]:
    annotators: Annotators = Counter()
    for match in sorted(matches, key=lambda m: (m.judge == HUMAN, m.judge, m.first, m.second)):
        shown = (models.index(match.first), models.index(match.second))
        for row in match.source.read_objects():
            prompt = str(row.need("question_id", int, str))
            judgment = _read_judgment(row, prompt, shown, match.judge, annotators)
            record = Record(
                prompt=prompt,
                cluster=prompt,
                subset=categories.get(prompt, ""),
                responses=models,
                gold=None,
                judgment=judgment,
            )
            yield ImportedRecord(record, row, row.get("score"))


def _read_judgment(row: SourceRow, prompt: str, shown: tuple[int, int], judge: str, annotators: Annotators) -> Judgment:
    if "score" not in row.fields:
        row.reject("score", "is missing")
    value, text = row.fields["score"], row.get("text")
    scores = SCORES.get(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    sample, chars = 0, None
    if judge == HUMAN:
        sample = annotators[prompt, shown]
        annotators[prompt, shown] += 1
    elif isinstance(text, str):
        chars = len(text)  # a human row's text is the question
    status = "unparsed" if scores is None else "ok"
    return Judgment(judge=judge, shown=shown, scores=scores, status=status, sample=sample, chars=chars)


FORMAT = Format(
    manual=__doc__,
    summary="pairwise tournaments: answer_A-vs-answer_B-JUDGE-reviewer files, human labels beside them",
    example="import tournament data/vicuna80/ --out vicuna80.parquet",
    tasks=("vicuna80_pairs", "vicuna80_best_of_5"),
    recognises=recognises,
    read_sources=read_sources,
    options={"models": "comma-separated models to keep (default: those a judge compared)"},
    named_by_path=True,
)
