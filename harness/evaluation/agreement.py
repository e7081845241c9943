"""How far judgments of one question agree: several of one judge, and those of a jury's judges (stats/agreement.py).

Two agree where they put the same responses on top, whatever the order in which these were shown; which response that
is has no meaning across items, so that those sets of responses that are equally large are of one kind. Whether a lone
response has the property means the same in every item: there yes and no are kinds of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np

from judgescale.harness.evaluation.verdicts import Verdicts, number_answers
from judgescale.harness.stats.agreement import Agreement, measure_agreement
from judgescale.harness.stats.classification import find_metric_interval
from judgescale.harness.stats.intervals import Interval, Units


def measure_agreements(every: Sequence[Verdicts], judges: int, cluster: np.ndarray) -> dict[str, Any]:
    """Measure how far a judge's samples agree ("samples"), and a jury's judges with each other ("judges").

    Each is {"value" (the share of pairs of judgments of a question that agree), "ci", "chance", "kappa", "kappa_ci",
    "n" (questions with such a pair)}; left out where no question has one.

    every: usable judgments. judges: how many the arm has. cluster: of every item, (N,).
    """
    parts = [(v, *number_answers(v)) for v in every if len(v.item)]
    if not parts:
        return {}
    kinds: dict[tuple[int, int], tuple[int, int]] = {}  # (responses, kind) -> its number and how many answers it has
    answers = 0
    columns: dict[str, list[np.ndarray]] = {"question": [], "judge": [], "answer": [], "kind": [], "item": []}
    for v, answer, size in parts:
        width = v.scores.shape[1]
        if width == 1:  # yes, no, neither: told apart by what they are
            kind = np.where(size == 2, 2, v.top[:, 1].astype(int))
            ways = {0: 1, 1: 1, 2: 1}
        else:
            kind, ways = size, {int(s): comb(width, int(s)) for s in np.unique(size)}
        numbers = np.zeros(max(ways) + 1, dtype=np.int64)
        for which, many in ways.items():
            numbers[which], _ = kinds.setdefault((width, which), (len(kinds), many))
        columns["kind"].append(numbers[kind])
        columns["answer"].append(answer + answers)
        answers += int(answer.max()) + 1
        for name, values in (("question", v.question), ("judge", v.judge), ("item", v.item)):
            columns[name].append(values)
    flat = {name: np.concatenate(values) for name, values in columns.items()}
    question, first = np.unique(flat["question"], return_index=True)
    number = np.searchsorted(question, flat["question"])
    group = np.unique([width for width, _ in kinds], return_inverse=True)[1]
    alike = np.array([many for _, many in kinds.values()], dtype=np.float64)
    found = {}
    for name, across in (("samples", False), ("judges", True)):
        if across and judges < 2:
            continue
        one = measure_agreement(number, flat["judge"], flat["answer"], flat["kind"], alike, group, across)
        if one:
            found[name] = _summarise(one, cluster[flat["item"][first[one.items]]])
    return found


def _summarise(found: Agreement, cluster: np.ndarray) -> dict[str, Any]:
    """Put an agreement beside its intervals over clusters (N,)."""
    n = len(found.items)
    units = Units(np.zeros(n, dtype=int), cluster, np.ones(n))
    raw = find_metric_interval(units, found.raw, (found.alike - found.raw) / n, n)
    kappa: Interval = None
    if found.kappa is not None:
        # kappa is a linear function of the agreement, once chance's own part is in the influence
        ends = find_metric_interval(units, found.raw, found.influence / n, n)
        kappa = ends and tuple(max((end - found.chance) / (1 - found.chance), -1.0) for end in ends)  # type: ignore[assignment]
    return {
        "value": found.raw,
        "ci": raw,
        "chance": found.chance,
        "kappa": found.kappa,
        "kappa_ci": kappa,
        "n": n,
    }
