"""Numbers somebody printed, and ours beside them.

The lists are `results/published/*.csv` (see the README there): one row a number, values in percent. Judges are the same
only when their names are: case, a leading organisation and `_` for `-` aside, nothing is guessed, since a version more
or less is another model.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from judgescale.harness.options import ROOT
from judgescale.harness.types import Published

FOLDER = ROOT / "results" / "published"
CONTEXT = 5  # other judges' numbers shown beside ours
BENCHMARKS = {"rewardbench1": "rewardbench", "judgebenchgpt4o": "judgebench", "pandalmtest": "pandalm"}
SUBSETS = {"scoreaspublished": "overall"}
METRICS = {"with_prior_sets": "score_as_published"}  # what the lists call a metric of ours
RAW = {"brier", "arena_score", "ci95_lower", "ci95_upper", "count_correct", "count_total"}  # not percents
OWNERS = ("leaderboard_", "owners_")  # lists of a benchmark's owners; the other files quote
TRUST = ("confirmed", "confirmed, disputed", "confirmed-secondary", "recomputed")  # then everything else


class Row(NamedTuple):
    """One printed number; `value` as a fraction 0-1 unless the metric is one of RAW."""

    model: str
    benchmark: str
    subset: str
    metric: str
    value: float
    source: str
    status: str
    note: str


def lookup(benchmark: str, judge: str | None = None, metric: str | None = "accuracy") -> list[Row]:
    """The rows of a benchmark, best-trusted first; of one judge and one metric where they are named."""
    return [
        row
        for row in _rows(_benchmark(benchmark))
        if (judge is None or same_judge(row.model, judge)) and (metric is None or row.metric == metric)
    ]


def set_beside(benchmark: str, judge: str, ours: Mapping[str, float], metric: str = "accuracy") -> list[Published]:
    """Our `ours` ("overall" and sections, fractions) against what was printed for the same judge; then context.

    The context is other judges' confirmed overall numbers: the best one and those nearest to ours.
    """
    rows = lookup(benchmark, metric=METRICS.get(metric, metric))
    own = [row for row in rows if same_judge(row.model, judge)]
    if len({org for row in own if (org := _name(row.model)[0])}) > 1:  # a bare name that several models answer to
        own = []
    found = [
        Published(row.model, section, row.value, row.source, row.status, round(value - row.value, 9))
        for section, value in ours.items()
        for row in own
        if _subset(row.subset) == _subset(section)
    ]
    others: dict[str, Row] = {}
    for row in rows:
        if row.status == "confirmed" and _subset(row.subset) == "overall" and not same_judge(row.model, judge):
            others.setdefault(_name(row.model)[1], row)
    ranked = sorted(others.values(), key=lambda row: -row.value)
    at = next((value for section, value in ours.items() if _subset(section) == "overall"), None)
    if at is not None:
        ranked = ranked[:1] + sorted(ranked[1:], key=lambda row: abs(row.value - at))
    context = sorted(ranked[:CONTEXT], key=lambda row: -row.value)
    return found + [Published(row.model, "overall", row.value, row.source, row.status, None) for row in context]


def same_judge(one: str, other: str) -> bool:
    """Whether two names are one model: equal names, and equal organisations where both give one."""
    (org, name), (other_org, other_name) = _name(one), _name(other)
    return name == other_name and (org == other_org or not org or not other_org)


def _name(model: str) -> tuple[str, str]:
    org, _, name = model.strip().lower().replace("_", "-").rpartition("/")
    return org, name


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _benchmark(name: str) -> str:
    return BENCHMARKS.get(_plain(name), _plain(name))


def _subset(name: str) -> str:
    # a path of subsets (RMB's "Helpful-Pair/Code/…") keeps its separators
    plain = "/".join(_plain(part) for part in name.split("/"))
    return SUBSETS.get(plain, plain)


@cache
def _rows(benchmark: str) -> tuple[Row, ...]:
    """Every row of a benchmark; within a trust level, its owners' lists come before quotations of them."""
    found = []
    for path in sorted(FOLDER.glob("*.csv"), key=lambda p: (not p.name.startswith(OWNERS), p.name)):
        text = path.read_text(encoding="utf-8")
        if benchmark not in _searchable(text):  # parsing is what costs
            continue
        for line in csv.DictReader(io.StringIO(text)):
            if _benchmark(line["benchmark"]) == benchmark:
                value = float(line["value"]) if line["metric"] in RAW else round(float(line["value"]) / 100, 9)
                found.append(Row(value=value, **{k: v for k, v in line.items() if k != "value"}))
    return tuple(sorted(found, key=lambda row: TRUST.index(row.status) if row.status in TRUST else len(TRUST)))


def _searchable(text: str) -> str:
    return text.lower().replace("-", "").replace(" ", "")
