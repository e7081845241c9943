"""What a judge was asked, for each of its judgments: its prompts are written again, as the run's config says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from judgescale.harness.contracts import Judge
from judgescale.harness.exports._training import ChosenArm, Row, get_items, read_judgments
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.finished.texts import list_shipped
from judgescale.harness.judges.untrusted import neutralise_item
from judgescale.harness.live.buying import digest_prompt
from judgescale.harness.options import build
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.plan.live import FOR_HARNESS
from judgescale.harness.types import Item, JudgescaleError, Request


class Sample(NamedTuple):
    """Hold one judgment with what was asked and what was answered; the item's texts are those that the judge saw."""

    item: Item
    row: Row  # of judgments.parquet
    request: Request
    text: str  # with the thoughts, if they are known


def read_samples(run: FinishedRun, arm: ChosenArm) -> Iterator[Sample]:
    """Read the judgments of an arm that left a text. Raises JudgescaleError where none did, saying why."""
    if arm.result.engine == "recorded":
        raise JudgescaleError(
            f"{run.folder}: arm {arm.number} replays recorded judgments, which have no texts to train on; buy judgments"
            " with a live engine (engine=vllm, openai, …) and export that run"
        )
    items, judge = get_items(run, arm), read_judge(run, arm)
    seen: dict[str, Item] = {}
    for item, row in read_judgments(run, arm, items):
        if not row["text"]:
            continue
        shown = seen[item.id] if item.id in seen else seen.setdefault(item.id, neutralise_item(item))
        (request,) = judge.requests(shown, tuple(row["shown"]))
        yield Sample(shown, row, request, row["text"])


def read_judge(run: FinishedRun, arm: ChosenArm) -> Judge:
    """Make the judge of an arm again from the run's config.

    Raises JudgescaleError where that is another one than was asked, or asks more than one thing about an item.
    """
    path = run.folder / "config.yaml"
    try:
        cfg = OmegaConf.load(path)
        assert isinstance(cfg, DictConfig)
        target, options = cfg.judge.get("_target_"), str(OmegaConf.to_container(cfg.judge))
        shipped = target in list_shipped("judge") and options.count("'_target_'") == 1
        if not shipped:
            raise JudgescaleError(f"{path}: judge._target_={flatten_text(str(target))[:80]}: not a format that ships")
        judge: Judge = build(cfg.judge, "judge", drop=FOR_HARNESS)
    except (OSError, OmegaConfBaseException, AttributeError, AssertionError, ValueError) as error:
        raise JudgescaleError(f"{path} tells of no judge: {flatten_text(str(error))[:200]}") from None
    asked = re.search(r"\|format:([^|]*)", arm.result.signature)
    now = f"{judge.format}@{digest_prompt(judge)}"
    if asked is None or asked[1] != now:
        raise JudgescaleError(
            f"{path}: its judge asks by {now}, and arm {arm.number} was asked by"
            f" {flatten_text(asked[1]) if asked else 'no format'}: give the run of that arm alone, with the template"
            " and the version of judgescale that it had"
        )
    item = next(iter(get_items(run, arm).values()))
    requests = judge.requests(item, tuple(range(max(1, min(len(item.responses), judge.widths()[1])))))
    if len(requests) != 1 or requests[0].kind != "text":
        raise JudgescaleError(
            f"{path}: judge format {judge.format} asks for {len(requests)} answers of kind {requests[0].kind} a"
            " judgment; trainers need one text about all responses (pointwise without each=true, pairwise, choice, …)"
        )
    return judge
