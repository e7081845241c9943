"""PPE human preference: which of two answers did the person who asked prefer? (arXiv 2410.14872)

The headline is the mean over votes for one of the two; ties are left out, and a note says how many there were. A pair
is right where the preferred answer scores strictly higher. Break-downs: language, and the owners' prompt categories.

Texts: rows {"question_id", "model_a", "model_b", "winner": "model_a", "model_b" or a tie, "prompt", "response_1" (of
model_a), "response_2", "language"} with a true or false for each of CATEGORIES. A question may be asked of several
pairs of models: all three names key an item, and items of one prompt share their cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded.source import text_key
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import pairs_with_gold
from judgescale.tasks.texts import Data, Placed, Row, reader

VOTES = 16_038  # rows of the owners' file, ties among them
GOLD = {"model_a": (1.0, 0.0), "model_b": (0.0, 1.0)}
CATEGORIES = {
    "hard_prompt": "hard", "easy_prompt": "easy", "if_prompt": "instruction following", "math_prompt": "math",
    "is_code": "code",
}  # fmt: skip


def read(data: Data) -> Iterator[Placed]:
    votes = ties = 0
    for votes, row in enumerate(data.rows(), 1):  # noqa: B007
        winner = row.text("winner")
        if winner in GOLD:
            yield _item(row, GOLD[winner])
        elif winner.lower().startswith(("tie", "both")):
            ties += 1
        else:
            row.wrong("winner", f"{winner[:40]!r} is neither 'model_a' nor 'model_b' nor a tie")
    official = ""
    if votes != VOTES:
        official = f" (the owners' file has {VOTES:,})"
        data.partial.add("")  # the one section
    data.notes.append(f"Ties are left out: {ties:,} of {votes:,} votes{official}.")


def _item(row: Row, gold: tuple[float, float]) -> Placed:
    name = "/".join((row.name("question_id"), row.text("model_a"), row.text("model_b")))
    conversation = row.turns("prompt", empty=True)  # people send empty messages, and models answer nothing
    categories = [("category", category) for field, category in CATEGORIES.items() if row.get(field, bool)]
    item = Item(
        id=name,
        prompt=name,
        cluster=text_key(*(content for _, content in conversation)),
        responses=("model_a", "model_b"),
        gold=gold,
        conversation=conversation,
        texts=(row.text("response_1", empty=True), row.text("response_2", empty=True)),
        tags=(("language", row.text("language")), *categories),
    )
    return Placed(item, row)


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="ppe_preference",
        revision="1",
        protocols=("ppe_preference",),
        load=pairs_with_gold,
        credit=best,
        read=reader(read, path, hub),
        published="PPE-Preference",
        sizes={"": None},
    )
