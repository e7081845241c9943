"""How often a judge that guesses puts one strategy above another: every shipped protocol, every pair of strategies.

    python benchmarks/guessers.py [--sets 200] [--items 60] [--only single@1 meta_voting@8 --first 1000]

writes a Markdown table. By the owner's rule alone a strategy that breaks ties itself beats one that does not; of the
verdicts that are printed, no more than one in twenty may name a winner. Exits with 1 where more do than chance allows.
The largest of many pairs is large by chance: hold it, alone (`--only`), against fresh sets (`--first`, a seed).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.evaluation.credits import Credits, credit_units
from judgescale.harness.evaluation.decisions import decide
from judgescale.harness.evaluation.differences import describe_difference, is_fitted
from judgescale.harness.evaluation.evaluate import add_meta_scores, apply_vote_rule, score_by_meta_rm
from judgescale.harness.plan.common import load_rules
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.recorded.pools import Pools, RecordedJudgments
from judgescale.harness.stats.aggregate import AGGREGATES
from judgescale.harness.stats.differences import find_side
from judgescale.harness.stats.paired import compare_paired
from judgescale.harness.stats.stopping_rules import RULES
from judgescale.harness.strategies.budget import Budget
from judgescale.harness.strategies.double_elimination import DoubleElimination
from judgescale.harness.strategies.elo import Elo
from judgescale.harness.strategies.information_gain import InformationGain
from judgescale.harness.strategies.knockout import Knockout
from judgescale.harness.strategies.meta_voting import MetaVoting
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.stopping import Stopping
from judgescale.harness.strategies.swiss import Swiss
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Item, Judgment, Record, Rules, Task
from judgescale.tasks import pandalm, realmistake, rewardbench, rewardbench2, rewardmath, rmb, vicuna80

ROOT = Path(__file__).resolve().parent.parent
PROTOCOLS = sorted(path.stem for path in (ROOT / "conf/protocol").glob("*.yaml"))
DRAWS = 20
DEFAULTS = ("", "elo", "sum", "logistic")  # options that need not be told

Guess = Callable[[np.random.Generator, int], tuple[float, ...] | None]  # scores in shown order, None = unusable


class Shape(NamedTuple):
    """What items a protocol is made for: their gold, in any order, and the task that credits them."""

    task: Task
    golds: tuple[tuple[float, ...], ...]
    subset: str = ""
    together: int = 1  # items that are credited together
    pointwise: bool = False  # each response is scored alone


PAIRS = Shape(vicuna80.pairs(), ((1.0, 0.0),))
BEST = Shape(vicuna80.best_of_5(), ((1.0, 0.0, 0.0, 0.0),))
SHAPES = {
    "pandalm": [Shape(pandalm.task(), ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5)))],
    "realmistake": [Shape(realmistake.task(), ((1.0,), (1.0,), (0.0,)))],
    "ppe_best_of_k": [Shape(BEST.task, ((1.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)))],
    "rewardbench2": [
        Shape(rewardbench2.task(), BEST.golds, "Math"),
        Shape(rewardbench2.task(), BEST.golds, "Math", pointwise=True),
        Shape(rewardbench2.task(), (BEST.golds[0], (1.0, 1.0, 0.0, 0.0)), "Ties", 2),
    ],
    "rewardmath": [Shape(rewardmath.solutions(), ((1.0,) + (0.0,) * 9,), pointwise=True)],
    "rewardmath_pairs": [Shape(rewardmath.pairs(), PAIRS.golds, together=2)],
    "rewardbench": [Shape(rewardbench.task(), PAIRS.golds, "math-prm")],
    "rewardbench_scalar": [Shape(rewardbench.task(), PAIRS.golds, "math-prm", pointwise=True)],
    "rewardbench_prior": [Shape(rewardbench.task(), PAIRS.golds, "math-prm")],
    "rmb": [Shape(rmb.task(), PAIRS.golds, "BoN/Helpfulness/Chat", 2)],
    "rmb_bon": [BEST],
    "vicuna80_best_of_5": [BEST],
}  # all others: pairs


def toss_a_coin(rng: np.random.Generator, n: int) -> tuple[float, ...]:
    """One of them at random."""
    if n == 1:
        return (float(rng.integers(2)),)
    pick = rng.integers(n)
    return tuple(float(i == pick) for i in range(n))


def rate(rng: np.random.Generator, n: int) -> tuple[float, ...]:
    """Each from 1 to 3 at random: many ties."""
    return tuple(float(x) for x in rng.integers(1, 4, n)) if n > 1 else (float(rng.integers(5) / 4),)


def fall_silent(rng: np.random.Generator, n: int) -> tuple[float, ...] | None:
    """A coin, and nothing in four of ten judgments."""
    return None if rng.random() < 0.4 else toss_a_coin(rng, n)


def lean(rng: np.random.Generator, n: int) -> tuple[float, ...]:
    """The first of those shown (a lone one has the property) in seven of ten judgments, else any."""
    if rng.random() < 0.7:
        return (1.0,) + (0.0,) * (n - 1)
    return toss_a_coin(rng, n)


def leave_gaps(rng: np.random.Generator, n: int) -> tuple[float, ...]:
    """Ratings, and none for three of ten responses."""
    scores = np.where(rng.random(n) < 0.3, np.nan, rng.integers(1, 4, n))
    return tuple(scores.tolist())


GUESSES: dict[str, Guess] = {"coin": toss_a_coin, "ratings": rate, "silent": fall_silent, "leaning": lean}
ALONE: dict[str, Guess] = {"gaps": leave_gaps}  # of responses that are scored alone


def make_plain_strategies(shape: Shape) -> list[Strategy]:
    """Those that ask the same of every item and sum what they get, and the knockout."""
    plain: list[Strategy] = [Single(), Voting(8), Voting(7), MetaVoting(8), MetaVoting(6, meta="random")]
    return plain + ([Elo(8), Elo(4, rating="wins"), Knockout(8)] if len(shape.golds[0]) > 1 else [])


def make_strategies(shape: Shape) -> list[Strategy]:
    """All shipped strategies that can be asked about such items, with every rule and every aggregate."""
    width = len(shape.golds[0])
    found = make_plain_strategies(shape)
    found += [Voting(8, aggregate=name) for name in AGGREGATES if name != "sum"]
    found += [Stopping(8, rule) for rule in RULES]
    if width > 1:
        found += [Budget(4), *([Budget(4, apart=True)] if shape.pointwise else [])]
    if width > 2:  # with two, all tournaments are one match
        found += [Swiss(8), DoubleElimination(8), InformationGain(8)]
    return found


def name_strategy(strategy: Strategy) -> str:
    """Name a strategy, its k and what else was chosen: "stopping@8 esc"."""
    chosen = [getattr(strategy, option, "") for option in ("rating", "rule", "aggregate", "meta")]
    chosen += ["apart"] * getattr(strategy, "apart", False)
    return " ".join([f"{strategy.name}@{strategy.k or 1}", *(word for word in chosen if word not in DEFAULTS)])


def make_items(shape: Shape, count: int, rng: np.random.Generator) -> list[Item]:
    """Make items whose right answers stand anywhere."""
    items = []
    for i in range(count):
        unit, place = divmod(i, shape.together)
        gold = shape.golds[(place if shape.together > 1 else i) % len(shape.golds)]
        of_pair = ("ref", "tied")[place] if shape.subset == "Ties" else place
        name = f"{shape.subset}/{of_pair}:{unit}" if shape.subset == "Ties" else f"{shape.subset}/{unit}/{place}"
        name = name.removeprefix("/")  # a pair of RewardMATH is PROBLEM/AUTHOR
        items.append(
            Item(
                id=name,
                prompt=name,
                cluster=f"{shape.subset}/{unit}".removeprefix("/"),
                responses=tuple(f"r{n}" for n in range(len(gold))),
                gold=tuple(rng.permutation(gold).tolist()),
                subset=shape.subset,
            )
        )
    return items


def judge_by_guessing(
    items: Sequence[Item], order: str, guess: Guess, rng: np.random.Generator, pointwise: bool = False
) -> list[Record]:
    """Let a guesser give 8 judgments of all responses of an item, and of every pair where there are more than two.

    pointwise: a judgment of all is one of every pair.
    """
    rows = []
    for item in items:
        n = len(item.responses)
        for question in [tuple(range(n)), *(combinations(range(n), 2) if n > 2 and not pointwise else [])]:
            for sample in range(8):
                shown = question if order == "as_is" or sample % 2 == 0 else question[::-1]
                scores = guess(rng, len(shown))
                judgment = Judgment(
                    judge="guesser",
                    shown=shown,
                    scores=scores,
                    status="unparsed" if scores is None else "ok",
                    sample=sample,
                )
                rows.append(
                    Record(
                        prompt=item.prompt,
                        cluster=item.cluster,
                        subset=item.subset,
                        responses=item.responses,
                        gold=item.gold,
                        judgment=judgment,
                    )
                )
    return rows


def credit_strategies(
    shape: Shape,
    strategies: Sequence[Strategy],
    rules: Rules,
    items: Sequence[Item],
    rows: Sequence[Record],
    seed: int,
) -> Iterator[tuple[str, Arm, Credits]]:
    """Credit every strategy on the same judgments, at its own k."""
    meta = {"order": rules.order, "pointwise": shape.pointwise}
    judgments = RecordedJudgments(
        RecordedSet(Path("guesses.parquet"), "guesses", meta, make_columns(rows)), ("guesser",)
    )
    for strategy in strategies:
        k = strategy.k or 1
        arm = Arm(
            judge="guesser",
            judgments=judgments,
            strategy=strategy,
            task=shape.task,
            rules=rules,
            items=tuple(items),
            ks=(k,),
            k=k,
            seed=seed,
            draws=DRAWS,
        )
        pools: list[Pools] = [
            {q: apply_vote_rule(arm, judgments.find_pool(item, q)) for q in strategy.questions(len(item.responses))}
            for item in items
        ]
        if strategy.meta_rm:
            pools = add_meta_scores(pools, score_by_meta_rm(arm, pools, strategy.meta_rm).scores)
        yield name_strategy(strategy), arm, credit_units(arm, decide(arm, strategy, (k,), pools))


def count_winners(
    protocol: str, shape: Shape, strategies: Sequence[Strategy], guess: Guess, sets: int, items: int, first: int = 0
) -> dict[tuple[str, str], tuple[int, int]]:
    """Count for each pair of strategies how many sets name a winner: by the owner's rule alone, and as it is said."""
    rules, counts = load_rules(protocol), Counter[tuple[tuple[str, str], bool]]()
    pairs: dict[tuple[str, str], None] = {}
    for seed in range(first, first + sets):
        rng = np.random.default_rng(seed)
        made = make_items(shape, items, rng)
        rows = judge_by_guessing(made, rules.order, guess, rng, shape.pointwise)
        arms = list(credit_strategies(shape, strategies, rules, made, rows, seed))
        for (one, arm, a), (other, beside, b) in combinations(arms, 2):
            pairs[one, other] = None
            fitted = is_fitted(arm.strategy) or is_fitted(beside.strategy)
            by_rule = compare_paired(a.units, a.value[:, 0], b.value[:, 0], arm.rollup, fitted=fitted)
            said = describe_difference(arm, f"{one} - {other}", a, b, fitted=fitted)
            counts[(one, other), False] += bool(find_side(by_rule.interval))
            counts[(one, other), True] += said.endswith((": above", ": below"))
    return {pair: (counts[pair, False], counts[pair, True]) for pair in pairs}


def main() -> None:
    """Print a row for each protocol and guesser, of the pair of strategies that is told apart most often."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--protocols", nargs="*", default=PROTOCOLS)
    parser.add_argument("--only", nargs="*", help="names of strategies, as the table has them")
    parser.add_argument("--guessers", nargs="*", default=[*GUESSES, *ALONE])
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    most = int(binom.ppf(1 - 1e-4, options.sets, 0.05))
    print("| protocol | guesser | by the owner's rule alone, % | as it is said, % |\n|---|---|---|---|")
    failed = False
    for protocol in options.protocols:
        for shape in SHAPES.get(protocol, [PAIRS]):
            few = [s for s in make_strategies(shape) if options.only is None or name_strategy(s) in options.only]
            for name, guess in (GUESSES | (ALONE if shape.pointwise else {})).items():
                if name not in options.guessers or len(few) < 2:
                    continue
                counts = count_winners(protocol, shape, few, guess, options.sets, options.items, options.first)
                cells = []
                for column in (0, 1):
                    pair, found = max(counts.items(), key=lambda c: c[1][column])
                    cells.append(f"{100 * found[column] / options.sets:.1f} ({' / '.join(pair)})")
                failed |= max(said for _, said in counts.values()) > most
                about = ", ".join(filter(None, [protocol, shape.subset, "pointwise" * shape.pointwise]))
                print(f"| {about} | {name} | {' | '.join(cells)} |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
