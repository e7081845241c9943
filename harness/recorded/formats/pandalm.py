"""PandaLM test set: testset-v1.json (three annotators an item) plus result files keyed by idx.

Which file is which is recognised by content: annotator1, … make the items and the human rows (judge "human", sample =
annotator); a field ending in _result (pandalm_result, gpt_result), or `result`, or the one named by --field, makes a
judge's rows. One file may hold both, as JudgeLRM's do. 1 and 2 name the better response, 0 is a tie (and so are "tie"
and "garbage", as the owners score them), and everything else is unparsed. gold is null: the task takes the majority of
the annotators.
The judge is --judge or the file's name without -testset-v1 and results_.
Item: idx; cluster: instruction and input, shared by all pairs of one question; response names: cmp_key's two models.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from judgescale.harness.recorded.source import Imported, Row, Source, need, text_key, wrong
from judgescale.harness.types import HUMAN, Judgment, Record

SUMMARY = "PandaLM: testset-v1.json plus judges' result files"
EXAMPLE = "import pandalm testset-v1.json pandalm-7b-testset-v1.json --out pandalm.parquet"
TASKS = ("pandalm",)

TIE = (0.5, 0.5)
# The words are what the owners' data/compute_metrics.py reads as 0.
SCORES = {"0": TIE, "Tie": TIE, "tie": TIE, "garbage": TIE, "1": (1.0, 0.0), "2": (0.0, 1.0)}
KNOWN = {"pandalm-7b": "PandaLM-7B", "pandalm-7b-v1": "PandaLM-7B"}


class Pair(NamedTuple):
    cluster: str
    responses: tuple[str, str]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--field", help="the field with the verdict, where it is not the one that ends in _result")


def recognises(source: Source) -> bool:
    first = set(source.first())
    return "idx" in first and ("annotator1" in first or any(_is_result(field) for field in first))


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    return Imported(rows=_rows(sources, options), tasks=TASKS)


def _is_result(field: str) -> bool:
    return field == "result" or field.endswith("_result")


def _annotators(row: Mapping[str, Any]) -> list[str]:
    return sorted((f for f in row if re.fullmatch(r"annotator\d+", f)), key=lambda f: int(f.removeprefix("annotator")))


def _rows(sources: Sequence[Source], options: argparse.Namespace) -> Iterator[Row]:
    items: dict[str, Pair] = {}
    for source in sources:
        if not _annotators(source.first()):
            continue
        for number, row in source.objects():
            prompt = str(need(source, number, row, "idx", int, str))
            pair = Pair(
                text_key(need(source, number, row, "instruction", str), str(row.get("input") or "")),
                models(need(source, number, row, "cmp_key", str)),
            )
            if prompt in items:
                if items[prompt] != pair:
                    wrong(source, number, "idx", f"{prompt} is another item in an earlier file")
                continue  # a result file that repeats the test set adds no annotators
            items[prompt] = pair
            for sample, annotator in enumerate(_annotators(row)):
                yield Row(_record(prompt, pair, HUMAN, sample, row[annotator], None), source, number)
    if not items:
        wrong(sources[0], None, "annotator1", "no file has the annotators' labels; add testset-v1.json to the files")
    results = [(source, field) for source in sources if (field := _field(source, options.field)) is not None]
    if not results:
        wrong(sources[0], None, None, "no file has a judge's results (a field ending in _result, or --field NAME)")
    for source, verdict in results:
        judge = options.judge or _judge(source)
        for number, row in source.objects():
            prompt = str(need(source, number, row, "idx", int, str))
            if prompt not in items:
                wrong(source, number, "idx", f"{prompt} is not in the test set")
            if verdict not in row:
                wrong(source, number, verdict, "is missing")
            record = _record(prompt, items[prompt], judge, 0, row[verdict], _chars(row, verdict))
            yield Row(record, source, number, row[verdict])


def _field(source: Source, given: str | None) -> str | None:
    fields = list(source.first())
    if given is not None and given in fields:
        return given
    found = [field for field in fields if _is_result(field)]
    if len(found) > 1:
        wrong(source, 1, None, f"has {len(found)} results ({', '.join(found)}); choose one with --field NAME")
    return found[0] if found else None


def _judge(source: Source) -> str:
    name = source.stem.removesuffix("-testset-v1").removeprefix("results_")
    return KNOWN.get(name, name)


def models(key: str) -> tuple[str, str]:
    names = key.split("_")
    return (names[0], names[1]) if len(names) == 2 and names[0] != names[1] else ("1", "2")


def _chars(row: Mapping[str, Any], field: str) -> int | None:
    """The length of what the judge wrote, as far as the file keeps it: the whole output, or reason and reference."""
    if isinstance(row.get("output"), str):
        return len(row["output"])
    stem = field.removesuffix("result")
    texts = [row.get(stem + part) for part in ("reason", "reference")]
    return sum(len(text) for text in texts if isinstance(text, str)) if stem and any(texts) else None


def _record(prompt: str, pair: Pair, judge: str, sample: int, verdict: Any, chars: int | None) -> Record:
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
