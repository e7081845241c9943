"""Vicuna80 peer review: 80 questions, answers of 5 models, 5 LLM judges in both orders, human labels.

Peer Rank and Discussion, arXiv 2307.02762. Two tasks over the same judgments: `pairs` asks which of two answers is
better (a pair's label is the majority of its annotators; pairs labelled a tie or without a majority are left out), and
`best_of_5` asks for the best of all answers (gold: the winner or winners of the human round robin, a win 1 point and a
tie one half). Any set imported with `tournament` runs here, whatever its number of answers.

Texts: the owners' vicuna80 folder, with generations/answer_MODEL.jsonl {"question_id", "text"} and
prompts/vicuna_questions.jsonl {"question_id", "text"}; the labels are those of the shipped set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from judgescale.harness import recorded
from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import HUMAN, Item, JudgescaleError, Task
from judgescale.tasks.loading import first_records, items_with_gold, majority, pairs_with_gold
from judgescale.tasks.texts import Data, Placed, Row, reader

Pair = tuple[str, str]


def human_labels(data: RecordedSet) -> dict[str, dict[Pair, float]]:
    """prompt -> (a, b) sorted -> 1 if the majority of annotators prefers a, 0 if b, 1/2 for a tie or no majority."""
    votes: dict[tuple[str, Pair], list[float]] = defaultdict(list)
    for r in data.records:
        if r.judgment.judge == HUMAN and r.judgment.scores is not None and len(r.judgment.shown) == 2:
            (a, x), (b, _) = sorted(
                zip((r.responses[i] for i in r.judgment.shown), r.judgment.scores, strict=True), key=lambda s: s[0]
            )
            votes[r.prompt, (a, b)].append(x)
    labels: dict[str, dict[Pair, float]] = defaultdict(dict)
    for (prompt, pair), given in votes.items():
        labels[prompt][pair] = majority(given, split=0.5)
    if not labels:
        raise JudgescaleError(f'{data.path}: no pairwise labels by judge "{HUMAN}" to score against; import them too')
    return labels


def load_pairs(data: RecordedSet) -> list[Item]:
    if all(r.gold is not None for r in data.records):  # what a live run leaves behind
        return pairs_with_gold(data)
    first = first_records(data)
    return [
        Item(
            id=f"{prompt}/{a}-vs-{b}",
            prompt=prompt,
            cluster=first[prompt].cluster,
            responses=(a, b),
            gold=(label, 1 - label),
            subset=first[prompt].subset,
        )
        for prompt, labelled in human_labels(data).items()
        for (a, b), label in sorted(labelled.items())
        if label != 0.5
    ]


def load_best(data: RecordedSet) -> list[Item]:
    if all(r.gold is not None for r in data.records):
        return items_with_gold(data)
    first, items = first_records(data), []
    for prompt, labelled in human_labels(data).items():
        responses = first[prompt].responses
        points = np.zeros(len(responses))
        for i, j in combinations(range(len(responses)), 2):
            a, b = responses[i], responses[j]
            if (a, b) not in labelled and (b, a) not in labelled:
                raise JudgescaleError(
                    f"{data.path}: item {prompt} has no human label for {a} against {b}, so its"
                    " round robin is incomplete; use task=vicuna80_pairs"
                )
            won = labelled[a, b] if (a, b) in labelled else 1 - labelled[b, a]
            points[[i, j]] += won, 1 - won
        gold = tuple(float(p) for p in points == points.max())
        items.append(
            Item(
                id=prompt,
                prompt=prompt,
                cluster=first[prompt].cluster,
                responses=responses,
                gold=gold,
                subset=first[prompt].subset,
            )
        )
    return items


def read(load: Callable[[RecordedSet], list[Item]], data: Data) -> Iterator[Placed]:
    if not data.path or not data.path.is_dir():
        raise JudgescaleError(f"{data.shown}: name the folder that generations/ and prompts/ are in")
    asked = _by_question(data, data.files("prompts/vicuna_questions.jsonl*")[0])
    written = {
        file.name.removeprefix("answer_").split(".jsonl")[0]: _by_question(data, file)
        for file in data.files("generations/answer_*")
    }
    for item in load(recorded.read("vicuna80")):
        sources = {"the question": asked, **{model: written.get(model, {}) for model in item.responses}}
        for name, texts in sources.items():
            if item.cluster not in texts:
                raise JudgescaleError(f"{data.shown}: question {item.cluster} has no text of {name}")
        question, *answers = (texts[item.cluster] for texts in sources.values())
        conversation, said = (("user", question.text("text")),), tuple(answer.text("text") for answer in answers)
        yield Placed(replace(item, prompt=item.id, conversation=conversation, texts=said), question)


def _by_question(data: Data, path: Path) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in data.of(path):
        if found.setdefault(name := row.name("question_id"), row) is not row:
            row.wrong("question_id", f"{name} is there already: row {found[name].number}")
    return found


def pairs(path: str | None = None) -> Task:
    return Task(
        name="vicuna80_pairs",
        revision="1",
        protocols=("vicuna80_pairs",),
        load=load_pairs,
        credit=best,
        section=lambda item: "",
        read=reader(partial(read, load_pairs), path),
    )


def best_of_5(path: str | None = None) -> Task:
    return Task(
        name="vicuna80_best_of_5",
        revision="1",
        protocols=("vicuna80_best_of_5",),
        load=load_best,
        credit=best,
        section=lambda item: "",
        read=reader(partial(read, load_best), path),
    )
