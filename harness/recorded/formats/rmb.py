"""RMB pairwise results of a reward model: [{"pair_uid", "category_path", "chosen_reward", "reject_reward"}, …].

Rewards may be numbers or lists of one number; one that is not finite makes the pair unparsed. The dataset's own
Pairwise_set files may be given beside the results: then pairs of one conversation share their cluster, otherwise each
pair stands alone (the results do not say which conversation a pair is from).
Item: category/pair_uid; subset: category_path without Pairwise_set/; judge: --judge or the file's name without _result.

Example row:
  {"pair_uid": "9218", "category_path": "Pairwise_set/Helpfulness/Chat", "chosen_reward": [0.5], "reject_reward": 0.25}
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import (
    Imported,
    ImportedRecord,
    Source,
    SourceRow,
    hash_texts,
    reject,
    to_number,
)
from judgescale.harness.types import Judgment, Record


def recognises(source: Source) -> bool:
    """Tell whether a file's first record is a pair with rewards, or a pair of the data set itself."""
    first = set(source.peek())
    return {"pair_uid", "category_path"} <= first and bool({"chosen_reward", "conversation_input"} & first)


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read the rewards of every pair."""
    return Imported(_read_records(sources, options["judge"]))


def _read_records(sources: Sequence[Source], given_judge: str | None) -> Iterator[ImportedRecord]:
    results = [source for source in sources if "chosen_reward" in source.peek()]
    clusters: dict[str, str] = {}
    for source in sources:
        if source not in results:
            clusters |= _read_clusters(source)
    if not results:
        reject(sources[0], None, "chosen_reward", "no file has rewards; these are the benchmark's own files")
    for source in results:
        judge = given_judge or source.stem.removesuffix("_result")
        for row in source.read_objects():
            yield ImportedRecord(_read_record(row, judge, clusters), row)


def _read_clusters(source: Source) -> dict[str, str]:
    """Map the pairs of a file of the data set to their conversations."""
    clusters: dict[str, str] = {}
    for row in source.read_objects():
        _, prompt = _read_item(row)
        if "conversation_input" not in row.fields:
            row.reject("conversation_input", "is missing")
        clusters[prompt] = hash_texts(json.dumps(row.fields["conversation_input"], sort_keys=True))
    return clusters


def _read_record(row: SourceRow, judge: str, clusters: Mapping[str, str]) -> Record:
    subset, prompt = _read_item(row)
    rewards = (_read_reward(row, "chosen_reward"), _read_reward(row, "reject_reward"))
    ok = all(map(math.isfinite, rewards))
    return Record(
        prompt=prompt,
        cluster=clusters.get(prompt, prompt),
        subset=subset,
        responses=("chosen", "rejected"),
        gold=(1.0, 0.0),
        judgment=Judgment(judge=judge, shown=(0, 1), scores=rewards if ok else None, status="ok" if ok else "unparsed"),
    )


def _read_item(row: SourceRow) -> tuple[str, str]:
    """Return the pair's subset and key."""
    path = row.need("category_path", str)
    subset = path.removeprefix("Pairwise_set/").strip("/")
    if path.startswith("BoN_set/"):
        row.reject("category_path", "is of the best-of-N set; this format takes the pairwise set")
    return subset, f"{subset}/{row.need('pair_uid', str, int)}"


def _read_reward(row: SourceRow, field: str) -> float:
    """Return a reward; NaN where it is null."""
    if row.get(field, 0) is None:
        return math.nan
    value = row.need(field, float, int, list)
    reward = to_number(value[0] if isinstance(value, list) and len(value) == 1 else value)
    if reward is None:
        row.reject(field, f"{value} is not one number")
    return reward


FORMAT = Format(
    manual=__doc__,
    summary="RMB: a reward model's chosen and rejected rewards, pair by pair",
    example="import rmb ArmoRM-Llama3-8B-v0.1_result.json --out rmb_armorm.parquet",
    tasks=("rmb",),
    recognises=recognises,
    read_sources=read_sources,
)
