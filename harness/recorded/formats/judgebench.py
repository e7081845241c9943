"""A JudgeBench output file (outputs/dataset=judgebench,…,judge_name=…,judge_model=….jsonl), one judge a file.

Of every pair: judgments[0] saw the responses as A, B and judgments[1] with the order swapped; a third and fourth are
taken as repeats of the first and second. The decision is in the letters that were shown. A judgment that is null means
the judge raised an error (failed); a decision that is not A>B, B>A or A=B is unparsed. Reward models' files have the
same shape; their decisions are kept, not their scores, because the decision is what JudgeBench scores.
Item: pair_id; cluster: the question; subset: source.

Example row:
  {"pair_id": "1f2e…", "source": "mmlu-pro-law", "question": "Is it?", "label": "B>A", "judge_name": "arena_hard",
   "judgments": [{"judgment": {"judge_model": "o1-mini", "response": "…"}, "decision": "A>B"}, null]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow, hash_texts, reject
from judgescale.harness.types import Judgment, Record

SCORES = {"A>B": (1.0, 0.0), "B>A": (0.0, 1.0), "A=B": (0.5, 0.5)}
GOLD = {"A>B": (1.0, 0.0), "B>A": (0.0, 1.0)}
REWARD_MODEL = "reward_model"  # what stands in the place of a prompt's name where there is none


def recognises(source: Source) -> bool:
    """Tell whether a file's first record is a pair with its judgments."""
    return {"pair_id", "label", "judgments"} <= set(source.peek())


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read every game of every pair."""
    judges = _name_judges(sources, options["judge"])
    prompts = {judge: _find_prompt(source) for judge, source in zip(judges, sources, strict=True)}
    prompts = {judge: prompt for judge, prompt in prompts.items() if prompt not in ("", REWARD_MODEL)}
    return Imported(_read_records(sources, judges), prompts=prompts)


def _name_judges(sources: Sequence[Source], given: str | None) -> list[str]:
    """Name each file's judge: model/prompt where one model judged with several prompts, so as never to pool them."""
    models = [given or _find_model(source) for source in sources]
    prompts = [_find_prompt(source) for source in sources]
    used: dict[str, set[str]] = {}
    for model, prompt in zip(models, prompts, strict=True):
        used.setdefault(model, set()).add(prompt)
    return [
        f"{model}/{prompt}" if len(used[model]) > 1 else model for model, prompt in zip(models, prompts, strict=True)
    ]


def _find_prompt(source: Source) -> str:
    """Find whose prompt it is in the first pair: arena_hard, vanilla, … or REWARD_MODEL."""
    return str(source.peek().get("judge_name") or "")


def _find_model(source: Source) -> str:
    """Find the judging model in the first judgment that names it, or in the file's name."""
    for row in source.read_objects():
        for game in row.need("judgments", list):
            inner = game.get("judgment") if isinstance(game, dict) else None
            if isinstance(inner, dict) and inner.get("judge_model"):
                return str(inner["judge_model"])
    named = re.search(r"judge_model=([^,]+)$", source.stem)
    if named:
        return named.group(1)
    reject(source, None, "judge_model", "is in no judgment and not in the file's name; give it with --judge NAME")


def _read_records(sources: Sequence[Source], judges: Sequence[str]) -> Iterator[ImportedRecord]:
    for source, judge in zip(sources, judges, strict=True):
        for row in source.read_objects():
            yield from _read_pair(row, judge)


def _read_pair(row: SourceRow, judge: str) -> Iterator[ImportedRecord]:
    prompt = row.need("pair_id", str)
    label = row.need("label", str)
    if label not in GOLD:
        row.reject("label", f"{label!r} is neither 'A>B' nor 'B>A'")
    games = row.need("judgments", list)
    if not games:
        row.reject("judgments", "is empty; run the judge on this pair or take the pair out")
    cluster = hash_texts(row.need("question", str)) if "question" in row.fields else prompt
    for index, game in enumerate(games):
        if game is not None and not isinstance(game, dict):
            row.reject("judgments", f"entry {index + 1} is neither an object nor null")
        record = Record(
            prompt=prompt,
            cluster=cluster,
            subset=str(row.get("source") or ""),
            responses=("A", "B"),
            gold=GOLD[label],
            judgment=_read_judgment(game, index, judge),
        )
        yield ImportedRecord(record, row, (game or {}).get("decision"))


def _read_judgment(game: Mapping[str, Any] | None, index: int, judge: str) -> Judgment:
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


FORMAT = Format(
    manual=__doc__,
    summary="JudgeBench: a judge's output file, two games a pair",
    example="import judgebench 'outputs/dataset=judgebench,…,judge_model=o1-mini.jsonl' --out o1.parquet",
    tasks=("judgebench",),
    recognises=recognises,
    read_sources=read_sources,
)
