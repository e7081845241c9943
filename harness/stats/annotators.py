"""What annotators' disagreement says about labels that are their majority: how well the best of judges can agree.

Annotators of an item answer independently of each other, one of C classes; the label is what most of them say, and
items without such a majority have none. A perfect judge gives the answer that most of all annotators would give. How
often it agrees with the labels depends on how the disagreement is spread over items, and lies between two ends:

- *even*: on every item each annotator gives the true answer with probability p and any other one alike likely, Dawid
  and Skene's model (Applied Statistics 28, 1979) with one error for all. Three annotators are then right together more
  often than one of them, and the perfect judge agrees as often as it can.
- *concentrated*: annotators toss a coin between c of the classes on some items and are unanimous on all others. A
  tossed item's label is chance, however many vote: the perfect judge agrees as seldom as it can, for the worst c.

Both are functions of how often two annotators of a labelled item agree. That all items, and so all mixtures of items,
lie between was searched for exceptions, not proved (tests/stats/test_annotators.py). What all annotators get wrong
together nothing here can see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from math import factorial
from typing import TypeVar

from scipy import optimize

Label = TypeVar("Label", bound=Hashable)


def find_majority(votes: Sequence[Label], split: Label) -> Label:
    """Return the label that most annotators gave, or `split` where no label has the most votes."""
    (top, count), *rest = Counter(votes).most_common()
    return split if rest and rest[0][1] == count else top


def fit_annotator(agreement: float, annotators: int, classes: int) -> float:
    """Fit how often an annotator gives the true answer, p, from how often two of an item agree, in the even model.

    agreement: over items with a majority, which are those that have a label. annotators: at least 3, for two who have a
    majority always agree. p is at least a guess, 1 / classes.
    """

    def miss(p: float) -> float:
        """Return by how much more such annotators agree than was seen."""
        return expect_agreement(p, annotators, classes) - agreement

    least = 1 / classes
    if miss(least) >= 0:
        return least
    return 1.0 if miss(1.0) <= 0 else float(optimize.brentq(miss, least, 1.0))


def expect_agreement(p: float, annotators: int, classes: int) -> float:
    """Return how often two annotators of an item with a majority agree, each being right with probability p."""
    pairs = annotators * (annotators - 1)
    agreed = whole = 0.0
    for votes, chance in _list_votes(annotators, classes, p):
        if _find_label(votes) is not None:
            whole += chance
            agreed += chance * sum(v * (v - 1) for v in votes) / pairs
    return agreed / whole


def expect_right_label(p: float, annotators: int, classes: int) -> float:
    """Return how often the majority of so many annotators, where there is one, is the true answer."""
    right = whole = 0.0
    for votes, chance in _list_votes(annotators, classes, p):
        if (label := _find_label(votes)) is not None:
            whole += chance
            right += chance * (label == 0)
    return right / whole


def bound_right_label(agreement: float, annotators: int, classes: int) -> float:
    """Return how often the label is what most annotators would say at least, by how often two of an item agree."""
    lost = [(1 - 1 / c) / (1 - expect_agreement(1 / c, annotators, c)) for c in range(2, classes + 1)]
    return max(1 - max(lost) * (1 - agreement), 0.0)


def expect_equal(p: float, right_label: float, classes: int) -> float:
    """Return how often a judge that is right with probability p names a label that is right that often."""
    return p * right_label + (1 - p) * (1 - right_label) / (classes - 1)


def _find_label(votes: Sequence[int]) -> int | None:
    """Return the class with the most votes; None where several have as many."""
    top = max(votes)
    return votes.index(top) if votes.count(top) == 1 else None


def _list_votes(annotators: int, classes: int, p: float) -> Iterator[tuple[tuple[int, ...], float]]:
    """List how many votes each class may get, the true one first, and how likely that is."""
    wrong = (1 - p) / (classes - 1)
    for votes, ways in _count_ways(annotators, classes):
        yield votes, ways * p ** votes[0] * wrong ** (annotators - votes[0])


@cache
def _count_ways(annotators: int, classes: int) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Count in how many ways each number of votes of every class comes about."""

    def split(left: int, parts: int) -> Iterator[tuple[int, ...]]:
        """Yield every way to share votes out among so many classes."""
        if parts == 1:
            yield (left,)
            return
        for first in range(left + 1):
            for rest in split(left - first, parts - 1):
                yield (first, *rest)

    def count(votes: tuple[int, ...]) -> int:
        """Count the orders in which annotators may give these votes."""
        ways = factorial(annotators)
        for v in votes:
            ways //= factorial(v)
        return ways

    return tuple((votes, count(votes)) for votes in split(annotators, classes))
