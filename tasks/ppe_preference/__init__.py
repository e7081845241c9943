"""Judge which of two answers the person who asked preferred.

Rule (arXiv 2410.14872): a pair is right where the preferred answer scores strictly higher. The headline is the mean
over votes for one of the two; ties are left out, and a note says how many there were. Results are also broken down by
language and by the owners' prompt categories.

Data: the owners' file, its folder, or the Hub. A question may be asked of several pairs of models: all three names make
an item's id, and items of one prompt share their cluster. `winner` is "model_a", "model_b" or a tie, response_1 is
model_a's, and there is a true or false for each of CATEGORIES:

    {"question_id": "q7", "model_a": "m", "model_b": "n", "winner": "model_b", "prompt": "Write a haiku.",
     "response_1": "Snow …", "response_2": "Rain …", "language": "English", "hard_prompt": false, "easy_prompt": true,
     "if_prompt": false, "math_prompt": false, "is_code": false}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded.source import hash_texts
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import load_gold_pairs
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader

VOTES = 16_038  # rows of the owners' file, ties among them
GOLD = {"model_a": (1.0, 0.0), "model_b": (0.0, 1.0)}
CATEGORIES = {  # column -> what results call it
    "hard_prompt": "hard",
    "easy_prompt": "easy",
    "if_prompt": "instruction following",
    "math_prompt": "math",
    "is_code": "code",
}


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the votes for one of the two answers, and note how many ties are left out."""
    votes = ties = 0
    for votes, row in enumerate(data.read_rows(), 1):  # noqa: B007
        winner = row.get_text("winner")
        if winner in GOLD:
            yield _make_item(row, GOLD[winner])
        elif winner.lower().startswith(("tie", "both")):
            ties += 1
        else:
            row.reject("winner", f"{winner[:40]!r} is neither 'model_a' nor 'model_b' nor a tie")
    official = ""
    if votes != VOTES:
        official = f" (the owners' file has {VOTES:,})"
        data.partial.add("")  # the one section
    data.notes.append(f"Ties are left out: {ties:,} of {votes:,} votes{official}.")


def _make_item(row: RawRow, gold: tuple[float, float]) -> SourcedItem:
    name = "/".join((row.get_name("question_id"), row.get_text("model_a"), row.get_text("model_b")))
    conversation = row.get_turns("prompt", empty=True)  # people send empty messages, and models answer nothing
    categories = [("category", category) for field, category in CATEGORIES.items() if row.need(field, bool)]
    item = Item(
        id=name,
        prompt=name,
        cluster=hash_texts(*(content for _, content in conversation)),
        responses=("model_a", "model_b"),
        gold=gold,
        conversation=conversation,
        texts=(row.get_text("response_1", empty=True), row.get_text("response_2", empty=True)),
        tags=(("language", row.get_text("language")), *categories),
    )
    return SourcedItem(item, row)


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    return Task(
        name="ppe_preference",
        revision="1",
        protocols=("ppe_preference",),
        load=load_gold_pairs,
        credit=credit_best,
        read=make_reader(read, path, hub),
        published="PPE-Preference",
        sizes={"": None},
    )
