"""Arms of a live judge: which model is asked, how often and in which order, and what it may cost."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Engine, Judge, MetaRM, Strategy
from judgescale.harness.cost import Bill, Price
from judgescale.harness.errors import advise_local_copy, write_install
from judgescale.harness.judges.untrusted import neutralise_item
from judgescale.harness.live.buying import Delivery, ModelSpec, Purchase, SpendingLimits
from judgescale.harness.live.order import POLICIES
from judgescale.harness.options import build, make, read_count, read_positive, suggest_strategies
from judgescale.harness.plan.cards import refuse_by_card
from judgescale.harness.plan.common import Shared, list_ks, read_shared, refuse_few_responses, settle_ties
from judgescale.harness.plan.items import Selection, choose_edition, select_items
from judgescale.harness.plan.releases import check_release
from judgescale.harness.plan.thinking import check_budget, name_with_budget, refuse_in_sampling
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.recorded.sets import RecordedSet
from judgescale.harness.types import (
    HUMAN,
    Item,
    JudgescaleError,
    Loaded,
    MisfitError,
    MissingData,
    Request,
    Rules,
    Sampling,
    Task,
)

# options of a judge that its prompt format does not see
FOR_HARNESS = (
    "model", "revision", "kind", "sampling", "thinking_budget", "active_parameters", "price", "label", "scorer", "card"
)  # fmt: skip


@dataclass(frozen=True)
class LiveArm:
    """Hold an arm whose judgments are still to be bought."""

    purchase: Purchase
    arm: Arm
    notes: tuple[str, ...]

    def fill(self, delivery: Delivery) -> Arm:
        """Return the arm with the judgments that were bought for it."""
        purchase, meter, notes = self.purchase, delivery.meter, self.notes
        if (stand_in := purchase.judge.missing) is not None:
            scores = [score for r in delivery.data.records for score in r.judgment.scores or ()]
            if lost := scores.count(stand_in):
                notes += (f"{lost:,} of {len(scores):,} ratings could not be read and count as {stand_in:g}.",)
        bill = Bill(
            prices={role: spec.price for role, spec in purchase.models.items()},
            active_parameters={role: spec.active_parameters for role, spec in purchase.models.items()},
            seconds=delivery.seconds,
            run_seconds=meter.seconds,
            bought=meter.bought,
            reused=meter.reused,
            tokens=meter.tokens,
            dollars=meter.spent.dollars,
            uncounted=meter.uncounted,
            trouble=meter.trouble,
            faults=dict(delivery.faults),
            store=delivery.data.path,
            notes=notes,
        )
        return dataclasses.replace(self.arm, judgments=RecordedJudgments(delivery.data, (purchase.label,)), bill=bill)


def plan_live_arm(cfg: DictConfig) -> LiveArm:
    """Plan the arm of a judge that still has to be asked. Raises JudgescaleError for whatever cannot work."""
    shared = read_shared(cfg)
    refuse_leaving_out(shared.rules)
    loaded = load_texts(cfg, shared.task)
    shared = shared._replace(task=choose_edition(shared.task, loaded.items))
    task, strategy, rules = shared.task, shared.strategy, shared.rules
    if strategy.calibrated:
        raise MisfitError(
            f"strategy={strategy.name} asks several judges in turn, and a live run has one; record them first, then"
            " engine=recorded judge.names=[cheap,dear] judge.pool=in_order"
        )
    selection = select_items(cfg, task, rules, loaded.items)
    selection = selection._replace(
        items=tuple(map(neutralise_item, selection.items)),
        about=(*selection.about, *loaded.notes, *note_release(cfg, task, loaded)),
    )
    items = selection.items
    spec = read_model(cfg, "judge", "engine")
    judge: Judge = build(cfg.judge, "judge", drop=FOR_HARNESS)
    check_widths(judge.format, judge.widths(), strategy, items)
    asked = judge.requests(items[0], strategy.questions(len(items[0].responses))[0])
    if asked[0].kind != (kind := cfg.judge.get("kind", "text")):
        wanted = "steps" if asked[0].kind == "steps" else f"a {asked[0].kind}"
        raise JudgescaleError(f"judge.kind={kind}: judge format {judge.format} asks for {wanted}")
    order = choose_order(rules)
    k, samples = read_amounts(cfg, strategy, order)
    meta, notes = read_meta_rm(cfg, strategy, judge, asked)
    purchase = Purchase(
        label=read_label(cfg),
        judge=judge,
        spec=spec,
        strategy=strategy.at(k).make_buyer(samples),
        items=items,
        order=order,
        seed=cfg.seed,
        strategy_seed=shared.numbers.seed,
        name=task.name,
        votes=rules.votes,
        scorer=read_model(cfg, "judge.scorer", "judge.scorer.engine") if cfg.judge.get("scorer") else None,
        meta=meta,
    )
    check_prices(cfg, purchase)
    notes = note_buying(purchase, items, order, samples) + notes
    ks = (k,) if strategy.adaptive else list_ks(cfg.run.ks, k, samples, strategy)
    return make_live_arm(purchase, shared, selection, loaded, ks, k, tuple(notes))


def refuse_leaving_out(rules: Rules) -> None:
    """Raise JudgescaleError for rules that leave items out for what a judge says of them: it has said nothing yet."""
    if rules.partial == "leave_out":
        raise JudgescaleError(
            "protocol.partial=leave_out: which items lack a score is known of recorded judgments only; judge with"
            f" protocol.partial=use, then evaluate RUN/judgments.parquet with engine=recorded protocol={rules.name}"
        )


def make_live_arm(
    purchase: Purchase,
    shared: Shared,
    selection: Selection,
    loaded: Loaded,
    ks: tuple[int, ...],
    k: int,
    notes: tuple[str, ...] = (),
) -> LiveArm:
    """Make the arm of a purchase, its judgments still missing."""
    shared = settle_ties(shared, selection.items)
    nothing_yet = RecordedSet(Path(shared.task.name), shared.task.name, {}, make_columns(()))
    sha256 = digest_items(selection.items)
    arm = Arm(
        judge=purchase.label,
        judgments=RecordedJudgments(nothing_yet, (purchase.label,)),
        strategy=shared.strategy.at(k),
        task=shared.task,
        rules=shared.rules,
        owners_rules=shared.owners_rules,
        items=selection.items,
        ks=ks,
        k=k,
        **shared.numbers._asdict(),
        digest=sha256[:8],
        origin={**loaded.origin, "sha256": sha256},
        subsets=selection.subsets,
        limit=selection.limit,
        partial=loaded.partial,
        about=(*selection.about, *shared.about),
        as_bought=shared.strategy.adaptive,
    )
    return LiveArm(purchase, arm, notes)


def choose_order(rules: Rules) -> str:
    """Return the order policy of a protocol; where any will do, the responses are shuffled."""
    return "random" if rules.order == "any" else rules.order


def read_label(cfg: DictConfig) -> str:
    """Return the judge's name in results: its label, or else its model's name, and its thinking budget."""
    return name_with_budget(check_label("judge.label", cfg.judge.get("label", cfg.judge.model)), cfg.judge)


def check_label(option: str, label: Any) -> str:
    """Return a judge's name. Raises JudgescaleError naming the option where it is none, or the annotators'."""
    if not isinstance(label, str) or not label.strip() or label == HUMAN:
        raise JudgescaleError(f"{option}={label}: must be a name, and not {HUMAN!r}, which stands for annotators")
    return label


def load_texts(cfg: DictConfig, task: Task) -> Loaded:
    """Load the task's items with their texts. Raises JudgescaleError where they have none."""
    if task.read is not None:
        return task.read()
    lacking = f"task={task.name} has no texts here for a judge to read"
    if "path" in cfg.task:
        raise MissingData(f"{lacking}: {advise_local_copy()}")
    raise JudgescaleError(f"{lacking}: only recorded judgments can be evaluated")


def note_release(cfg: DictConfig, task: Task, loaded: Loaded) -> list[str]:
    """Note what differs from the owners' release, where a task knows one. Raises JudgescaleError for other labels."""
    if task.release is None:
        return []
    wanted = cfg.task.get("release", True)
    if wanted not in (True, False, None):
        raise JudgescaleError(f"task.release={wanted}: must be true, or false for a version of your own")
    if not wanted:
        return ["Labels were not held against the owners' release (task.release=false)."]
    return check_release(loaded, task, task.release, f"task.path={cfg.task.get('path')}")


def read_amounts(cfg: DictConfig, strategy: Strategy, order: str) -> tuple[int, int]:
    """Read k, and how many judgments of every question are bought for it."""
    return choose_amounts(strategy, order, None if cfg.run.samples is None else read_count(cfg, "run.samples", 1))


def choose_amounts(strategy: Strategy, order: str, asked: int | None = None) -> tuple[int, int]:
    """Choose k, and how many judgments of every question are bought for it: those asked for, or what the order takes.

    Raises JudgescaleError where these cannot be had together.
    """
    if order not in POLICIES:
        raise JudgescaleError(f"protocol.order={order}: choose one of {', '.join(POLICIES)}")
    k = strategy.k or asked or (2 if order == "both" else 1)
    samples = asked or (k + k % 2 if order == "both" and not strategy.adaptive else k)
    if samples < k:
        raise JudgescaleError(f"run.samples={samples}: strategy.k={k} needs at least as many judgments a question")
    if strategy.adaptive and samples > k:
        raise JudgescaleError(f"strategy={strategy.name} asks as it goes: run.samples cannot exceed strategy.k={k}")
    if strategy.adaptive and order == "both" and k % 2:
        raise JudgescaleError(f"strategy.k={k}: protocol.order=both with strategy={strategy.name} takes an even k")
    return k, samples


def read_meta_rm(
    cfg: DictConfig, strategy: Strategy, judge: Judge, asked: Sequence[Request]
) -> tuple[tuple[MetaRM, ModelSpec] | None, list[str]]:
    """Read the meta RM that a strategy asks for, if any, and note where one is chosen for nothing.

    `asked`: what one judgment asks the judge.
    """
    wanted = strategy.meta_rm == "recorded"
    chosen = bool(cfg.meta.get("_target_"))
    if wanted and not chosen:
        raise JudgescaleError("strategy.meta=recorded: choose the meta RM that scores the judgments, as in meta=scalar")
    if chosen and not wanted and cfg.compare:
        return None, []  # another of the arms may ask it
    if chosen and not wanted:
        return None, ["The meta RM is not asked: that takes strategy=meta_voting with strategy.meta=recorded."]
    if not chosen:
        return None, []
    if len(asked) > 1 or asked[0].kind != "text":
        raise MisfitError(
            f"meta.model={cfg.meta.model}: a meta RM reads one text about all responses, and a judgment of"
            f" judge format {judge.format} is not one; use strategy.meta=logistic, or another judge"
        )
    return (
        build(cfg.meta, "meta", drop=(*FOR_HARNESS, "engine", "scores")),
        read_model(cfg, "meta", "meta.engine"),
    ), []


def check_prices(cfg: DictConfig, purchase: Purchase) -> None:
    """Raise JudgescaleError for a budget in dollars where a price is unknown."""
    if OmegaConf.select(cfg, "run.budget.dollars") is None:
        return
    for role, spec in purchase.models.items():
        if spec.price is None:
            group = {"judge": "judge", "scorer": "judge.scorer", "meta": "meta"}[role]
            raise JudgescaleError(
                f"run.budget.dollars: the price of {spec.engine.model} is unknown; give it with"
                f" {group}.price={{input: …, output: …}}"
            )


def read_model(cfg: DictConfig, group: str, engine: str) -> ModelSpec:
    """Read the model of a group of the config and its engine; nothing is loaded yet."""
    judge = OmegaConf.select(cfg, group)
    if not judge.get("model"):
        raise JudgescaleError(f"{group}.model is not set: name the model, as in {group}.model=Qwen/Qwen3-8B")
    if not isinstance(judge.model, str):
        raise JudgescaleError(
            f"{group}.model={judge.model}: must be a name; quote a number, as in {group}.model='\"7\"'"
        )
    running = OmegaConf.select(cfg, engine)
    if not isinstance(running, DictConfig):
        raise JudgescaleError(f"{engine}={running}: choose an engine with engine@{engine}={running}")
    price = judge.get("price") or cfg.prices.get(judge.model)
    for name, value, least in (("price", price, ("input", "output")), ("sampling", judge.get("sampling"), ())):
        if value is not None and (not isinstance(value, DictConfig) or any(key not in value for key in least)):
            raise JudgescaleError(f"{group}.{name}={value}: must be a mapping" + " with input and output" * bool(least))
    sampling = None
    refuse_in_sampling(judge, group)
    if judge.get("kind", "text") == "text":
        sampling = make(Sampling, judge.get("sampling") or {}, f"{group}.sampling")
        if not (sampling.temperature >= 0 and 0 < sampling.top_p <= 1):
            raise JudgescaleError(
                f"{group}.sampling: temperature={sampling.temperature:g} must be 0 or more and top_p={sampling.top_p:g}"
                " above 0 and at most 1"
            )
    made: Engine = build(running, "engine")
    refuse_by_card(judge, group, made.name)
    if made.kind not in made.kinds:
        able = "; engine=vllm and engine=transformers do" if made.kind == "steps" else ""
        raise JudgescaleError(
            f"{group}.kind={made.kind}: engine={made.name} does not answer such requests, only those of kind"
            f" {' or '.join(made.kinds)}{able}"
        )
    sampling = check_budget(judge, group, sampling, made)
    if not cfg.run.dry and (missing := [name for name in made.needs if not find_spec(name)]):
        raise JudgescaleError(f"engine={made.name} needs {missing[0]}: {write_install(made.extra_name)}")
    lines = made.make_batch_lines() if read_batch(cfg) else None
    if group == "judge" and lines is None and read_batch(cfg):
        raise JudgescaleError(
            f"run.batch: engine={made.name} does not ask {'a scalar head' if sampling is None else 'models'} through"
            " batch files; engine=openai asks models of texts, or leave run.batch"
        )
    cost = make(Price, price, f"{group}.price") if price else None
    if cost and lines and lines.share is not None:
        cost = cost.times(lines.share)
    return ModelSpec(made, sampling, cost, read_positive(cfg, f"{group}.active_parameters"), lines)


def check_widths(name: str, widths: tuple[int, int], strategy: Strategy, items: Sequence[Item]) -> None:
    """Raise MisfitError where the strategy would ask a judge about fewer or more responses than it looks at."""
    for item in items:
        questions = strategy.questions(len(item.responses))
        if not questions:
            raise refuse_few_responses(strategy, item)
        for question in questions:
            if not widths[0] <= len(question) <= widths[1]:
                few, most = widths
                looks = str(few) if few == most else f"{few} or more" if most > 26 else f"{few} to {most}"
                fitting = suggest_strategies(len(item.responses), range(few, most + 1))
                fix = f"; use {fitting}" if fitting else ""
                if len(item.responses) == 1:
                    fix = "; a lone response is for judge=detection"
                elif len(question) == 1:
                    fix = "; use a judge that scores each response alone, such as judge=pointwise"
                elif len(question) > most >= 2:
                    fix += f"{', or' if fix else ';'} leave such items out with task.subsets"
                raise MisfitError(
                    f"judge format {name} looks at {looks} responses, strategy={strategy.name} would show it"
                    f" {len(question)} of item {item.id}{fix}"
                )


def note_buying(purchase: Purchase, items: Sequence[Item], order: str, samples: int) -> list[str]:
    """Note what the reader must know about how the judgments were bought."""
    notes = []
    if purchase.spec.batch and purchase.spec.price:
        share = purchase.spec.batch.share
        notes.append(
            "Dollars are at the full price: engine.batch_price=0.5 says what share of it a batch costs at the provider."
            if share is None
            else f"Dollars are those of batches: {share:g} of the price (engine.batch_price)."
        )
    sampling = purchase.spec.sampling
    if samples > 1 and (sampling is None or sampling.temperature == 0):
        why = "A reward model's head" if sampling is None else "Temperature 0"
        notes.append(f"{why} gives one answer to a prompt: repeats are copies, bought once.")
    if order == "as_is" and sampling is not None and all(len(item.responses) > 1 for item in items):
        first = sum(item.gold[0] == max(item.gold) > min(item.gold) for item in items) / len(items)
        notes.append(f"Shown as listed: a right answer stood first in {first:.0%} of the items.")
    return notes


def digest_items(items: Sequence[Item]) -> str:
    """Digest all that a judge is shown and scored by: a SHA-256 in hex."""
    digest = hashlib.sha256()
    for item in items:  # one at a time: all texts at once may be gigabytes
        digest.update(repr(item).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def read_limits(cfg: DictConfig) -> SpendingLimits:
    """Read how much a run may spend, and where its answers are kept."""
    if not isinstance(cfg.run.budget, DictConfig):
        raise JudgescaleError(f"run.budget={cfg.run.budget}: say of what, run.budget.tokens=… or run.budget.dollars=…")
    budget = tuple(read_positive(cfg, f"run.budget.{name}") for name in ("tokens", "dollars"))
    if not isinstance(cfg.run.store, str) or Path(cfg.run.store).is_dir():
        raise JudgescaleError(f"run.store={cfg.run.store}: must be the name of a file")
    failures = read_count(cfg, "run.max_failures", 0)
    return SpendingLimits(Path(cfg.run.store), failures, budget, read_batch(cfg))  # type: ignore[arg-type]


def read_batch(cfg: DictConfig) -> Path | None:
    """Read the folder of batch files, where models are asked through such."""
    batch = cfg.run.batch
    if batch is None:
        return None
    if not isinstance(batch, str) or not batch or Path(batch).exists() and not Path(batch).is_dir():
        raise JudgescaleError(f"run.batch={batch}: must be the name of a folder, new or of earlier batch files")
    return Path(batch)
