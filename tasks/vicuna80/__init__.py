"""Judge which of two answers people prefer, or which of five is best: 80 questions, answers of 5 models, human labels.

Rule (Peer Rank and Discussion, arXiv 2307.02762; the scoring is ours): two tasks over the same judgments. `pairs` asks
which of two answers is better: a pair's label is the majority of its annotators; pairs labelled a tie or without a
majority are left out. `best_of_5` asks for the best of all answers: gold is the winner or winners of the human round
robin, a win 1 point and a tie one half. Any set imported with `tournament` runs here, whatever its number of answers.

Data: the owners' vicuna80 folder, with generations/answer_MODEL.jsonl and prompts/vicuna_questions.jsonl; the labels
are those of the shipped set. A row of either file:

    {"question_id": 7, "text": "How can I …?"}
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
from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.stats.annotators import find_majority
from judgescale.harness.types import HUMAN, Item, JudgescaleError, Task
from judgescale.tasks.loading import index_items, load_gold_items, load_gold_pairs
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader

Pair = tuple[str, str]


def read_votes(data: RecordedSet) -> dict[tuple[str, Pair], list[float]]:
    """Map each prompt and pair of names (a, b), sorted, to what each of its annotators says.

    1 where they prefer a, 0 where they prefer b, 1/2 for a tie. Raises JudgescaleError where a set has no human
    verdicts.
    """
    votes: dict[tuple[str, Pair], list[float]] = defaultdict(list)
    for r in data.records:
        if r.judgment.judge == HUMAN and r.judgment.scores is not None and len(r.judgment.shown) == 2:
            (a, x), (b, _) = sorted(
                zip((r.responses[i] for i in r.judgment.shown), r.judgment.scores, strict=True), key=lambda s: s[0]
            )
            votes[r.prompt, (a, b)].append(x)
    if not votes:
        raise JudgescaleError(f'{data.path}: no pairwise labels by judge "{HUMAN}" to score against; import them too')
    return votes


def read_human_labels(data: RecordedSet) -> dict[str, dict[Pair, float]]:
    """Map each prompt and pair of names to what the majority of its annotators says, 1/2 without a majority."""
    labels: dict[str, dict[Pair, float]] = defaultdict(dict)
    for (prompt, pair), given in read_votes(data).items():
        labels[prompt][pair] = find_majority(given, split=0.5)
    return labels


def load_pairs(data: RecordedSet) -> list[Item]:
    """Load every pair that people prefer one answer of."""
    if data.has_gold:  # the set of a live run
        return load_gold_pairs(data)
    first, votes = index_items(data), read_votes(data)
    return [
        Item(
            id=f"{prompt}/{a}-vs-{b}",
            prompt=prompt,
            cluster=first[prompt].cluster,
            responses=(a, b),
            gold=(label, 1 - label),
            subset=first[prompt].subset,
            labels=tuple((x, 1 - x) for x in votes[prompt, (a, b)]),
        )
        for prompt, labelled in read_human_labels(data).items()
        for (a, b), label in sorted(labelled.items())
        if label != 0.5
    ]


def load_best(data: RecordedSet) -> list[Item]:
    """Load every question with all of its answers; gold is 1 for the winner or winners of the human round robin."""
    if data.has_gold:
        return load_gold_items(data)
    first, items = index_items(data), []
    for prompt, labelled in read_human_labels(data).items():
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


def read(load: Callable[[RecordedSet], list[Item]], data: RawData) -> Iterator[SourcedItem]:
    """Read the texts of the items that `load` makes of the shipped set."""
    if not data.path or not data.path.is_dir():
        raise JudgescaleError(f"{data.title}: name the folder that generations/ and prompts/ are in")
    questions = _index_by_question(data, data.list_files("prompts/vicuna_questions.jsonl*")[0])
    answers = {
        file.name.removeprefix("answer_").split(".jsonl")[0]: _index_by_question(data, file)
        for file in data.list_files("generations/answer_*")
    }
    for item in load(recorded.read_set("vicuna80")):
        sources = {"the question": questions, **{model: answers.get(model, {}) for model in item.responses}}
        for name, rows in sources.items():
            if item.cluster not in rows:
                raise JudgescaleError(f"{data.title}: question {item.cluster} has no text of {name}")
        asked, *texts = (rows[item.cluster].get_text("text") for rows in sources.values())
        item = replace(item, prompt=item.id, conversation=(("user", asked),), texts=tuple(texts))
        yield SourcedItem(item, questions[item.cluster])


def _index_by_question(data: RawData, path: Path) -> dict[str, RawRow]:
    """Map each question's id to its row of a file."""
    found: dict[str, RawRow] = {}
    for row in data.read_file(path):
        if found.setdefault(name := row.get_name("question_id"), row) is not row:
            row.reject("question_id", f"{name} is there already: row {found[name].number}")
    return found


def pairs(path: str | None = None) -> Task:
    """Make the task of pairs. path: where the texts are; without it only recorded sets can be evaluated."""
    return Task(
        name="vicuna80_pairs",
        revision="1",
        protocols=("vicuna80_pairs",),
        load=load_pairs,
        credit=credit_best,
        section=lambda item: "",
        read=make_reader(partial(read, load_pairs), path),
    )


def best_of_5(path: str | None = None) -> Task:
    """Make the task of all answers at once. path: as for `pairs`."""
    return Task(
        name="vicuna80_best_of_5",
        revision="1",
        protocols=("vicuna80_best_of_5",),
        load=load_best,
        credit=credit_best,
        section=lambda item: "",
        read=make_reader(partial(read, load_best), path),
    )
