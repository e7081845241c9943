"""RewardBench's own results: eval-set/OWNER/NAME.json with a number of each subset, and eval-set-scores/ item by item.

Both are laid out as the owners' scripts save them (allenai/reward-bench: run_rm.py, run_generative.py, run_v2.py), so
that their analysis reads them. RewardBench 1's prior sets go to pref-sets/ and pref-sets-scores/. The files have no
place for intervals, k and signatures: the owners' reader takes every further field of eval-set/ for a subset.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgescale.harness.exports import Format
from judgescale.harness.exports._boards import (
    BoardArm,
    Judged,
    add_model,
    average_scores,
    list_arms,
    list_units,
)
from judgescale.harness.exports._files import write_whole
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import Item, JudgescaleError

TASKS = ("rewardbench", "rewardbench2")
PRIOR = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")  # the owners' pref-sets, of RewardBench 1
KINDS = {"score": "Seq. Classifier", "steps": "Custom Classifier", "text": "Generative"}  # the owners' words
PLAIN = ("single", "voting")  # strategies whose decision is the sum of all scores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the format asks for and no recorded set knows."""
    add_model(parser)
    kind = f"how the owners call such models ({', '.join(KINDS.values())}, DPO, …); else told by a live judge's config"
    parser.add_argument("--model-type", metavar="TYPE", help=kind)


def write(run: FinishedRun, folder: Path, given: argparse.Namespace) -> list[Path]:
    """Write the files of every arm.

    Raises JudgescaleError for a run of another benchmark, and for numbers that are not the owners' accuracy.
    """
    for result in run.results:
        if result.task not in TASKS:
            told = flatten_text(result.task)
            raise JudgescaleError(f"{run.folder}: a run of {told}; this format is for {' and '.join(TASKS)}")
    made = []
    for arm in list_arms(run, given.model):
        units = list(list_units(run, arm))
        about = {
            "model": f"{arm.model}-{arm.variant}" if arm.variant else arm.model,
            "model_type": given.model_type or KINDS.get(str(arm.judge.get("kind")), "unknown"),
            "chat_template": "tokenizer" if arm.judge.get("kind") == "score" else None,
        }
        subsets = {name: estimate.value for name, estimate in arm.result.subsets.items()}
        for kind in ("eval-set", "pref-sets"):
            own = {name: value for name, value in subsets.items() if (name in PRIOR) == (kind == "pref-sets")}
            if not own:
                continue
            rows = [row for unit in units if unit.credit["subset"] in own for row in list_rows(arm, unit)]
            made += [
                put(folder / kind / f"{about['model']}.json", about | own),
                put(folder / f"{kind}-scores" / f"{about['model']}.json", turn_to_columns(rows) | about),
            ]
    return made


def put(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a file as the owners do."""
    return write_whole(path, json.dumps(content, indent=4, sort_keys=True, allow_nan=False) + "\n")


def turn_to_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn rows into columns; a column stays away where no row has anything in it."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return {name: values for name, values in columns.items() if any(value is not None for value in values)}


def list_rows(arm: BoardArm, unit: Judged) -> list[dict[str, Any]]:
    """List the owners' rows of a unit: one an item, right responses first."""
    rows = []
    texts = {item.id: item for item in unit.items}
    for name in dict.fromkeys(row["item"] for row in unit.judgments):
        judgments = [row for row in unit.judgments if row["item"] == name]
        gold = {place: g for row in judgments for place, g in zip(row["shown"], row["gold"], strict=True)}
        order = sorted(gold, key=lambda place: (-(gold[place] or 0), place))
        plain = arm.result.strategy in PLAIN and len(judgments) == arm.result.k
        found = average_scores(judgments, len(gold)) if plain else None
        scores = None if found is None else [float(found[place]) for place in order]
        alone = unit.credit["item"] == name  # of a question of Ties the owners' results are empty
        row = {
            "id": name.removeprefix(f"{unit.credit['subset']}/"),
            "subset": unit.credit["subset"],
            "results": unit.credit["credit"] if alone else None,
        }
        rows.append(row | lay_out(arm.result.task, order, gold, scores, texts.get(name)))
    return rows


def lay_out(
    task: str, order: Sequence[int], gold: Mapping[int, float], scores: Sequence[float] | None, item: Item | None
) -> dict[str, Any]:
    """Lay out scores and texts: of RewardBench 1 as two columns, of RewardBench 2 as lists. order: right ones first."""
    texts = [write_turns(item, place) for place in order] if item else None
    if task == "rewardbench2":
        return {"num_correct": sum((gold[place] or 0) >= 1 for place in order), "scores": scores, "text": texts}
    found: dict[str, Any] = {}
    for place, name in enumerate(("chosen", "rejected")):
        found[f"scores_{name}"] = scores[place] if scores else None
        found[f"text_{name}"] = texts[place] if texts else None
    return found


def write_turns(item: Item, place: int) -> list[dict[str, str]]:
    """Write a conversation with one of its answers, as the turns that the owners' loader makes of it."""
    turns = [*item.conversation, ("assistant", item.texts[place])]
    return [{"role": role, "content": text.encode("utf-8", "replace").decode()} for role, text in turns]


FORMAT = Format(
    explain="RewardBench's own result files, 1 and 2: a number of each subset, and its items with their scores",
    write=write,
    add_arguments=add_arguments,
)
