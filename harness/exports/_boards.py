"""Say of each arm of a finished run what boards ask for: model, data set, settings, and the judgments of each unit."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from judgescale.harness.exports._arms import choose_judgments
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.readings import name_without_budget
from judgescale.harness.types import Item, JudgescaleError, Result

Row = Mapping[str, Any]
PART = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"  # of a name on the Hub; as a folder it leads nowhere else
REPO = re.compile(rf"{PART}/{PART}", re.ASCII)
MODEL = "the model's name on the Hub, or as OWNER/NAME where it is not there; with several judges JUDGE=OWNER/NAME each"


@dataclass(frozen=True)
class BoardArm:
    """Hold an arm of a run with what is known of its model and its data."""

    number: int  # its place in summary.json, from 1
    result: Result
    model: str  # OWNER/NAME
    variant: str  # what tells it from other arms of this model on this task; empty where it is the only one
    signed: Mapping[str, str]  # the parts of its signature
    judge: Mapping[str, Any]  # the config of its judge; empty where that is of another one
    dataset: str | None  # on the Hub, where its items are from there
    revision: str | None  # of that, where the run knows it


@dataclass(frozen=True)
class Judged:
    """Hold a unit of an arm: what it earned at the arm's k, the judgments of its items, and these with their texts."""

    credit: Row  # of credits.parquet
    judgments: Sequence[Row]  # of judgments.parquet
    items: Sequence[Item]  # empty where there are no texts


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names models."""
    parser.add_argument("--model", action="append", default=[], metavar="[JUDGE=]OWNER/NAME", help=MODEL)


def list_arms(run: FinishedRun, models: Sequence[str]) -> list[BoardArm]:
    """List the arms of a run with their models, data sets and settings. models: as given with --model.

    Raises JudgescaleError for an arm whose model is not known, and for a name that no model can have.
    """
    config = read_config(run)
    named = read_models(models, [result.judge for result in run.results])
    found = []
    for number, result in enumerate(run.results, 1):
        judge = find_judge(result, config)
        known = [named.get(result.judge, named.get("")), judge.get("model"), name_without_budget(result)]
        model = next((str(name) for name in known if name and REPO.fullmatch(str(name))), None)
        if model is None:
            told = flatten_text(result.judge)
            raise JudgescaleError(f"{run.folder}: judge {told}: which model is it? Add --model '{told}=OWNER/NAME'")
        dataset, revision = find_dataset(run, result, config)
        signed = read_signature(result.signature)
        found.append(BoardArm(number, result, model, "", signed, judge, dataset, revision))
    return [name_variant(arm, found) for arm in found]


def read_models(given: Sequence[str], judges: Sequence[str]) -> dict[str, str]:
    """Read JUDGE=OWNER/NAME, or OWNER/NAME alone under "".

    Raises JudgescaleError where it is neither, and where the run's judges leave open whose it is.
    """
    named = {}
    for text in given:
        judge, _, model = text.rpartition("=")
        if not REPO.fullmatch(model):
            raise JudgescaleError(f"--model {flatten_text(text)}: give OWNER/NAME, or JUDGE=OWNER/NAME")
        known = list(dict.fromkeys(judges))
        if judge and judge not in known:
            has = ", ".join(map(flatten_text, known))
            raise JudgescaleError(f"--model {flatten_text(text)}: no such judge in the run, which has {has}")
        if not judge and len(known) > 1:
            raise JudgescaleError(f"--model {model}: the run has {len(known)} judges; say whose it is: JUDGE={model}")
        named[judge] = model
    return named


def read_config(run: FinishedRun) -> dict[str, Any]:
    """Read a run's config; nothing where there is none that can be read."""
    try:
        cfg = OmegaConf.load(run.folder / "config.yaml")
        found = OmegaConf.to_container(cfg) if isinstance(cfg, DictConfig) else {}
    except (OSError, OmegaConfBaseException, ValueError):
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def find_judge(result: Result, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the config of an arm's judge: a run of several judges has that of one only."""
    judge = config.get("judge")
    if result.engine == "recorded" or not isinstance(judge, dict):
        return {}
    return judge if name_without_budget(result) in (judge.get("label"), judge.get("model")) else {}


def find_dataset(run: FinishedRun, result: Result, config: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Find the data set of the Hub that an arm's items are of, and its commit; None where the run does not say.

    A recorded set holds judgments of the benchmark's own items, so its config says which data set these are.
    """
    hub = str(result.data.get("hub") or "")
    if hub:  # several are joined by +
        return (hub, str(result.data.get("revision") or "") or None) if REPO.fullmatch(hub) else (None, None)
    task = config.get("task")
    if result.engine == "recorded" and isinstance(task, dict) and len({r.task for r in run.results}) == 1:
        given = task.get("hub")
        name = given.get("id") if isinstance(given, dict) else None
        return (name if isinstance(name, str) and REPO.fullmatch(name) else None), None
    return None, None


def read_signature(signature: str) -> dict[str, str]:
    """Read the parts of a signature by their names."""
    return {name: value for name, _, value in (part.partition(":") for part in signature.split("|"))}


def name_variant(arm: BoardArm, arms: Sequence[BoardArm]) -> BoardArm:
    """Give an arm a name of its own among those of the same model and task: its strategy and k, or else its number."""
    alike = [a for a in arms if (a.model, a.result.task) == (arm.model, arm.result.task)]
    if len(alike) == 1:
        return arm

    def name(a: BoardArm) -> str:
        """Name an arm by its strategy, k and thinking budget."""
        budget = a.result.thinking_budget
        return f"{a.result.strategy}_k{a.result.k}" + ("" if budget is None else f"_think{budget}")

    own = name(arm) if [name(a) for a in alike].count(name(arm)) == 1 else f"{name(arm)}_{arm.number}"
    own = re.sub(r"[^\w.-]+", "_", own, flags=re.ASCII)
    return replace(arm, variant=own)


def list_units(run: FinishedRun, arm: BoardArm) -> Iterator[Judged]:
    """List the units of an arm in the order of credits.parquet, each with its judgments."""
    task, k = arm.result.task, arm.result.k
    by_item: dict[str, list[Row]] = {}
    by_cluster: dict[tuple[str, str], list[Row]] = {}
    for row in choose_judgments(run, arm.result).to_pylist():
        by_item.setdefault(row["item"], []).append(row)
        by_cluster.setdefault((row["subset"], row["cluster"]), []).append(row)
    texts = run.items.get(task, {})
    import pyarrow.compute as pc

    at = pc.and_(pc.equal(run.credits["number"], arm.number), pc.equal(run.credits["k"], k))
    for credit in run.credits.filter(at).to_pylist():
        # a unit of several items has a name that none of them has
        own = by_item.get(credit["item"]) or by_cluster.get((credit["subset"], credit["cluster"]), [])
        names = dict.fromkeys(row["item"] for row in own)
        items = [texts[name] for name in names if name in texts]
        yield Judged(credit, own, items if len(items) == len(names) else ())


def average_scores(judgments: Sequence[Row], responses: int) -> np.ndarray | None:
    """Average the scores that usable judgments gave each response, in the item's order; None where one has none."""
    total, count = np.zeros(responses), np.zeros(responses)
    for row in judgments:
        for place, score in zip(row["shown"], row["scores"] or (), strict=False):
            if score is not None and 0 <= place < responses:
                total[place] += score
                count[place] += 1
    return total / count if responses and count.all() else None
