"""What a tie is worth: by the owner's rule, and by lot, where a guess earns the same however often it ends in a tie.

By lot, each of m tied responses is picked as often as the others; a decision for which no judgment was usable is a tie
of all of them, and a lone response is said to have the property or not, each half of the time. No strategy can then win
by splitting its votes less often than another, nor by always having a verdict; nor, where lone responses that have the
property weigh as much as those that have not, by saying more often what most of them are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from judgescale.harness.stats.intervals import Units, balance_labels
from judgescale.harness.stats.votes import margin
from judgescale.harness.types import Item, Rules, Task


def credit_by_lot(task: Task, rules: Rules, items: Sequence[Item], scores: Sequence[np.ndarray]) -> np.ndarray:
    """Credit the decisions about one unit's items, (D, n) each, with their ties broken by lot: (D,)."""
    if len(items) == 1 and len(items[0].responses) <= 2:
        either = np.array([[1.0, 0.0], [0.0, 1.0]])[:, : len(items[0].responses)]  # a lone one: yes, and no
        first, second = task.credit(items, [either], rules)
        chance = (1 + np.nan_to_num(np.sign(margin(scores[0])))) / 2  # that the first is picked
        return chance * first + (1 - chance) * second
    known = [np.where(np.isnan(s).any(axis=1, keepdims=True), 0.0, s) for s in scores]
    return (task.credit_by_lot or task.credit)(items, known, dataclasses.replace(rules, tie="share"))


def tie_all(items: Sequence[Item]) -> list[np.ndarray]:
    """Make the decisions about one unit's items that tie all responses, (1, n) each."""
    return [np.full((1, len(item.responses)), 0.5) for item in items]


def even_out_labels(units: Units, items: Sequence[Item]) -> np.ndarray:
    """Return factors of the units' weights by which both labels of lone responses weigh alike in a section: (U,).

    items: the first of every unit. All others, and those of a section where one label is missing, keep their weight.
    """
    lone = np.array([len(item.responses) == 1 for item in items])
    return balance_labels(units, lone, np.array([item.gold[0] >= 1 for item in items]))
