"""Preference pairs for TRL and OpenRLHF: which of two responses an arm prefers, by how much, how surely."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from judgescale.harness.exports import Format
from judgescale.harness.exports._training import (
    ChosenArm,
    Row,
    add_arguments,
    get_items,
    name_origin,
    read_judgments,
    write_arms,
    write_turn,
)
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.types import Item

SHAPES = ("trl", "trl_text", "openrlhf")
WHICH = ("all", "best_worst", "best_rest")
TOLD = 1e-4  # chances in credits.parquet are rounded to it


class Pair(NamedTuple):
    """Hold two responses of an item, by their places, and what its judgments say of them."""

    chosen: int
    rejected: int
    chance: float | None  # how likely the arm decides for the chosen one at its k, where it is the best of all
    margin: float  # by how much its scores are higher, on average over the judgments that saw both
    confidence: float  # share of those judgments that prefer it, equal scores counting one half
    votes: int


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the format."""
    add_arguments(parser)
    explain = "trl: lists of messages; trl_text: plain texts, of items of one turn; openrlhf: whole conversations"
    parser.add_argument("--shape", choices=SHAPES, default=SHAPES[0], help=explain)
    explain = "judge: what the judge said; gold: only where the item's label says the same"
    parser.add_argument("--by", choices=("judge", "gold"), default="judge", help=explain)
    explain = "all pairs; the best against the worst; the best against each other one"
    parser.add_argument("--pairs", choices=WHICH, default=WHICH[0], help=explain)
    explain = "leave out pairs whose mean scores differ by less"
    parser.add_argument("--min-margin", type=float, metavar="POINTS", help=explain)
    explain = "leave out pairs of which a smaller share of the judgments prefers the chosen one"
    parser.add_argument("--min-confidence", type=float, metavar="SHARE", help=explain)


def write(run: FinishedRun, folder: Path, given: argparse.Namespace) -> Sequence[Path]:
    """Write the pairs of a run's arms."""
    return write_arms("preferences", run, folder, given, make_pairs)


def make_pairs(run: FinishedRun, arm: ChosenArm, given: argparse.Namespace, counts: Counter[str]) -> Iterator[Row]:
    """Make the pairs of one arm, and count what is left out."""
    items, decided = get_items(run, arm), read_decisions(run, arm)
    judged: dict[str, list[np.ndarray]] = defaultdict(list)
    for item, row in read_judgments(run, arm, items):
        judged[item.id].append(place_scores(item, row))
    for name, scores in judged.items():
        item = items[name]
        counts["items"] += 1
        for pair in choose_pairs(decided.get(name), np.array(scores), given.pairs, counts):
            if keep_pair(item, pair, given, counts):
                yield write_pair(arm, item, pair, given.shape)


def read_decisions(run: FinishedRun, arm: ChosenArm) -> dict[str, list[float] | None]:
    """Read how likely each response is the one chosen at the arm's k, by item; None where nothing was usable.

    Items that are scored together with others are not among them.
    """
    import pyarrow.compute as pc

    own = (pc.field("number") == arm.number) & (pc.field("k") == arm.result.k)
    rows = run.credits.filter(own).select(["item", "decision"]).to_pylist()
    return {row["item"]: None if None in row["decision"] else row["decision"] for row in rows}


def place_scores(item: Item, row: Row) -> np.ndarray:
    """Put a judgment's scores in the order of the item's responses, (n,); NaN for what it did not see or say."""
    scores = np.full(len(item.responses), np.nan)
    if row["scores"] is not None:
        scores[row["shown"]] = [np.nan if score is None else score for score in row["scores"]]
    return scores


def choose_pairs(
    decided: Sequence[float] | None, scores: np.ndarray, which: str, counts: Counter[str]
) -> Iterator[Pair]:
    """Choose the pairs of an item, (judgments, n), and count those that tie or that no judgment compares.

    The best is what the arm decided; all others, and all where it decided nothing about this item alone, follow by
    their mean scores.
    """
    n = scores.shape[1]
    said = ~np.isnan(scores)
    means = np.where(said, scores, 0).sum(axis=0) / np.maximum(said.sum(axis=0), 1)
    best = np.zeros(n, bool) if decided is None else np.array(decided) >= max(decided) - TOLD
    rank = [(1, 0.0) if best[i] else (0, round(float(means[i]), 9)) for i in range(n)]
    first, last = rank.index(max(rank)), rank.index(min(rank))
    places = {
        "all": list(combinations(range(n), 2)),
        "best_worst": [(first, last)] if first != last else list(combinations(range(min(n, 2)), 2)),
        "best_rest": [(first, other) for other in range(n) if other != first],
    }[which]
    if which == "best_worst" and (rank.count(max(rank)) > 1 or rank.count(min(rank)) > 1):
        counts["ties"] += 1
        return
    for one, other in places:
        if rank[one] == rank[other]:
            counts["ties"] += 1
            continue
        chosen, rejected = (one, other) if rank[one] > rank[other] else (other, one)
        leads = (scores[:, chosen] - scores[:, rejected])[said[:, chosen] & said[:, rejected]]
        if not len(leads):
            counts["never compared"] += 1
            continue
        chance = float(decided[chosen]) if decided is not None and best[chosen] else None
        share = float(((leads > 0) + (leads == 0) / 2).mean())
        yield Pair(chosen, rejected, chance, float(leads.mean()), share, len(leads))


def keep_pair(item: Item, pair: Pair, given: argparse.Namespace, counts: Counter[str]) -> bool:
    """Tell whether a pair is kept, and count it by what becomes of it."""
    lead = item.gold[pair.chosen] - item.gold[pair.rejected]
    reasons = {
        "same text": item.texts[pair.chosen] == item.texts[pair.rejected],
        "several turns": given.shape == "trl_text" and len(item.conversation) != 1,
        "small margin": given.min_margin is not None and pair.margin < given.min_margin,
        "small confidence": given.min_confidence is not None and pair.confidence < given.min_confidence,
        "other than gold": given.by == "gold" and lead <= 0,
    }
    if left_out := [reason for reason, holds in reasons.items() if holds]:
        counts[left_out[0]] += 1
        return False
    counts["as gold says" if lead > 0 else "against gold" if lead < 0 else "equal in gold"] += 1
    return True


def write_pair(arm: ChosenArm, item: Item, pair: Pair, shape: str) -> Row:
    """Write a pair in the shape of a trainer, with what is known of it and where it comes from."""
    prompt = [write_turn(role, content) for role, content in item.conversation]
    chosen, rejected = item.texts[pair.chosen], item.texts[pair.rejected]
    ends = [write_turn("assistant", chosen)], [write_turn("assistant", rejected)]
    shapes: dict[str, Row] = {
        "trl": {"prompt": prompt, "chosen": ends[0], "rejected": ends[1]},
        "trl_text": {"prompt": prompt[0]["content"], "chosen": chosen, "rejected": rejected},
        "openrlhf": {"chosen": prompt + ends[0], "rejected": prompt + ends[1]},
    }
    row = shapes[shape]
    lead = item.gold[pair.chosen] - item.gold[pair.rejected]
    row |= {"margin": pair.margin, "confidence": pair.confidence, "votes": pair.votes, "chance": pair.chance}
    row |= {"k": arm.result.k, "agrees_with_gold": None if lead == 0 else lead > 0}
    names = {"chosen_response": item.responses[pair.chosen], "rejected_response": item.responses[pair.rejected]}
    of_item = {"task": arm.result.task, "item": item.id, "subset": item.subset, "cluster": item.cluster}
    return row | names | name_origin(arm, of_item)


FORMAT = Format("pairs of responses, the better one as the judge says: for DPO and reward models", write, declare)
