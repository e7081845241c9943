"""RewardBench 2 items of which a judge scored each response alone, k times (criteria ensembling, arXiv 2604.13717).

A row holds one or more judges under short names: "<who>_scores" is a list of k scores for each response, null where
there is none, and "<who>_errors" says why. Sample s of all responses together is one judgment, and it is kept where at
least one response has a score. Response 0 is the right one. A row that has no scores, as one that was refused, is k
judgments without scores. prompt_variant (or the file's name up to its first _) names the prompt, and becomes the
variant; a file named …_t0.3… was sampled at that temperature, which its variant says ("base@t0.3"), any other at 1.
Judges: --names full=NAME,mini=NAME; without it full, mini and nano are GPT-5.4, GPT-5.4 mini and GPT-5.4 nano, and in a
file with "claude" in its name full and mini are Claude Sonnet 4.6 and Claude Haiku 4.5.
Tokens: the row's, which are of all its samples, in equal parts. Input tokens are left out in a "claude" file, for they
hold the context of the coding client that asked.
Item: subset/id, as in rewardbench2; the set is pointwise.

Example row, two responses and two samples:
  {"id": "7", "subset": "Math", "prompt_variant": "base", "k": 2, "full_scores": [[9, 8], [3, null]],
   "full_errors": [[null, null], [null, "no_score_found"]], "cost": {"full_output_tokens": 90}, "refused": false}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, to_number
from judgescale.harness.types import JudgescaleError, Judgment, Record

GPT = {"full": "GPT-5.4", "mini": "GPT-5.4 mini", "nano": "GPT-5.4 nano"}
CLAUDE = {"full": "Claude Sonnet 4.6", "mini": "Claude Haiku 4.5"}
SCORES, ERRORS = "_scores", "_errors"
USUAL_RESPONSES, USUAL_TEMPERATURE = 4, 1.0  # of a row that has none; of a file whose name says none


def recognises(source: Source) -> bool:
    """Tell whether a file's first row is an item with somebody's scores of its responses."""
    first = source.peek()
    return {"id", "subset", "k"} <= set(first) and bool(_list_judges(first))


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read every sample of every judge."""
    notes = ["Each response was scored alone. Tokens are the row's, in equal parts to its samples"]
    if any(_is_claude(source) for source in sources):
        notes.append("Input tokens of the Claude judges are left out: they count the context of a coding client")
    temperatures = {_read_temperature(source) for source in sources}
    read = list(_read_records(sources, options))
    asked = {(each.record.judgment.judge, each.record.judgment.variant) for each in read}
    return Imported(
        iter(read),
        pointwise=True,
        notes=tuple(notes),
        temperature=temperatures.pop() if len(temperatures) == 1 else None,
        prompts={f"{judge}/{variant}": variant.partition("@")[0] for judge, variant in sorted(asked)},
    )


def _read_records(sources: Sequence[Source], options: Options) -> Iterator[ImportedRecord]:
    given = _read_names(options["names"])
    for source in sources:
        names = {**(CLAUDE if _is_claude(source) else GPT), **given}
        for row in source.read_objects():
            judges = _list_judges(row.fields)
            if options["judge"] and len(judges) > 1:
                row.reject(None, f"holds {', '.join(judges)}: name them with --names {judges[0]}=NAME,…, not --judge")
            for who in judges:
                judge = options["judge"] or names.get(who)
                if not judge:
                    row.reject(who + SCORES, f"nobody says which model {who!r} is: give it with --names {who}=NAME")
                for record in _read_row(row, who, judge):
                    yield ImportedRecord(record, row)


def _read_names(said: str | None) -> dict[str, str]:
    """Read the option --names. Raises JudgescaleError where it is no list of WHO=NAME."""
    pairs = [pair.partition("=") for pair in (said or "").split(",") if pair.strip()]
    if wrong := next((who for who, _, name in pairs if not who.strip() or not name.strip()), None):
        raise JudgescaleError(f"--names {said}: {wrong!r} must be WHO=NAME, as in full=GPT-5.4,mini=GPT-5.4 mini")
    return {who.strip(): name.strip() for who, _, name in pairs}


def _list_judges(row: Mapping[str, Any]) -> list[str]:
    """List the short names of the judges in a row."""
    return [name.removesuffix(SCORES) for name in row if name.endswith(SCORES) and name != SCORES]


def _is_claude(source: Source) -> bool:
    return "claude" in source.stem.lower()


def _read_temperature(source: Source) -> float:
    found = re.search(r"_t(\d+(?:\.\d+)?)(?:_|$)", source.stem)
    return float(found.group(1)) if found else USUAL_TEMPERATURE


def _read_variant(row: SourceRow) -> str:
    """Return the prompt's name, from the row or else as the file's name begins."""
    if row.get("prompt_variant") is None:
        return row.source.stem.partition("_")[0]
    variant: str = row.need("prompt_variant", str)
    return variant


def _read_row(row: SourceRow, who: str, judge: str) -> Iterator[Record]:
    """Yield each sample of one judge about one item."""
    subset = row.need("subset", str)
    if subset.lower() == "ties":
        row.reject("subset", "Ties items have several right responses, and these rows do not say how many")
    prompt = f"{subset}/{row.need('id', str, int)}"
    scores, errors = _read_scores(row, who), row.get(who + ERRORS)
    size, samples = len(scores), len(scores[0])
    variant, temperature = _read_variant(row), _read_temperature(row.source)
    if temperature != USUAL_TEMPERATURE:
        variant += f"@t{temperature:g}"
    input_tokens = _share_tokens(row, "" if _is_claude(row.source) else f"{who}_input_tokens", samples)
    output_tokens = _share_tokens(row, f"{who}_output_tokens", samples)
    for sample in range(samples):
        of_sample = tuple(of_response[sample] for of_response in scores)
        known = [score for score in of_sample if isfinite(score)]
        judgment = Judgment(
            judge=judge,
            shown=tuple(range(size)),
            scores=of_sample if known else None,
            status="ok" if known else _find_status(row, errors, sample),
            sample=sample,
            variant=variant,
            prompt_tokens=input_tokens[sample],
            completion_tokens=output_tokens[sample],
        )
        yield Record(
            prompt=prompt,
            cluster=prompt,
            subset=subset,
            responses=tuple(map(str, range(size))),
            gold=(1.0,) + (0.0,) * (size - 1),
            judgment=judgment,
        )


def _read_scores(row: SourceRow, who: str) -> list[list[float]]:
    """Return k scores for each response, NaN where there is none; a row without any has none for each."""
    field = who + SCORES
    found = row.fields[field] or []
    if not isinstance(found, list):
        row.reject(field, "is no list of scores for each response")
    if all(not of_response for of_response in found):
        samples = row.need("k", int)
        if samples < 1:
            row.reject("k", f"{samples} is no number of samples")
        return [[nan] * samples for _ in found or range(USUAL_RESPONSES)]
    if not all(isinstance(of_response, list) for of_response in found):
        row.reject(field, "must be a list of scores for each response")
    if len(lengths := {len(of_response) for of_response in found}) > 1:
        row.reject(field, f"has {' and '.join(map(str, sorted(lengths)))} scores for the responses of one item")
    return [[_read_score(row, field, value) for value in of_response] for of_response in found]


def _read_score(row: SourceRow, field: str, value: Any) -> float:
    """Return a score, NaN for null."""
    if value is None:
        return nan
    if (score := to_number(value)) is None:
        row.reject(field, f"{value!r} is neither a number nor null")
    return score if isfinite(score) else nan


def _find_status(row: SourceRow, errors: Any, sample: int) -> str:
    """Say why no response of a sample has a score: what most of its errors say, or that the row was refused."""
    found: Counter[str] = Counter()
    for of_response in errors if isinstance(errors, list) else []:
        error = of_response[sample] if isinstance(of_response, list) and sample < len(of_response) else of_response
        if isinstance(error, str):
            found[_classify_error(error)] += 1
    return found.most_common(1)[0][0] if found else "refused" if row.get("refused") is True else "unparsed"


def _classify_error(error: str) -> str:
    """Return the status that an error stands for."""
    said = error.lower()
    if "refus" in said or "filter" in said:
        return "refused"
    if "length" in said or "truncat" in said:
        return "truncated"
    return "unparsed" if "score" in said or "parse" in said else "failed"


def _share_tokens(row: SourceRow, field: str, samples: int) -> list[int | None]:
    """Share a row's tokens among its samples so that they add up to them; None for each where there is no count."""
    cost = row.get("cost")
    count = cost.get(field) if isinstance(cost, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return [None] * samples
    return [count // samples + (sample < count % samples) for sample in range(samples)]


FORMAT = Format(
    manual=__doc__,
    summary="Criteria ensembling: k scores of each RewardBench 2 response, scored alone",
    example="import criteria_ensembling base_both_k8.jsonl base_nano_k8.jsonl --out samples.parquet",
    tasks=("rewardbench2",),
    recognises=recognises,
    read_sources=read_sources,
    options={"names": "which model each short name is, as in full=GPT-5.4,mini=GPT-5.4 mini"},
)
