"""Judge which of ten solutions of a MATH problem is the right one; or, in pairs, which of a right and a wrong one.

Rule (RewardMATH, arXiv 2410.01729): a problem is right only where the right solution scores strictly above all nine
wrong ones. Beside it stand the mean reciprocal rank of the right one (mrr), every wrong one that scores alike ahead of
it, and the share of problems where none scores higher (tie_right).
`rewardmath_pairs` judges the right solution against each wrong one, and a problem is right only where it wins all nine;
beside it stands the share of pairs that it wins.

Data: the owners' files RewardMATH_direct.json, one row a solution, and RewardMATH_pairwise.json, one row a pair; what
solution_reference calls human_to_GPT-4 is the right one, and a pair has it at chosen_position:

    {"problem": "1+1?", "eval_solution": ["I add.", "It is 2."], "solution_reference": "human_to_GPT-4", "level": 1,
     "subject": "Algebra"}
    {"problem": "1+1?", "eval_solution_A": ["It is 2."], "eval_solution_B": ["It is 3."], "chosen_position": "A",
     "solution_reference": "org/model", "level": 1, "subject": "Algebra"}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from judgescale.harness.evaluation.rules import credit_best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.source import hash_texts
from judgescale.harness.types import Item, JudgescaleError, Rules, Task
from judgescale.tasks.loading import load_gold_items, load_gold_pairs
from judgescale.tasks.texts import RawData, RawRow, SourcedItem, make_reader, shuffle_by_name

RIGHT = "human_to_GPT-4"  # who wrote the right solution
UNKNOWN = "unknown"  # whom the owners' files leave out
PROBLEMS, SOLUTIONS = 483, 10
PLACES = ("A", "B")


def load(data: RecordedSet) -> list[Item]:
    """Load the problems of a recorded set, each with ten solutions."""
    return load_gold_items(data, width=SOLUTIONS)


def load_pairs(data: RecordedSet) -> list[Item]:
    """Load the pairs of a recorded set. Raises JudgescaleError for one whose name does not tell its problem."""
    items = load_gold_pairs(data)
    for item in items:
        if not all(item.id.partition("/")):
            raise JudgescaleError(
                f"{data.path}: item {item.id} is one of several pairs that are right or wrong together: name them"
                " PROBLEM/AUTHOR"
            )
    return items


def name_problem(item: Item) -> str:
    """Name the problem that a pair is about."""
    return item.id.partition("/")[0]


def credit_problem(items: Sequence[Item], scores: Sequence[np.ndarray], rules: Rules) -> np.ndarray:
    """Credit a problem whose right solution wins every pair; a tied pair is a factor of what the rules say."""
    earned: np.ndarray = np.prod([credit_best((item,), (s,), rules) for item, s in zip(items, scores)], axis=0)
    return earned


def find_reciprocal_rank(gold: np.ndarray, decisions: np.ndarray) -> float:
    """Return the mean of 1/rank of the right solutions, ties counted against them; 0 where nothing was usable.

    gold, decisions: (N, n), one right solution in each row; a decision may lack the score of some (NaN), which are
    then last.
    """
    known = np.where(np.isnan(decisions), -np.inf, decisions)
    right = np.take_along_axis(known, gold.argmax(axis=1)[:, None], axis=1)
    rank = ((known >= right) & (gold < 1)).sum(axis=1) + 1
    return float(np.where(np.isneginf(known).all(axis=1), 0.0, 1 / rank).mean())


def find_tie_right(gold: np.ndarray, decisions: np.ndarray) -> float:
    """Return the share of problems where no wrong solution scores above the right one.

    gold, decisions: (N, n); where nothing was usable the problem is wrong.
    """
    known = np.where(np.isnan(decisions), -np.inf, decisions)
    right = np.where(gold >= 1, known, -np.inf).max(axis=1)
    return float((np.isfinite(right) & (right >= known.max(axis=1))).mean())


def find_pair_accuracy(gold: np.ndarray, decisions: np.ndarray) -> float:
    """Return the share of pairs that the right solution wins; what ties, or was not usable, it does not win.

    gold, decisions: (N, 2).
    """
    return float(((gold[:, 0] - gold[:, 1]) * (decisions[:, 0] - decisions[:, 1]) > 0).mean())


def read(data: RawData) -> Iterator[SourcedItem]:
    """Read the problems of RewardMATH_direct.json, each with its solutions in an order drawn by its name."""
    rows: dict[str, dict[str, RawRow]] = {}
    for row in data.read_rows("**/RewardMATH_direct*"):
        solutions = rows.setdefault(hash_texts(row.get_text("problem")), {})
        if (author := _read_author(row, solutions)) == f"{RIGHT}#2":
            row.reject("solution_reference", f"there is a solution of {RIGHT} already")
        solutions[author] = row
    for name, solutions in rows.items():
        first = next(iter(solutions.values()))
        if RIGHT not in solutions or len(solutions) != SOLUTIONS:
            lacks = f"and none of {RIGHT}" if RIGHT not in solutions else f"not {SOLUTIONS}"
            first.reject("problem", f"has {len(solutions)} solutions, {lacks}")
        labelled = [
            (author, _read_solution(row, "eval_solution"), float(author == RIGHT)) for author, row in solutions.items()
        ]
        yield _make_item(first, name, shuffle_by_name(name, labelled))


def read_pairs(data: RawData) -> Iterator[SourcedItem]:
    """Read the pairs of RewardMATH_pairwise.json, the solutions in the owners' places."""
    seen: dict[str, dict[str, RawRow]] = {}
    for row in data.read_rows("**/RewardMATH_pairwise*"):
        problem = hash_texts(row.get_text("problem"))
        others = seen.setdefault(problem, {})
        author = _read_author(row, others)
        others[author] = row
        if (place := row.get_text("chosen_position")) not in PLACES:
            row.reject("chosen_position", f"{place!r} is neither 'A' nor 'B'")
        labelled = [
            (RIGHT if at == place else author, _read_solution(row, f"eval_solution_{at}"), float(at == place))
            for at in PLACES
        ]
        yield _make_item(row, f"{problem}/{author}", labelled)


def _read_author(row: RawRow, others: dict[str, RawRow]) -> str:
    """Return who wrote a solution; one who wrote two of a problem is told apart by #2."""
    author = row.need("solution_reference", str) or UNKNOWN
    count = sum(other.partition("#")[0] == author for other in others) + 1
    return author + (f"#{count}" if count > 1 else "")


def _read_solution(row: RawRow, field: str) -> str:
    """Return a solution, its steps a line each."""
    return "\n".join(row.get_texts(field))


def _make_item(row: RawRow, name: str, labelled: Sequence[tuple[str, str, float]]) -> SourcedItem:
    responses, texts, gold = zip(*labelled)
    tags = [(field, str(row.get(field))) for field in ("subject", "level") if row.get(field) is not None]
    item = Item(
        id=name,
        prompt=name,
        cluster=name.partition("/")[0],
        responses=responses,
        gold=gold,
        conversation=(("user", row.get_text("problem")),),
        texts=texts,
        tags=tuple(tags),
    )
    return SourcedItem(item, row)


def solutions(path: str | None = None) -> Task:
    """Make the task of all solutions. path: where the texts are; without it only recorded sets can be evaluated."""
    return Task(
        name="rewardmath",
        revision="1",
        protocols=("rewardmath",),
        load=load,
        credit=credit_best,
        metrics={"mrr": find_reciprocal_rank, "tie_right": find_tie_right},
        read=make_reader(read, path),
        sizes={"": PROBLEMS},
    )


def pairs(path: str | None = None) -> Task:
    """Make the task of pairs. path: as for `solutions`."""
    return Task(
        name="rewardmath_pairs",
        revision="1",
        protocols=("rewardmath_pairs",),
        load=load_pairs,
        credit=credit_problem,
        unit=name_problem,
        metrics={"pair_accuracy": find_pair_accuracy},
        read=make_reader(read_pairs, path),
        sizes={"": PROBLEMS * (SOLUTIONS - 1)},
    )
