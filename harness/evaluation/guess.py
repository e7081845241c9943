"""What picking responses at random would earn on the same items: what a judge that knows nothing has.

Where an interval holds that number too, it tells nothing of a judge that lies in it.
"""

from __future__ import annotations

import numpy as np

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import Credits, group_alike, group_by_unit
from judgescale.harness.evaluation.ties import credit_by_lot, tie_all
from judgescale.harness.stats.classification import ExpectedMetric
from judgescale.harness.stats.intervals import rollup


def find_guesses(arm: Arm, credits: Credits) -> dict[str, float]:
    """Find what decisions by lot earn: "overall", of every section and subset, of other headlines and known metrics."""
    members = list(group_by_unit(arm.task, arm.items).values())
    lot, units = np.empty(len(members)), credits.units
    for alike in group_alike(arm.task, arm.items, members):
        items = [arm.items[row] for row in members[alike[0]]]
        lot[alike] = credit_by_lot(arm.task, arm.rules, items, tie_all(items))[0]
    sections, whole = rollup(units, lot, arm.rollup)
    found = {"overall": float(whole)} | {name: float(value) for name, value in sections.items()}
    for subset in dict.fromkeys(credits.subset.tolist()):
        mine = credits.subset == subset
        if weight := units.weight[mine].sum():
            found.setdefault(subset, float(lot[mine] @ units.weight[mine] / weight))
    for name, headline in arm.task.rollups.items():
        if set(headline) <= set(sections):
            found.setdefault(name, float(rollup(units, lot, headline)[1]))
    for name, metric in arm.task.metrics.items():
        if isinstance(metric, ExpectedMetric) and metric.guess is not None:
            found |= {name: metric.guess} | {f"{section}: {name}": metric.guess for section in sections}
    return found
