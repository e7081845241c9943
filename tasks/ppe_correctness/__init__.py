"""PPE correctness: the right one of two answers by the same model, on five benchmarks (arXiv 2410.14872).

Each row has one model's answers to one question, and which of them are right. Its sampled conflict pairs, a right and a
wrong answer each, are the items; a pair that stands there twice is asked once. A pair is right where the right answer
scores strictly higher. The headline is the plain mean of the five benchmarks; task.subsets=[MMLU-Pro,MATH,GPQA]
takes the three of the Reward Reasoning Model's paper. The same rows give task=ppe_best_of_k.

Texts: the owners' five data sets, or a folder of their files; rows {"question_id", "model_name", "prompt",
"response_1", …, "scores": [true or false, …], "sampled_conflict_pairs": [[i, j], …]}, places counted from 0. A row's
benchmark is told by its column "benchmark", where there is one, else by the name of its data set, file or folder.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import text_key
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import pairs_with_gold
from judgescale.tasks.texts import Data, Placed, Row, reader, unranked

# benchmark -> how names spell it: "PPE-MMLU-Pro-Best-of-K", "mmlu_pro", …
BENCHMARKS = {
    "MMLU-Pro": r"mmlu[-_ ]?pro", "MATH": r"math", "GPQA": r"gpqa", "MBPP-Plus": r"mbpp[-_ ]?(plus|\+)",
    "IFEval": r"if[-_ ]?eval",
}  # fmt: skip
# Rows of each. The sum, 2,555, is the owners'; that MMLU-Pro and IFEval have equal parts of it is inferred.
ROWS = {"MMLU-Pro": 512, "MATH": 512, "GPQA": 512, "MBPP-Plus": 507, "IFEval": 512}


class Answered(NamedTuple):
    """A question with one model's answers, and which of them are right."""

    name: str
    subset: str  # benchmark/model
    right: tuple[bool, ...]
    row: Row

    def item(self, name: str, places: Sequence[int]) -> Placed:
        """The item of the answers at these places, called as their columns are numbered: from 1."""
        conversation = self.row.turns("prompt")
        item = Item(
            id=name,
            prompt=name,
            cluster=text_key(*(content for _, content in conversation)),  # of several models' answers to a question
            responses=tuple(str(i + 1) for i in places),
            gold=tuple(float(self.right[i]) for i in places),
            subset=self.subset,
            conversation=conversation,
            texts=tuple(self.row.text(f"response_{i + 1}", empty=True) for i in places),
        )
        return Placed(tagged(item), self.row)


def section(item: Item) -> str:
    return item.subset.split("/")[0]


def tagged(item: Item) -> Item:
    """The item with the model that answered as a break-down."""
    model = item.subset.partition("/")[2]
    return replace(item, tags=(("model", model),)) if model else item


def answered(data: Data) -> Iterator[Answered]:
    """Every row."""
    for row in data.rows():
        subset = f"{benchmark_of(row)}/{row.text('model_name')}"
        yield Answered(f"{subset}/{row.name('question_id')}", subset, right(row), row)


def benchmark_of(row: Row) -> str:
    said = [row.text("benchmark")] if "benchmark" in row.fields else reversed(row.source.path.parts)
    names = next(filter(None, map(spelt, said)), ())
    if len(names) != 1:
        row.wrong(
            "benchmark",
            f"this column, or else the name of the file or its folder, must be one of {', '.join(BENCHMARKS)}",
        )
    return names[0]


@lru_cache
def spelt(text: str) -> tuple[str, ...]:
    """The benchmarks that a text names, as words of their own."""
    return tuple(
        name for name, spelling in BENCHMARKS.items() if re.search(f"(?<![a-z0-9]){spelling}(?![a-z0-9])", text.lower())
    )


def right(row: Row) -> tuple[bool, ...]:
    scores = row.get("scores", list)
    for place, score in enumerate(scores):
        if score not in (0, 1):
            row.wrong(f"scores[{place}]", "must be true or false")
    return tuple(map(bool, scores))


def pairs(answers: Answered) -> list[tuple[int, int]]:
    """The sampled conflict pairs, the lower place first; one that is listed twice is there twice."""
    found = []
    for place, pair in enumerate(answers.row.get("sampled_conflict_pairs", list)):
        field = f"sampled_conflict_pairs[{place}]"
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(i) is int for i in pair):
            answers.row.wrong(field, "must be two places in scores, counted from 0")
        low, high = sorted(pair)
        if low < 0 or high >= len(answers.right):
            answers.row.wrong(field, f"{pair}: there are places 0 to {len(answers.right) - 1}")
        if answers.right[low] == answers.right[high]:
            answers.row.wrong(field, f"{pair}: exactly one of the two must be right by scores")
        found.append((low, high))
    return found


def load(data: RecordedSet) -> list[Item]:
    return [tagged(item) for item in pairs_with_gold(data)]


def read(data: Data) -> Iterator[Placed]:
    found: Counter[str] = Counter()
    repeated = without = 0
    for answers in answered(data):
        found[answers.subset.split("/")[0]] += 1
        listed = pairs(answers)
        repeated += len(listed) - len(set(listed))
        without += not listed
        for low, high in dict.fromkeys(listed):
            name = f"{answers.name}/{low + 1}-{high + 1}"
            yield answers.item(name, unranked(name, (low, high)))
    if differ := {name: f"{name} {found[name]:,} of {size:,}" for name, size in ROWS.items() if found[name] != size}:
        data.notes.append(f"Questions that differ from the official ones: {', '.join(differ.values())}.")
        data.partial.update(differ)
    if repeated:
        data.notes.append(f"{repeated:,} conflict pairs are repeats within their row, and asked once.")
    if without:
        data.notes.append(f"{without:,} questions have no conflict pair.")


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    return Task(
        name="ppe_correctness",
        revision="1",
        protocols=("ppe_correctness",),
        load=load,
        credit=best,
        section=section,
        read=reader(read, path, hub),
        published="PPE-Correctness",
        sizes=dict.fromkeys(BENCHMARKS),
    )
