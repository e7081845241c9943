"""Pairs of a page's arms: by how much one is above the other on the items that both have, with the paired test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from judgescale.harness.finished.comparing import HEADLINE, Part, adjust_parts, measure_part
from judgescale.harness.finished.reading import Judged, take_headlines
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.finished.sharing import find_shared_units
from judgescale.harness.finished.signatures import Unlike, find_unlike_parts
from judgescale.harness.page.arms import PageArm
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import JudgescaleError

MOST = 120  # pairs of a task that are all compared; of more, those with its first arm


def compare_pairs(runs: Sequence[FinishedRun], arms: Sequence[PageArm]) -> list[dict[str, Any]]:
    """Compare the arms of one task, each at its headline's k; p is adjusted over all pairs (Holm)."""
    if len(arms) < 2:
        return []
    judged: dict[int, Judged] = {}
    for place in dict.fromkeys(arm.run for arm in arms):
        own = [arm for arm in arms if arm.run == place]
        found = take_headlines(runs[place].folder, runs[place].summary, runs[place].credits, [a.number for a in own])
        judged |= {arm.place: found[arm.number] for arm in own if arm.number in found}
    pairs = list(combinations(sorted(judged), 2))
    if len(pairs) > MOST:
        pairs = [pair for pair in pairs if pair[0] == min(judged)]
    told: list[dict[str, Any]] = []
    measured: list[tuple[dict[str, Any], Part]] = []
    for first, other in pairs:
        unlike = find_unlike_parts(judged[first], judged[other])
        entry = {"first": first, "other": other, "pairs": len(pairs), "unlike": [*map(flatten_text, unlike.others)]}
        told.append(entry)
        _measure_pair(judged[first], judged[other], unlike, entry, measured)
    for (entry, _), part in zip(measured, adjust_parts([part for _, part in measured]), strict=True):
        entry |= _tell_part(part)
    return told


def _measure_pair(
    first: Judged, other: Judged, unlike: Unlike, entry: dict[str, Any], measured: list[tuple[dict[str, Any], Part]]
) -> None:
    """Measure a pair, or put into its entry why it cannot be."""
    try:
        shared, unlike_units = find_shared_units([first, other])
    except JudgescaleError:
        entry["why"] = "they have no item in common"
        return
    entry["warnings"] = [flatten_text(line) for line in (*unlike.incomparable, *unlike_units)]
    entry["left_out"] = list(shared.left_out)
    measured.append((entry, measure_part(shared, HEADLINE, HEADLINE, np.arange(len(shared.item)), shared.headline)))


def _tell_part(part: Part) -> dict[str, Any]:
    """Tell the numbers of a comparison: the other arm less the first."""
    by_rule, by_lot = part.difference.by_rule, part.difference.by_lot
    return {
        "items": part.items,
        "values": [part.first, part.other],
        "gap": by_rule.gap,
        "interval": by_rule.interval and list(by_rule.interval),
        "won": by_rule.won,
        "lost": by_rule.lost,
        "p": part.difference.p,
        "holm": part.holm,
        "exact_p": by_rule.exact_p,
        "by_lot": by_lot and {"gap": by_lot.gap, "interval": by_lot.interval and list(by_lot.interval)},
        "verdict": part.verdict,
    }
