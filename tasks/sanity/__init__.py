"""Sanity: questions whose one right answer is known by construction, in the shape of RewardBench's four sections.

Chat (plain requests), Chat Hard (almost right, or fluent and beside the point), Safety (a harmless request refused; a
secret told), Reasoning (a wrong step; wrong code). For checking that a judge, an engine and a strategy work, on no data
but this file's: a judge that understands is near 100 %, one that guesses is at 1/n, and neither the place nor the
length of an answer says anything. The first items stay the same whatever the size.
"""

from __future__ import annotations

from judgescale.harness.evaluation.credit import best
from judgescale.harness.seeding import seeded
from judgescale.harness.types import Item, JudgescaleError, Loaded, Task
from judgescale.tasks.loading import items_with_gold
from judgescale.tasks.sanity.questions import KINDS, levelled

MOST = 100_000  # every kind has many more questions than that, so that a new one is found at once


def items(size: int, seed: int, responses: int) -> list[Item]:
    """The sections in turn; an item depends on the seed and its place, and no question is asked twice."""
    made: list[Item] = []
    asked = set()
    for index in range(size):
        rng = seeded(seed, "sanity", str(index))
        section = list(KINDS)[index % len(KINDS)]
        kinds = KINDS[section]
        kind = kinds[index // len(KINDS) % len(kinds)]
        while (question := kind(rng, responses)).conversation in asked:
            pass
        asked.add(question.conversation)
        question = levelled(rng, question)
        right = int(rng.integers(responses))
        texts = (*question.wrong[:right], question.right, *question.wrong[right:])
        subset = f"{section}/{kind.__name__}"
        name = f"{subset}/{seed}-{index}"
        names = tuple(str(i + 1) for i in range(responses))
        gold = tuple(float(i == right) for i in range(responses))
        made.append(
            Item(
                id=name,
                prompt=name,
                cluster=name,
                responses=names,
                gold=gold,
                subset=subset,
                conversation=question.conversation,
                texts=texts,
            )
        )
    return made


def section(item: Item) -> str:
    return item.subset.split("/")[0]


def task(size: int = 80, seed: int = 0, responses: int = 2) -> Task:
    """The task; JudgescaleError naming the option that is out of range."""
    for name, value, least, most in (
        ("size", size, 1, MOST),
        ("seed", seed, 0, 2**32 - 1),
        ("responses", responses, 2, 8),
    ):
        if type(value) is not int or not least <= value <= most:
            raise JudgescaleError(f"task.{name}={value}: must be a whole number from {least} to {most}")
    revision = f"1(size={size},seed={seed},responses={responses})"
    return Task(
        name="sanity",
        revision=revision,
        protocols=("sanity",),
        load=items_with_gold,
        credit=best,
        section=section,
        read=lambda: Loaded(items(size, seed, responses), {"generated": revision}),
    )
