"""RMB pairwise results of a reward model: [{"pair_uid", "category_path", "chosen_reward", "reject_reward"}, …].

Rewards may be numbers or lists of one number; one that is not finite makes the pair unparsed. The dataset's own
Pairwise_set files may be given beside the results: then pairs of one conversation share their cluster, otherwise each
pair stands alone (the results do not say which conversation a pair is from).
Item: category/pair_uid; subset: category_path without Pairwise_set/; judge: --judge or the file's name without _result.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence

from judgescale.harness.recorded.source import Imported, Row, Source, as_number, need, text_key, wrong
from judgescale.harness.types import Judgment, Record

SUMMARY = "RMB: a reward model's chosen and rejected rewards, pair by pair"
EXAMPLE = "import rmb ArmoRM-Llama3-8B-v0.1_result.json --out rmb_armorm.parquet"
TASKS = ("rmb",)


def recognises(source: Source) -> bool:
    first = set(source.first())
    return {"pair_uid", "category_path"} <= first and bool({"chosen_reward", "conversation_input"} & first)


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    return Imported(rows=_rows(sources, options.judge), tasks=TASKS)


def _rows(sources: Sequence[Source], given: str | None) -> Iterator[Row]:
    clusters: dict[str, str] = {}
    results = [source for source in sources if "chosen_reward" in source.first()]
    for source in sources:
        if source not in results:
            for number, row in source.objects():
                _, prompt = _item(source, number, row)
                if "conversation_input" not in row:
                    wrong(source, number, "conversation_input", "is missing")
                clusters[prompt] = text_key(json.dumps(row["conversation_input"], sort_keys=True))
    if not results:
        wrong(sources[0], None, "chosen_reward", "no file has rewards; these are the benchmark's own files")
    for source in results:
        judge = given or source.stem.removesuffix("_result")
        for number, row in source.objects():
            subset, prompt = _item(source, number, row)
            rewards = (_reward(source, number, row, "chosen_reward"), _reward(source, number, row, "reject_reward"))
            ok = all(map(math.isfinite, rewards))
            judgment = Judgment(
                judge=judge, shown=(0, 1), scores=rewards if ok else None, status="ok" if ok else "unparsed"
            )
            cluster = clusters.get(prompt, prompt)
            yield Row(
                Record(
                    prompt=prompt,
                    cluster=cluster,
                    subset=subset,
                    responses=("chosen", "rejected"),
                    gold=(1.0, 0.0),
                    judgment=judgment,
                ),
                source,
                number,
            )


def _item(source: Source, number: int, row: dict[str, object]) -> tuple[str, str]:
    path = need(source, number, row, "category_path", str)
    subset = path.removeprefix("Pairwise_set/").strip("/")
    if path.startswith("BoN_set/"):
        wrong(source, number, "category_path", "is of the best-of-N set; this format takes the pairwise set")
    return subset, f"{subset}/{need(source, number, row, 'pair_uid', str, int)}"


def _reward(source: Source, number: int, row: dict[str, object], field: str) -> float:
    if row.get(field, 0) is None:
        return math.nan
    value = need(source, number, row, field, float, int, list)
    reward = as_number(value[0] if isinstance(value, list) and len(value) == 1 else value)
    if reward is None:
        wrong(source, number, field, f"{value} is not one number")
    return reward
