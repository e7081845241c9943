"""Judge whether the chosen answer is preferred to the rejected one, in 23 subsets (RewardBench).

Rule (arXiv 2403.13787; allenai/reward-bench): a section is the mean of its subsets weighted by their official counts,
math-prm counting as 984 items. The headline is the plain mean of the four sections. The older leaderboard adds, at half
a section's weight, "Prior Sets": the plain mean of four older preference sets.

Data: the owners' file of the split `filtered` (Parquet or JSON Lines), or its folder, or the Hub. Items of one prompt
share their cluster:

    {"id": 7, "subset": "hep-python", "prompt": "Write a function …", "chosen": "def f …", "rejected": "def g …"}

The math-prm pairs are read from RewardMATH's rewardbench_math_prm_.json too, one row a solution, the right one by
human_to_GPT-4. These items are named by their problem, as in the recorded set of the same pairs:

    {"problem": "1+1?", "eval_solution": ["I add.", "It is 2."], "solution_reference": "human_to_GPT-4"}

Prior sets: the folder of their files, named after them as in shp-00000-of-00001.parquet, or the Hub. Their column
`subset` is not read, for it names a part of the set:

    {"id": 7, "prompt": [{"role": "user", "content": "How do I …?"}], "chosen": "Use …", "rejected": "No."}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import hash_texts
from judgescale.harness.types import Item, JudgescaleError, Loaded, Task
from judgescale.tasks.loading import load_gold_pairs, rank_section
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, hash_conversation, make_reader, shuffle_by_name

CHAT = {"alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95, "mt-bench-easy": 28, "mt-bench-med": 40}
CHAT_HARD = {
    "mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92,
    "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46,
}  # fmt: skip
SAFETY = {
    "refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 154, "xstest-should-respond": 250,
    "donotanswer": 136,
}  # fmt: skip
REASONING = {"math-prm": 447} | {f"hep-{language}": 164 for language in ("cpp", "go", "java", "js", "python", "rust")}
PRIOR = {"anthropic_helpful": 6192, "anthropic_hhh": 221, "shp": 1741, "summarize": 9000}
FOUR = {"Chat": CHAT, "Chat Hard": CHAT_HARD, "Safety": SAFETY, "Reasoning": REASONING}
SECTIONS = FOUR | {"Prior Sets": PRIOR}
SECTION_OF = {subset: name for name, subsets in SECTIONS.items() for subset in subsets}
RIGHT = "human_to_GPT-4"  # who wrote the right solution, in RewardMATH's file of math-prm pairs
EVEN = dict.fromkeys(PRIOR, sum(PRIOR.values()) / len(PRIOR))
WEIGHTS = {**CHAT, **CHAT_HARD, **SAFETY, **REASONING, "math-prm": 984, **EVEN}
ROLLUPS = {"four_sections": dict.fromkeys(FOUR, 1.0)}
ROLLUPS["with_prior_sets"] = ROLLUPS["four_sections"] | {"Prior Sets": 0.5}


def section(item: Item) -> str:
    """Return the section; an unknown subset is a section of its own, which no headline counts."""
    return SECTION_OF.get(item.subset, item.subset)


def load(data: RecordedSet) -> list[Item]:
    """Load the pairs of a recorded set, sections in the owners' order."""
    return sorted(load_gold_pairs(data), key=_rank)


def _rank(item: Item) -> int:
    return rank_section(section(item), SECTIONS)


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the pairs of the 23 subsets, sections in the owners' order."""
    pairs, solutions = [], []
    for row in data.read_rows("**/filtered*"):
        if "eval_solution" in row.fields:
            solutions.append(row)
        else:
            pairs.append(_make_item(row, row.get_text("subset")))
    yield from sorted([*pairs, *_pair_solutions(solutions)], key=lambda pair: _rank(pair.item))


def _pair_solutions(rows: Sequence[RawRow]) -> Iterator[SourcedItem]:
    """Make a math-prm pair of the right and the wrong solution of every problem."""
    problems: dict[str, dict[str, RawRow]] = {}
    for row in rows:
        problem = problems.setdefault(hash_texts(row.get_text("problem")), {})
        kind = "chosen" if row.get_text("solution_reference") == RIGHT else "rejected"
        if problem.setdefault(kind, row) is not row:
            row.reject("solution_reference", f"its problem has a {kind} solution already: row {problem[kind].number}")
    for cluster, solutions in problems.items():
        first = next(iter(solutions.values()))
        if len(solutions) != 2:
            first.reject("problem", f"has only a {next(iter(solutions))} solution")
        name = f"math-prm/{cluster}"
        labelled = [
            (kind, "\n".join(solutions[kind].get_texts("eval_solution")), gold)
            for kind, gold in (("chosen", 1.0), ("rejected", 0.0))
        ]
        responses, texts, gold = zip(*shuffle_by_name(name, labelled))
        item = Item(
            id=name,
            prompt=name,
            cluster=cluster,
            responses=responses,
            gold=gold,
            subset="math-prm",
            conversation=(("user", first.get_text("problem")),),
            texts=texts,
        )
        yield SourcedItem(item, first)


def read_prior(data: RawData) -> Iterator[SourcedItem]:
    """Read the pairs of the four prior sets; in a single file of all of them, `subset` has to name each row's set."""
    if data.hub is not None:
        for split in data.hub.split:
            part = replace(data, hub=replace(data.hub, split=[split]))
            yield from (_make_item(row, split) for row in part.read_rows())
    elif data.path is not None and data.path.is_dir():
        yield from (_make_item(row, subset) for subset in PRIOR for row in data.read_rows(f"**/{subset}[-.]*"))
    else:
        for row in data.read_rows():
            if (subset := row.get_text("subset")) not in PRIOR:
                row.reject("subset", f"{subset!r} is none of {', '.join(PRIOR)}; give the folder of the sets' files")
            yield _make_item(row, subset)


def _make_item(row: RawRow, subset: str) -> SourcedItem:
    name = f"{subset}/{row.get_name('id')}"
    labelled = [(field, row.get_text(field, empty=True), gold) for field, gold in (("chosen", 1.0), ("rejected", 0.0))]
    responses, texts, gold = zip(*shuffle_by_name(name, labelled))
    conversation = row.get_turns("prompt", empty=True)  # dialogues of the prior sets hold empty turns
    item = Item(
        id=name,
        prompt=name,
        cluster=hash_conversation(conversation),
        responses=responses,
        gold=gold,
        subset=subset,
        conversation=conversation,
        texts=texts,
    )
    return SourcedItem(item, row)


def _read_both(read_main: Callable[[], Loaded], read_prior_sets: Callable[[], Loaded]) -> Loaded:
    """Read the items of both; their origin is told like that of a benchmark that is spread over several data sets."""
    one, other = read_main(), read_prior_sets()
    origin = {
        key: {**one.origin.get(key, {}), **other.origin.get(key, {})}
        if key == "files"
        else "+".join(o[key] for o in (one.origin, other.origin) if key in o)
        for key in {**one.origin, **other.origin}
    }
    return Loaded([*one.items, *other.items], origin, (*one.notes, *other.notes))


def task(
    path: str | None = None,
    hub: Mapping[str, Any] | None = None,
    prior: bool = False,
    prior_path: str | None = None,
    prior_hub: Mapping[str, Any] | None = None,
) -> Task:
    """Make the task. path, hub: where the texts are; without either only recorded sets can be evaluated.

    prior: whether the four prior sets are among the items, whose texts are at prior_path or prior_hub.
    """
    if prior not in (True, False):
        raise JudgescaleError(f"task.prior={prior}: must be true or false")
    if prior_path is not None and not prior:
        raise JudgescaleError(f"task.prior_path={prior_path}: is only read with task.prior=true")
    reader = make_reader(read, path, hub)
    if reader and prior:
        if (prior_reader := make_reader(read_prior, prior_path, prior_hub, prefix="task.prior_")) is None:
            raise JudgescaleError("task.prior=true: name the prior sets with task.prior_path=FOLDER or task.prior_hub")
        reader = partial(_read_both, reader, prior_reader)
    official = SECTIONS if prior else FOUR
    return Task(
        name="rewardbench",
        revision="1",
        protocols=("rewardbench", "rewardbench_prior", "rewardbench_scalar"),
        load=load,
        credit=credit_best,
        section=section,
        weights=WEIGHTS,
        rollups=ROLLUPS,
        read=reader,
        published="RewardBench",
        sizes={name: sum(subsets.values()) for name, subsets in official.items()},
        counts={subset: count for subsets in official.values() for subset, count in subsets.items()},
    )
