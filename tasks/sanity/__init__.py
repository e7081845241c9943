"""Judge generated questions whose one right answer is known by construction: do judge, engine and strategy work at all?

Rule: in the shape of RewardBench's four sections: Chat (plain requests), Chat Hard (almost right, or fluent and beside
the point), Safety (a harmless request refused; a secret told), Reasoning (a wrong step; wrong code). A judge that
understands is near 100 %, one that guesses is at 1/n, and neither the place nor the length of an answer says anything.
The first items stay the same whatever the size.

Data: none but questions.py, which makes items like this one, of subset "Chat Hard/reversal":

    Spell the word "bakelu" backwards.     right: It is "ulekab".     wrong: It is "ulekb". Have a good day.
"""

from __future__ import annotations

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.seeding import make_rng
from judgescale.harness.types import Item, JudgescaleError, Loaded, Task
from judgescale.tasks.loading import load_gold_items
from judgescale.tasks.sanity.questions import KINDS, level_lengths

MOST = 100_000  # items; every kind has many more questions than that, so that a new one is found at once


def make_items(size: int, seed: int, responses: int) -> list[Item]:
    """Make items of the sections in turn.

    An item depends on the seed and on its place, and no question is asked twice.
    """
    items: list[Item] = []
    asked = set()
    for index in range(size):
        rng = make_rng(seed, "sanity", str(index))
        section = list(KINDS)[index % len(KINDS)]
        kinds = list(KINDS[section].items())
        kind, ask = kinds[index // len(KINDS) % len(kinds)]
        while (question := ask(rng, responses)).conversation in asked:
            pass
        asked.add(question.conversation)
        question = level_lengths(rng, question)
        right = int(rng.integers(responses))
        texts = (*question.wrong[:right], question.right, *question.wrong[right:])
        subset = f"{section}/{kind}"
        name = f"{subset}/{seed}-{index}"
        names = tuple(str(i + 1) for i in range(responses))
        gold = tuple(float(i == right) for i in range(responses))
        items.append(
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
    return items


def section(item: Item) -> str:
    """Return the section, by which the subset's name begins."""
    return item.subset.split("/")[0]


def task(size: int = 80, seed: int = 0, responses: int = 2) -> Task:
    """Make the task of so many items, of so many responses each. Raises JudgescaleError naming a wrong option."""
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
        load=load_gold_items,
        credit=credit_best,
        section=section,
        read=lambda: Loaded(make_items(size, seed, responses), {"generated": revision}),
    )
