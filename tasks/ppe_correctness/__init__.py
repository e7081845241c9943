"""Judge which of two answers by the same model is right, on five benchmarks with checkable answers.

Rule (arXiv 2410.14872): each row holds one model's answers to one question, and which of them are right. Its sampled
conflict pairs, a right and a wrong answer each, are the items; a pair that stands there twice is asked once. A pair is
right where the right answer scores strictly higher. The headline is the plain mean of the five benchmarks;
task.subsets=[MMLU-Pro,MATH,GPQA] takes the three of the Reward Reasoning Model's paper. The same rows give
task=ppe_best_of_k.

Data: the owners' five data sets, or a folder of their files. Pairs are indices into `scores`, from 0; a row's benchmark
is told by its column "benchmark", where there is one, else by the name of its data set, file or folder:

    {"question_id": "q7", "model_name": "m", "prompt": "How many …?", "response_1": "12", "response_2": "7",
     "scores": [false, true], "sampled_conflict_pairs": [[0, 1]]}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import hash_texts
from judgescale.harness.types import Item, Task
from judgescale.tasks.loading import load_gold_pairs
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader, shuffle_by_name

BENCHMARKS = {  # benchmark -> how names spell it: "PPE-MMLU-Pro-Best-of-K", "mmlu_pro", …
    "MMLU-Pro": r"mmlu[-_ ]?pro",
    "MATH": r"math",
    "GPQA": r"gpqa",
    "MBPP-Plus": r"mbpp[-_ ]?(plus|\+)",
    "IFEval": r"if[-_ ]?eval",
}
# Rows of each. The sum, 2,555, is the owners'; that MMLU-Pro and IFEval have equal parts of it is inferred.
ROWS = {"MMLU-Pro": 512, "MATH": 512, "GPQA": 512, "MBPP-Plus": 507, "IFEval": 512}


class AnswerSet(NamedTuple):
    """Hold a question with one model's answers, and which of them are right."""

    name: str
    subset: str  # benchmark/model
    right: tuple[bool, ...]
    row: RawRow

    def make_item(self, name: str, places: Sequence[int]) -> SourcedItem:
        """Make the item of the answers at these places; they are called by their columns' numbers, from 1."""
        conversation = self.row.get_turns("prompt")
        item = Item(
            id=name,
            prompt=name,
            cluster=hash_texts(*(content for _, content in conversation)),  # of several models' answers to a question
            responses=tuple(str(i + 1) for i in places),
            gold=tuple(float(self.right[i]) for i in places),
            subset=self.subset,
            conversation=conversation,
            texts=tuple(self.row.get_text(f"response_{i + 1}", empty=True) for i in places),
        )
        return SourcedItem(tag_model(item), self.row)


def section(item: Item) -> str:
    """Return the benchmark."""
    return item.subset.split("/")[0]


def tag_model(item: Item) -> Item:
    """Add the model that answered as a break-down of results."""
    model = item.subset.partition("/")[2]
    return replace(item, tags=(("model", model),)) if model else item


def read_answer_sets(data: RawData) -> Iterator[AnswerSet]:
    """Yield one model's answers to one question for every row."""
    for row in data.read_rows():
        subset = f"{find_benchmark(row)}/{row.get_text('model_name')}"
        yield AnswerSet(f"{subset}/{row.get_name('question_id')}", subset, read_labels(row), row)


def find_benchmark(row: RawRow) -> str:
    """Find the benchmark a row is of. Raises JudgescaleError where none, or more than one, is named."""
    places = [row.get_text("benchmark")] if "benchmark" in row.fields else reversed(row.source.path.parts)
    names = next(filter(None, map(match_benchmarks, places)), ())
    if len(names) != 1:
        row.reject(
            "benchmark",
            f"this column, or else the name of the file or its folder, must be one of {', '.join(BENCHMARKS)}",
        )
    return names[0]


@lru_cache
def match_benchmarks(text: str) -> tuple[str, ...]:
    """List the benchmarks that a text names, as words of their own."""
    return tuple(
        name for name, spelling in BENCHMARKS.items() if re.search(f"(?<![a-z0-9]){spelling}(?![a-z0-9])", text.lower())
    )


def read_labels(row: RawRow) -> tuple[bool, ...]:
    """Read which of a row's answers are right."""
    scores = row.need("scores", list)
    for place, score in enumerate(scores):
        if score not in (0, 1):
            row.reject(f"scores[{place}]", "must be true or false")
    return tuple(map(bool, scores))


def list_pairs(answers: AnswerSet) -> list[tuple[int, int]]:
    """List the sampled conflict pairs, the lower index first; one that the row lists twice is there twice."""
    found = []
    for place, pair in enumerate(answers.row.need("sampled_conflict_pairs", list)):
        field = f"sampled_conflict_pairs[{place}]"
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(i) is int for i in pair):
            answers.row.reject(field, "must be two places in scores, counted from 0")
        low, high = sorted(pair)
        if low < 0 or high >= len(answers.right):
            answers.row.reject(field, f"{pair}: there are places 0 to {len(answers.right) - 1}")
        if answers.right[low] == answers.right[high]:
            answers.row.reject(field, f"{pair}: exactly one of the two must be right by scores")
        found.append((low, high))
    return found


def load(data: RecordedSet) -> list[Item]:
    """Load the pairs of a recorded set."""
    return [tag_model(item) for item in load_gold_pairs(data)]


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the conflict pairs, and note where the questions are not the official ones in number."""
    found: Counter[str] = Counter()
    repeated = without = 0
    for answers in read_answer_sets(data):
        found[answers.subset.split("/")[0]] += 1
        listed = list_pairs(answers)
        repeated += len(listed) - len(set(listed))
        without += not listed
        for low, high in dict.fromkeys(listed):
            name = f"{answers.name}/{low + 1}-{high + 1}"
            yield answers.make_item(name, shuffle_by_name(name, (low, high)))
    if differ := {name: f"{name} {found[name]:,} of {size:,}" for name, size in ROWS.items() if found[name] != size}:
        data.notes.append(f"Questions that differ from the official ones: {', '.join(differ.values())}.")
        data.partial.update(differ)
    if repeated:
        data.notes.append(f"{repeated:,} conflict pairs are repeats within their row, and asked once.")
    if without:
        data.notes.append(f"{without:,} questions have no conflict pair.")


def task(path: str | None = None, hub: Mapping[str, Any] | None = None) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated."""
    return Task(
        name="ppe_correctness",
        revision="1",
        protocols=("ppe_correctness",),
        load=load,
        credit=credit_best,
        section=section,
        read=make_reader(read, path, hub),
        published="PPE-Correctness",
        sizes=dict.fromkeys(BENCHMARKS),
    )
