"""Arms of a recorded set: which of its judges, which of its judgments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import inf
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from judgescale.harness import recorded
from judgescale.harness.arm import Arm
from judgescale.harness.contracts import Strategy
from judgescale.harness.cost import Price, Tokens
from judgescale.harness.options import build, find_file, make, write_override
from judgescale.harness.plan.common import Shared, list_ks, read_shared, refuse_few_responses, settle_ties
from judgescale.harness.plan.coverage import Coverage, keep_judged_items
from judgescale.harness.plan.items import Selection, choose_edition, select_items
from judgescale.harness.recorded import source
from judgescale.harness.recorded.choosing import take_part
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.stats.steps import RULES
from judgescale.harness.types import HUMAN, Item, JudgescaleError, Task

OPTIONS = ("names", "variants", "steps", "pool", "costs")  # of judge=recorded
EQUAL = "equal"  # of judge.pool: each judge gives as many of the judgments that vote together as any other
IN_ORDER = "in_order"  # of judge.pool: the judges are asked one after the other, as they are named
BY_COST = "by_cost"  # of judge.pool: each judge gives so many that all cost the same
CUSTOM = "custom"  # the task of sets that are of no benchmark

sha256 = lru_cache(source.hash_content)  # which version of a set a number comes from


def plan_recorded_arms(cfg: DictConfig) -> list[Arm]:
    """Plan the arms of a recorded set: one, or one for each judge. Raises JudgescaleError for whatever cannot work."""
    if not isinstance(cfg.engine.path, str):
        raise JudgescaleError("engine.path: name a recorded set (SET.parquet)")
    build(cfg.engine, "engine")
    refuse_unread_options(cfg)
    path = find_file(cfg.engine.path)
    data, shared = read_once(path), read_shared(cfg)
    refuse_foreign_set(data, shared.task)
    if not (loaded := shared.task.load(data)):
        raise JudgescaleError(f"{data.path}: no item for task={shared.task.name}")
    shared = shared._replace(task=choose_edition(shared.task, loaded))
    if cfg.meta.get("_target_") and shared.strategy.meta_rm == "recorded":
        shared = shared._replace(about=(*shared.about, "The meta RM is not asked: its scores are those in the set."))
    selection = select_items(cfg, shared.task, shared.rules, loaded)
    groups = choose_judges(data, cfg.judge.get("names"), cfg.judge.get("pool"), shared.strategy)
    every = tuple(sorted({name for names in groups.values() for name in names}))
    chosen = (path, every, read_variants(cfg.judge.get("variants")), read_steps_rule(cfg.judge.get("steps")))
    part = take_part_once(*chosen)
    judgments = {name_part(label, part): find_judgments(judges, *chosen) for label, judges in groups.items()}
    costs = find_costs(cfg, data, take_part_once(*chosen))
    return make_arms(judgments, shared, selection, cfg.run.ks, sha256(data.path), cfg.judge.get("pool"), costs)


def refuse_unread_options(cfg: DictConfig) -> None:
    """Raise JudgescaleError for an option that only live judges have, and so would change nothing."""
    if unknown := [name for name in cfg.judge if name not in OPTIONS]:
        known = ", ".join(OPTIONS)
        raise JudgescaleError(f"judge.{unknown[0]}: judge=recorded has no such option; it has {known}")
    asked = [f"task.{name}={cfg.task[name]}" for name in ("path", "prior_path") if cfg.task.get(name) is not None]
    asked += ["task.release=false"] if cfg.task.get("release") is False else []
    asked += [f"run.samples={cfg.run.samples}"] if cfg.run.samples is not None else []
    if asked:
        raise JudgescaleError(
            f"{asked[0]}: is for live judges, and engine=recorded asks none; leave it out, or name a judge with its"
            " engine (python run.py --help lists all)"
        )


def refuse_foreign_set(data: recorded.RecordedSet, task: Task) -> None:
    """Raise JudgescaleError where a set says that it was made for other benchmarks than the task's.

    One of somebody's own (task=custom) says nothing of benchmarks: its items may be any.
    """
    made_for = [name for name in data.meta["tasks"] if name != CUSTOM]
    if task.any_set or not made_for or task.name in made_for:
        return
    raise JudgescaleError(
        f"set {data.name} is not of task={task.name}: the set was made for task={' or '.join(made_for)}; run:"
        f" python run.py engine=recorded {write_override('engine.path', data.path)} task={made_for[0]}"
    )


def make_arms(
    judgments: Mapping[str, RecordedJudgments],
    shared: Shared,
    selection: Selection,
    ks: Sequence[int] | int | None,
    sha256: str,
    pool: bool | str | None = None,
    costs: Mapping[str, float] | None = None,
) -> list[Arm]:
    """Make one arm of each judge's (or pool's) judgments, by its label, about the items that it judged.

    sha256: tells the set's version. pool: how judges vote together, as judge.pool says it. costs: dollars a judgment of
    the judges of whom it is known.
    """
    shared = settle_ties(shared, selection.items)
    task, asked, items = shared.task, shared.strategy, selection.items
    arms = []
    for label, of_label in judgments.items():
        data = of_label.data
        as_bought = only_some_were_bought(asked, of_label, items)
        covered = Coverage(items) if as_bought else keep_judged_items(of_label, asked, task, shared.rules, items)
        most = check_items(of_label, asked, covered.items, as_bought)
        if asked.calibrated:
            most = count_in_order(of_label, asked, covered.items, most)
        k = asked.k or most
        strategy = asked.at(k)
        arms.append(
            Arm(
                judge=label,
                judgments=of_label,
                strategy=strategy,
                task=task,
                rules=shared.rules,
                owners_rules=shared.owners_rules,
                items=covered.items,
                ks=(k,) if as_bought else list_ks(ks, k, most, strategy),
                k=k,
                **shared.numbers._asdict(),
                digest=sha256[:8],
                origin={"set": data.name, "sha256": sha256},
                subsets=selection.subsets,
                limit=selection.limit,
                partial=covered.partial,
                left_out=len(items) - len(covered.items),
                about=tuple(dict.fromkeys((*selection.about, *covered.notes, *shared.about))),
                as_bought=as_bought,
                shares=share_judgments(of_label.judges, pool, costs or {}),
                costs={j: costs[j] for j in of_label.judges} if costs and set(of_label.judges) <= set(costs) else {},
            )
        )
    return arms


def choose_judges(
    data: recorded.RecordedSet, names: str | Sequence[str] | None, pool: bool | str | None, strategy: Strategy
) -> dict[str, tuple[str, ...]]:
    """Group a set's judges under labels: each on its own, or all as one pool where `pool` or the set says so.

    names: which of them; None = all. pool: None = as the set says. Raises JudgescaleError for judges that are not
    there, and for a pool of those who score on scales of their own where the strategy adds up scores.
    """
    known = sorted({r.judgment.judge for r in data.records} - {HUMAN})
    listed = [] if names is None else [names] if isinstance(names, str) else names
    if not isinstance(listed, Sequence) or not all(isinstance(name, str) for name in listed):
        raise JudgescaleError(f"judge.names={names}: must be a list of names, or null for all; quote a number")
    chosen = known if names is None else sorted(set(listed))
    if pool not in (None, True, False, EQUAL, BY_COST, IN_ORDER):
        raise JudgescaleError(f"judge.pool={pool}: must be true, false, {EQUAL}, {BY_COST}, {IN_ORDER} or null")
    if strategy.calibrated != (pool == IN_ORDER):
        why = f"strategy={strategy.name} asks judges one after the other" if strategy.calibrated else "only cascades do"
        raise JudgescaleError(f"judge.pool={pool}: {why}; judge.pool={IN_ORDER} is for strategy=cascade, and no other")
    if pool == IN_ORDER and len(chosen := list(dict.fromkeys(listed))) < 2:
        raise JudgescaleError(f"judge.pool={IN_ORDER}: name two or more judges, the cheapest first: judge.names=[…]")
    for name in chosen:
        if name not in known:
            raise JudgescaleError(f"judge.names: {name!r} is not in set {data.name}; it has {', '.join(known)}")
    if not chosen:
        none = f"set {data.name} has no judge" + f", only annotators ({HUMAN!r})" * bool(data.records)
        raise JudgescaleError("judge.names is empty" if known else none)
    together = bool(data.meta.get("pool", False)) if pool is None else bool(pool)
    if len(chosen) == 1 or not together:
        return {name: (name,) for name in chosen}
    for r in () if strategy.mixes_scales else data.records:
        scores = r.judgment.scores or ()
        if r.judgment.judge in chosen and any(score < 0 or score > 1 for score in scores):
            raise JudgescaleError(
                f"judge.pool=true: {r.judgment.judge} scores on a scale of its own, so votes of {len(chosen)} judges"
                " cannot be summed; use judge.pool=false or judge.names=[…], or strategy=voting"
                " strategy.aggregate=zscore"
            )
    return {f"{len(chosen)} judges pooled" if names is None else "+".join(chosen): tuple(chosen)}


def share_judgments(judges: Sequence[str], pool: bool | str | None, costs: Mapping[str, float]) -> dict[str, float]:
    """Return which share of the judgments bought each judge of a pool gives; empty where they are drawn alike.

    Raises JudgescaleError for shares by cost where a cost is not known.
    """
    if len(judges) == 1 or pool not in (EQUAL, BY_COST):
        return {}
    if pool == EQUAL:
        return dict.fromkeys(judges, 1.0)
    if unknown := [judge for judge in judges if judge not in costs]:
        raise JudgescaleError(
            f"judge.pool={BY_COST}: what one judgment costs is not known of {', '.join(unknown)} (it takes token counts"
            " in the set and a price in conf/prices); give dollars a judgment: judge.costs={"
            + ", ".join(f"{judge}: …" for judge in unknown)
            + "}"
        )
    cheapest = min(costs[judge] for judge in judges)
    return {judge: cheapest / costs[judge] for judge in judges}


def find_costs(cfg: DictConfig, data: recorded.RecordedSet, part: recorded.RecordedSet) -> dict[str, float]:
    """Find what one judgment of each judge costs, in dollars: as judge.costs says; under judge.pool=by_cost, else by
    its mean tokens in the set and the price of the model of that name, where both are known.

    part: the judges and variants chosen. Raises JudgescaleError for costs that are no amounts, or of nobody in the set.
    """
    given = cfg.judge.get("costs")
    if given is not None and not isinstance(given, Mapping | DictConfig):
        raise JudgescaleError(f"judge.costs={given}: must be dollars a judgment by judge's name, as in {{gpt4: 0.01}}")
    costs, known = dict[str, float](), sorted({r.judgment.judge for r in data.records} - {HUMAN})
    tokens: dict[str, list[tuple[int | None, int | None]]] = {}
    for r in part.records:
        tokens.setdefault(r.judgment.judge, []).append((r.judgment.prompt_tokens, r.judgment.completion_tokens))
    for name, value in (given or {}).items():
        if type(value) not in (int, float) or not 0 < value < inf:
            raise JudgescaleError(f"judge.costs: {name}={value}: must be dollars a judgment, above 0")
        if name not in known:
            raise JudgescaleError(f"judge.costs: {name!r} is not in set {data.name}; it has {', '.join(known)}")
        costs[str(name)] = float(value)
    if cfg.judge.get("pool") == BY_COST:
        prices = {simplify_name(str(model)): price for model, price in cfg.prices.items()}
        for judge, counts in tokens.items():
            price = prices.get(simplify_name(judge))
            if judge not in costs and price is not None and not any(None in pair for pair in counts):
                prompt, completion = np.mean(np.array(counts, float), axis=0).tolist()
                costs[judge] = make(Price, price, f"prices.{judge}").dollars(Tokens(prompt, 0, completion))
    return costs


def simplify_name(name: str) -> str:
    """Simplify a model's name, so that "GPT-5.4 mini" is gpt-5-4-mini."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def read_variants(asked: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Read judge.variants, sorted; None where all are wanted. Raises JudgescaleError where they are no names."""
    if asked is None:
        return None
    names = [asked] if isinstance(asked, str) else asked
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise JudgescaleError(f"judge.variants={asked}: must be a list of variants, or null for all; quote a number")
    return tuple(sorted(set(names)))


def read_steps_rule(rule: str | None) -> str | None:
    """Read judge.steps, the rule for step scores; None where scores are taken as recorded.

    Raises JudgescaleError where there is no such rule.
    """
    if rule is not None and rule not in list(RULES):
        raise JudgescaleError(f"judge.steps={rule}: choose {', '.join(RULES)}, or null for the scores as recorded")
    return None if rule is None else str(rule)


def name_part(label: str, data: recorded.RecordedSet) -> str:
    """Name whose judgments these are, and which of them, where only some were chosen: "GPT-5.4 (base)"."""
    return f"{label} ({', '.join(data.chosen.values())})" if data.chosen else label


def only_some_were_bought(strategy: Strategy, judgments: RecordedJudgments, items: Sequence[Item]) -> bool:
    """Tell whether an adaptive strategy finds no more of a live set than what it asked itself when it was live."""
    live = judgments.data.meta.get("live") or {}
    if not live or strategy.measured:
        return "stopped_by" in live
    return strategy.adaptive and not all(
        judgments.has_judgments(item, question)
        for item in items
        for question in strategy.questions(len(item.responses))
    )


def check_items(
    judgments: RecordedJudgments, strategy: Strategy, items: Sequence[Item], as_bought: bool = False
) -> int:
    """Return the largest k that every question of every item has.

    Of what a strategy bought itself that may stop before its k, it is the k of that run. Raises JudgescaleError for an
    item about which there is nothing to ask or too little was judged, and for scores of lone responses that are none.
    """
    stopped, sizes = as_bought and strategy.measured, []
    for item in items:
        questions = strategy.questions(len(item.responses))
        if not questions:
            raise refuse_few_responses(strategy, item)
        for question in questions:
            if as_bought and not judgments.has_judgments(item, question):
                continue
            if strategy.k is not None and not stopped:
                judgments.require_judgments(item, question, strategy.k)
            pool = judgments.find_pool(item, question)
            if len(item.responses) == 1 and ((pool.scores < 0) | (pool.scores > 1)).any():
                raise JudgescaleError(
                    f"set {judgments.data.name}, item {item.id}: a score of a lone response must lie between 0 and 1"
                    " (1 = it has the property); rescale it and import the set again"
                )
            sizes.append(len(pool))
    return int(judgments.data.meta["live"]["most"]) if stopped else min(sizes)


def count_in_order(judgments: RecordedJudgments, strategy: Strategy, items: Sequence[Item], most: int) -> int:
    """Return the largest k for which every judge has as many judgments of every item as the strategy takes of it.

    most: that all of them together have. Raises JudgescaleError where that is less than strategy.k.
    """
    fewest = dict.fromkeys(judgments.judges, most)
    for item in items:
        for question in strategy.questions(len(item.responses)):
            count = Counter(judgment.judge for judgment in judgments.find_pool(item, question).judgments)
            fewest = {judge: min(least, count[judge]) for judge, least in fewest.items()}

    def find_short(k: int) -> list[str]:
        """Find the judges who have fewer judgments than k takes."""
        tiers = zip(fewest.items(), strategy.at(k).tiers(len(fewest)), strict=True)
        return [f"{judge} has {have} where {takes} are taken" for (judge, have), takes in tiers if have < takes]

    largest = next((k for k in range(most, 0, -1) if not find_short(k)), 0)
    if largest == 0 or (strategy.k is not None and strategy.k > largest):
        short = find_short(strategy.k or 1)[0]
        raise JudgescaleError(f"strategy.k={strategy.k}: of some item {short}; take fewer, or set strategy.first")
    return largest


@lru_cache
def read_once(path: Path) -> recorded.RecordedSet:
    """Read a set, once for all arms of a process."""
    return recorded.read_set(path)


def forget_sets() -> None:
    """Forget all sets that were read, as one of them may have been written anew."""
    for remembering in (read_once, take_part_once, find_judgments, sha256):
        remembering.cache_clear()


@lru_cache
def take_part_once(
    path: Path, judges: tuple[str, ...], variants: tuple[str, ...] | None, steps: str | None
) -> recorded.RecordedSet:
    """Take part of a set, once for all arms of a process."""
    return take_part(read_once(path), judges, variants, steps)


@lru_cache
def find_judgments(
    judges: tuple[str, ...], path: Path, every: tuple[str, ...], variants: tuple[str, ...] | None, steps: str | None
) -> RecordedJudgments:
    """Find the judgments of these judges in part of a set, once for all arms over them, so that pools are made once."""
    return RecordedJudgments(take_part_once(path, every, variants, steps), judges)
