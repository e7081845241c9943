"""Numbers that somebody published, and ours beside them.

The lists are `results/published/*.csv` (see the README there): one row a number, values in percent. Judges are the same
only when their names are: case, a leading organisation and `_` for `-` aside, nothing is guessed, since a version more
or less is another model.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from judgescale.harness import ROOT
from judgescale.harness.published.setting import (
    SINGLE,
    Setting,
    describe_printed,
    explain_difference,
    keep_letters_and_digits,
)
from judgescale.harness.types import Published

FOLDER = ROOT / "results" / "published"
CONTEXT = 5  # other judges' numbers shown beside ours at most
BENCHMARKS = {"rewardbench1": "rewardbench", "judgebenchgpt4o": "judgebench", "pandalmtest": "pandalm"}
SUBSETS = {"scoreaspublished": "overall"}  # what the lists call our sections
METRICS = {"with_prior_sets": "score_as_published"}  # what the lists call a metric of ours
RAW = {"brier", "arena_score", "ci95_lower", "ci95_upper", "count_correct", "count_total", "cost_ratio"}  # no percents
TRUST_ORDER = ("confirmed", "confirmed, disputed", "confirmed-secondary", "recomputed")  # then everything else


class Row(NamedTuple):
    """One published number; `value` is a fraction 0-1 unless the metric is one of RAW.

    Where the source does not say how the number was made, a column is empty or None. No run is compared with a number
    whose strategy or k nobody tells; any may be as far as the other columns go.
    """

    model: str  # its bare name
    benchmark: str
    subset: str
    metric: str
    value: float
    strategy: str  # single, voting, meta_voting, …
    k: int | None
    k_meta: int | None
    temperature: float | None  # 0 = greedy
    prompt: str  # whose prompt it is; empty for a judge's own, and for reward models
    protocol: str  # which form of the benchmark: pairs, list, a part of the items; or other rules than the owners'
    owner: bool  # printed by the benchmark's owners, and not by others who quote or rerun
    status: str
    source: str
    note: str
    items: int | None = None  # that it is over, where they are others than the official ones; not every list tells


def find_rows(benchmark: str, judge: str | None = None, metric: str | None = "accuracy") -> list[Row]:
    """Find the rows of a benchmark, best-trusted first; of one judge and one metric where they are given."""
    return [
        row
        for row in _read_rows(normalise_benchmark(benchmark))
        if (judge is None or is_same_judge(row.model, judge)) and (metric is None or row.metric == metric)
    ]


def read_printed() -> list[tuple[Row, str]]:
    """Read every number of every list as a row, beside the digits that it was written with: "94.0"."""
    found = []
    for path in sorted(FOLDER.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += [(_read_row(line), line["value"]) for line in csv.DictReader(file)]
    return found


def rank_trust(row: Row) -> tuple[int, bool]:
    """Rank a row by how far it is to be trusted, the best first; of those trusted alike, its owners' come first."""
    return TRUST_ORDER.index(row.status) if row.status in TRUST_ORDER else len(TRUST_ORDER), not row.owner


def compare_with_published(
    benchmark: str,
    judge: str,
    ours: Mapping[str, float],
    metric: str = "accuracy",
    setting: Setting = SINGLE,
    items: int | None = None,
) -> list[Published]:
    """Compare our numbers with what was published for the same judge; then add other judges' numbers as context.

    ours: "overall" and sections, as fractions. setting: how they were made. A number of the same judge that was made in
    another way stands there without a delta, with the reason. items: how many they are over, as far as one number of
    them is. The context is other judges' confirmed overall numbers:
    the best one and those nearest to ours; of each judge the number that was made most like ours.
    """
    rows = find_rows(benchmark, metric=METRICS.get(metric, metric))
    own = [] if is_shared_name(rows, judge) else [row for row in rows if is_same_judge(row.model, judge)]
    found = []
    for section, value in ours.items():
        for row in own:
            if normalise_subset(row.subset) == normalise_subset(section):
                reason = explain_difference(row, setting, items)
                found.append(_show(row, section, None if reason else round(value - row.value, 9), reason))
    forms = (setting.rules,) if setting.rules else ("", setting.protocol)
    others: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: bool(explain_difference(row, setting))):
        overall = normalise_subset(row.subset) == "overall"
        if row.status == "confirmed" and overall and row.protocol in forms and not is_same_judge(row.model, judge):
            others.setdefault(split_name(row.model)[1], row)
    ranked = sorted(others.values(), key=lambda row: -row.value)
    at = next((value for section, value in ours.items() if normalise_subset(section) == "overall"), None)
    if at is not None:
        ranked = ranked[:1] + sorted(ranked[1:], key=lambda row: abs(row.value - at))
    context = sorted(ranked[:CONTEXT], key=lambda row: -row.value)
    return sorted(found, key=lambda p: p.delta is None) + [_show(row, "overall", None, "") for row in context]


def is_same_judge(one: str, other: str) -> bool:
    """Tell whether two names are one model: equal names, and equal organisations where both give one."""
    (org, name), (other_org, other_name) = split_name(one), split_name(other)
    return name == other_name and (org == other_org or not org or not other_org)


def is_shared_name(rows: Iterable[Row], judge: str) -> bool:
    """Tell whether a judge's name is a bare one that several models answer to in these rows."""
    return len({split_name(row.model)[0] for row in rows if is_same_judge(row.model, judge)} - {""}) > 1


def _show(row: Row, section: str, delta: float | None, reason: str) -> Published:
    return Published(
        row.model,
        section,
        row.value,
        row.source,
        row.status,
        delta,
        reason=reason,
        how=describe_printed(row),
        strategy=row.strategy,
        k=row.k,
        k_meta=row.k_meta,
        temperature=row.temperature,
        prompt=row.prompt,
        protocol=row.protocol,
    )


def split_name(model: str) -> tuple[str, str]:
    """Split a model's name into organisation (may be empty) and name, both in one spelling."""
    org, _, name = model.strip().lower().replace("_", "-").rpartition("/")
    return org, name


def normalise_benchmark(name: str) -> str:
    """Spell a benchmark as all who write it alike do."""
    plain = keep_letters_and_digits(name)
    return BENCHMARKS.get(plain, plain)


def normalise_subset(name: str) -> str:
    """Spell a section as all who write it alike do."""
    # a path of subsets (RMB's "Helpful-Pair/Code/…") keeps its separators
    plain = "/".join(keep_letters_and_digits(part) for part in name.split("/"))
    return SUBSETS.get(plain, plain)


@cache
def _read_rows(benchmark: str) -> tuple[Row, ...]:
    """Read every row of a benchmark, best-trusted first; of those trusted alike, its owners' come before quotations."""
    found = []
    for path in sorted(FOLDER.glob("*.csv")):
        text = path.read_text(encoding="utf-8")
        if benchmark not in _drop_separators(text):  # parsing is what costs
            continue
        found += [
            _read_row(line)
            for line in csv.DictReader(io.StringIO(text))
            if normalise_benchmark(line["benchmark"]) == benchmark
        ]
    return tuple(sorted(found, key=rank_trust))


def _read_row(line: Mapping[str, str]) -> Row:
    value = float(line["value"]) if line["metric"] in RAW else round(float(line["value"]) / 100, 9)
    numbers: dict[str, int | None] = {name: int(line[name]) if line[name] else None for name in ("k", "k_meta")}
    numbers |= {"items": int(line["items"]) if line.get("items") else None}
    temperature = float(line["temperature"]) if line["temperature"] else None
    read = {"value": value, **numbers, "temperature": temperature, "owner": line["owner"] == "yes"}
    return Row(**{**line, **read})  # type: ignore[arg-type]


def _drop_separators(text: str) -> str:
    return text.lower().replace("-", "").replace(" ", "")
