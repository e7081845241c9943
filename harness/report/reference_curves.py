"""Published numbers of one judge that form a curve over k, to be drawn behind ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from judgescale.harness.report.readings import OVERALL, list_curve_points
from judgescale.harness.types import Published, Result

VOTES = ("voting", "meta_voting")  # whose k counts judgments


class ReferenceCurve(NamedTuple):
    """Hold the published numbers of one judge, decided in one way at several k."""

    name: str  # whose, and how: "DeepSeek-GRM-27B, voting@1, 8, 32"
    rows: tuple[Published, ...]  # the smallest k first

    def holds(self, row: Published) -> bool:
        """Tell whether a published number is a point of the curve, whoever quotes it."""
        return any((row.value, row.k, _read_way(row)) == (own.value, own.k, _read_way(own)) for own in self.rows)


def list_reference_curves(arms: Sequence[Result]) -> list[ReferenceCurve]:
    """List the published curves that a number of ours is compared with one point of, each once.

    So prompt, form of the benchmark and share of k that votes are ours; numbers at another k differ by k alone. None of
    arms whose decisions at k take more judgments than k: k is no place on their axis.
    """
    counted = [r for r in arms if all(p.judgments_per_item == p.k for p in list_curve_points(r))]
    rows = [p for r in counted for p in r.published if p.section == OVERALL and p.status.startswith("confirmed")]
    ways = dict.fromkeys(way for p in rows if p.delta is not None and (way := _read_way(p)))
    curves = []
    for way in ways:
        by_k: dict[int, Published] = {}
        alike = [p for p in rows if _read_way(p) == way]
        sources = Counter(p.source for p in alike)  # of several of one k, the source's that printed most of the curve
        for p in sorted(alike, key=lambda p: -sources[p.source]):
            by_k.setdefault(p.k or 0, p)
        if len(by_k) > 1:
            points = tuple(by_k[k] for k in sorted(by_k))
            last = max(points, key=lambda p: p.k or 0)
            ks = ", ".join(str(p.k) for p in points)
            form = last.how.partition(", ")[2] if last.how else ""
            curves.append(ReferenceCurve(", ".join(filter(None, [last.name, f"{way[1]}@{ks}", form])), points))
    return curves


def _read_way(row: Published) -> tuple[str, str, float, str, str] | None:
    """Read how a number was made, apart from k: judge, strategy, share of k that votes, prompt, form; None if greedy.

    A single judgment that is not greedy is a vote of one.
    """
    strategy = "voting" if row.strategy == "single" and row.k == 1 else row.strategy
    if strategy not in VOTES or not row.k or row.temperature == 0:
        return None
    share = (row.k_meta or row.k) / row.k
    return row.name.rpartition("/")[2].lower(), strategy.replace("_", " "), share, row.prompt, row.protocol
