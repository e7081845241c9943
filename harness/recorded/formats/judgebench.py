"""A JudgeBench output file (outputs/dataset=judgebench,…,judge_name=…,judge_model=….jsonl), one judge a file.

Of every pair: judgments[0] saw the responses as A, B and judgments[1] with the order swapped; a third and fourth are
taken as repeats of the first and second. The decision is in the letters that were shown. A judgment that is null means
the judge raised an error (failed); a decision that is not A>B, B>A or A=B is unparsed. Reward models' files have the
same shape; their decisions are kept, not their scores, because the decision is what JudgeBench scores.
Item: pair_id; cluster: the question; subset: source.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import Any

from judgescale.harness.recorded.source import Imported, Row, Source, need, text_key, wrong
from judgescale.harness.types import Judgment, Record

SUMMARY = "JudgeBench: a judge's output file, two games a pair"
EXAMPLE = "import judgebench 'outputs/dataset=judgebench,…,judge_model=o1-mini.jsonl' --out o1.parquet"
TASKS = ("judgebench",)

SCORES = {"A>B": (1.0, 0.0), "B>A": (0.0, 1.0), "A=B": (0.5, 0.5)}
GOLD = {"A>B": (1.0, 0.0), "B>A": (0.0, 1.0)}


def recognises(source: Source) -> bool:
    return {"pair_id", "label", "judgments"} <= set(source.first())


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    judges = _judges(sources, options.judge)
    return Imported(rows=_rows(sources, judges), tasks=TASKS)


def _judges(sources: Sequence[Source], given: str | None) -> list[str]:
    """Each file's judge; model/prompt where one model judged with several prompts, so that they are never pooled."""
    models = [given or _model(source) for source in sources]
    prompts = [str(source.first().get("judge_name") or "") for source in sources]
    used: dict[str, set[str]] = {}
    for model, prompt in zip(models, prompts, strict=True):
        used.setdefault(model, set()).add(prompt)
    return [
        f"{model}/{prompt}" if len(used[model]) > 1 else model for model, prompt in zip(models, prompts, strict=True)
    ]


def _model(source: Source) -> str:
    for _, row in source.objects():
        for entry in row.get("judgments") or ():
            inner = entry.get("judgment") if isinstance(entry, dict) else None
            if isinstance(inner, dict) and inner.get("judge_model"):
                return str(inner["judge_model"])
    named = re.search(r"judge_model=([^,]+)$", source.stem)
    if named:
        return named.group(1)
    wrong(source, None, "judge_model", "is in no judgment and not in the file's name; give it with --judge NAME")


def _rows(sources: Sequence[Source], judges: Sequence[str]) -> Iterator[Row]:
    for source, judge in zip(sources, judges, strict=True):
        for number, row in source.objects():
            prompt = need(source, number, row, "pair_id", str)
            label = need(source, number, row, "label", str)
            if label not in GOLD:
                wrong(source, number, "label", f"{label!r} is neither 'A>B' nor 'B>A'")
            games = need(source, number, row, "judgments", list)
            if not games:
                wrong(source, number, "judgments", "is empty; run the judge on this pair or take the pair out")
            cluster = text_key(need(source, number, row, "question", str)) if "question" in row else prompt
            for index, game in enumerate(games):
                if game is not None and not isinstance(game, dict):
                    wrong(source, number, "judgments", f"entry {index + 1} is neither an object nor null")
                judgment = _judgment(judge, index, game)
                subset, said = str(row.get("source") or ""), (game or {}).get("decision")
                yield Row(
                    Record(
                        prompt=prompt,
                        cluster=cluster,
                        subset=subset,
                        responses=("A", "B"),
                        gold=GOLD[label],
                        judgment=judgment,
                    ),
                    source,
                    number,
                    said,
                )


def _judgment(judge: str, index: int, game: dict[str, Any] | None) -> Judgment:
    scores = SCORES.get(str(game.get("decision"))) if game is not None else None
    status = "failed" if game is None else "ok" if scores is not None else "unparsed"
    inner = (game or {}).get("judgment")
    text = inner.get("response") if isinstance(inner, dict) and "scores" not in inner else None
    return Judgment(
        judge=judge,
        shown=(0, 1) if index % 2 == 0 else (1, 0),
        scores=scores,
        status=status,
        sample=index // 2,
        chars=len(text) if isinstance(text, str) else None,
    )
