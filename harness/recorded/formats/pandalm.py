"""PandaLM test set: testset-v1.json (three annotators an item) plus result files keyed by idx.

Which file is which is recognised by content: annotator1, … make the items and the human rows (judge "human", sample =
annotator); a field ending in _result (pandalm_result, gpt_result), or `result`, or the one named by --field, makes a
judge's rows. One file may hold both, as JudgeLRM's do. 1 and 2 name the better response, 0 is a tie (and so are "tie"
and "garbage", as the owners score them), and everything else is unparsed. gold is null: the task takes the majority of
the annotators.
The judge is --judge or the file's name without -testset-v1 and results_.
Item: idx; cluster: instruction and input, shared by all pairs of one question; response names: cmp_key's two models.

Example rows, of the test set and of a judge:
  {"idx": 0, "cmp_key": "bloom-7b_opt-7b", "instruction": "Rewrite.", "input": "", "annotator1": 1, "annotator2": 0}
  {"idx": 0, "pandalm_result": 1, "pandalm_reason": "…"}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, hash_texts, reject
from judgescale.harness.types import HUMAN, Judgment, Record

TIE = (0.5, 0.5)
# The words are what the owners' data/compute_metrics.py reads as 0.
SCORES = {"0": TIE, "Tie": TIE, "tie": TIE, "garbage": TIE, "1": (1.0, 0.0), "2": (0.0, 1.0)}
KNOWN = {"pandalm-7b": "PandaLM-7B", "pandalm-7b-v1": "PandaLM-7B"}


class Pair(NamedTuple):
    """What a set keeps of an item of the test set."""

    cluster: str
    responses: tuple[str, str]


def recognises(source: Source) -> bool:
    """Tell whether a file's first record has an annotator's label or a judge's result."""
    first = set(source.peek())
    return "idx" in first and ("annotator1" in first or any(_is_result(field) for field in first))


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read the annotators' labels, then the judges' verdicts."""
    return Imported(_read_records(sources, options))


def _is_result(field: str) -> bool:
    return field == "result" or field.endswith("_result")


def _list_annotators(fields: Mapping[str, Any]) -> list[str]:
    """Return the fields with annotators' labels, by number."""
    found = (field for field in fields if re.fullmatch(r"annotator\d+", field))
    return sorted(found, key=lambda field: int(field.removeprefix("annotator")))


def _read_records(sources: Sequence[Source], options: Options) -> Iterator[ImportedRecord]:
    items: dict[str, Pair] = {}
    for source in sources:
        if _list_annotators(source.peek()):
            yield from _read_labels(source, items)
    if not items:
        reject(sources[0], None, "annotator1", "no file has the annotators' labels; add testset-v1.json to the files")
    results = [(source, field) for source in sources if (field := _find_field(source, options["field"])) is not None]
    if not results:
        reject(sources[0], None, None, "no file has a judge's results (a field ending in _result, or --field NAME)")
    for source, field in results:
        yield from _read_verdicts(source, field, options["judge"] or _name_judge(source), items)


def _read_labels(source: Source, items: dict[str, Pair]) -> Iterator[ImportedRecord]:
    """Read the annotators' labels of a test set, and add its items to those known."""
    for row in source.read_objects():
        prompt = str(row.need("idx", int, str))
        cluster = hash_texts(row.need("instruction", str), str(row.get("input") or ""))
        pair = Pair(cluster, split_models(row.need("cmp_key", str)))
        if prompt in items:
            if items[prompt] != pair:
                row.reject("idx", f"{prompt} is another item in an earlier file")
            continue  # a result file that repeats the test set adds no annotators
        items[prompt] = pair
        for sample, annotator in enumerate(_list_annotators(row.fields)):
            yield ImportedRecord(_read_record(prompt, pair, HUMAN, row.fields[annotator], sample=sample), row)


def _read_verdicts(source: Source, field: str, judge: str, items: Mapping[str, Pair]) -> Iterator[ImportedRecord]:
    """Read a judge's verdicts on items that are known."""
    for row in source.read_objects():
        prompt = str(row.need("idx", int, str))
        if prompt not in items:
            row.reject("idx", f"{prompt} is not in the test set")
        if field not in row.fields:
            row.reject(field, "is missing")
        verdict = row.fields[field]
        record = _read_record(prompt, items[prompt], judge, verdict, chars=_count_chars(row, field))
        yield ImportedRecord(record, row, verdict)


def _find_field(source: Source, given: str | None) -> str | None:
    """Return the field with a file's verdicts: the one that was named, or the one that looks like it."""
    fields = list(source.peek())
    if given is not None and given in fields:
        return given
    found = [field for field in fields if _is_result(field)]
    if len(found) > 1:
        reject(source, 1, None, f"has {len(found)} results ({', '.join(found)}); choose one with --field NAME")
    return found[0] if found else None


def _name_judge(source: Source) -> str:
    name = source.stem.removesuffix("-testset-v1").removeprefix("results_")
    return KNOWN.get(name, name)


def split_models(key: str) -> tuple[str, str]:
    """Split cmp_key into the two models' names; ("1", "2") where it does not name two."""
    names = key.split("_")
    return (names[0], names[1]) if len(names) == 2 and names[0] != names[1] else ("1", "2")


def _count_chars(row: SourceRow, field: str) -> int | None:
    """Count what the judge wrote, as far as the file keeps it: the whole output, or reason and reference."""
    output = row.get("output")
    if isinstance(output, str):
        return len(output)
    stem = field.removesuffix("result")
    texts = [row.get(stem + part) for part in ("reason", "reference")]
    return sum(len(text) for text in texts if isinstance(text, str)) if stem and any(texts) else None


def _read_record(
    prompt: str, pair: Pair, judge: str, verdict: Any, sample: int = 0, chars: int | None = None
) -> Record:
    if isinstance(verdict, float) and verdict.is_integer():
        verdict = int(verdict)  # a column with nulls turns whole numbers into 1.0
    scores = None if isinstance(verdict, bool) else SCORES.get(str(verdict).strip())
    status = "unparsed" if scores is None else "ok"
    return Record(
        prompt=prompt,
        cluster=pair.cluster,
        subset="",
        responses=pair.responses,
        gold=None,
        judgment=Judgment(judge=judge, shown=(0, 1), scores=scores, status=status, sample=sample, chars=chars),
    )


FORMAT = Format(
    manual=__doc__,
    summary="PandaLM: testset-v1.json plus judges' result files",
    example="import pandalm testset-v1.json pandalm-7b-testset-v1.json --out pandalm.parquet",
    tasks=("pandalm",),
    prompt="PandaLM",
    recognises=recognises,
    read_sources=read_sources,
    options={"field": "the field with the verdict, where it is not the one that ends in _result"},
)
