"""One run: plan every arm, buy what is missing, evaluate, write what was found and show it."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.arm import Arm
from judgescale.harness.dry import show_estimates
from judgescale.harness.live.buying import Delivery, Purchase, SpendingLimits
from judgescale.harness.plan import LiveArm, plan_arms, read_limits
from judgescale.harness.plan.prices import keep_used_prices
from judgescale.harness.resume import describe_origins
from judgescale.harness.scorecard.block import read_table
from judgescale.harness.suite import Evaluation, Suite, average_headlines, note_gaps, plan_members
from judgescale.harness.types import Item, JudgescaleError, Result
from judgescale.harness.watching.tracking import Told, read_tracker
from judgescale.harness.watching.watch import Order, RunAbout, Watch, watch_run


def run(
    cfgs: Sequence[DictConfig],
    folder: Path,
    suite: Suite | None = None,
    show: bool = True,
    command: str | None = None,
    sweep: str | None = None,
    made_of: Mapping[str, Any] | None = None,
) -> list[Result]:
    """Buy what live arms need, evaluate the arms of all configs and write what was found to `folder`.

    The configs may be those of a suite's members: its mean then comes first. command: the command line that asked for
    it, where there was one. sweep: the name of the sweep that it is a job of.
    made_of: what `describe_origins` says of the configs, where that is known.

    Raises JudgescaleError, before any work where that is possible; what was bought until then is kept.
    """
    begun = time.monotonic()
    table = read_table(cfgs[0])
    planned, gaps = plan_all(cfgs, suite)
    made_of = made_of or describe_origins(cfgs, suite.cfg if suite else None)
    limits, tracker, texts = read_limits(cfgs[0]), read_tracker(cfgs[0]), read_texts(cfgs[0])
    from judgescale.harness.report import terminal

    if show or cfgs[0].run.dry:
        terminal.show_notes(gaps)
    if cfgs[0].run.dry:
        show_estimates(planned, limits)
        return []
    from judgescale.harness.report import files, next_commands
    from judgescale.harness.scorecard.card import fill_from_results
    from judgescale.harness.scorecard.render import render_files
    from judgescale.harness.scorecard.show import show_scorecard

    with ExitStack() as end:
        own = end.enter_context(lock_run_folder(folder))
        about = RunAbout(own, list_orders(planned), limits, command, sweep)
        told = Told(tracker, cfgs[0], write_config(cfgs, suite)) if tracker else None
        watch = end.enter_context(watch_run(about, told))
        arms = buy_missing(planned, replace(limits, logs=own), watch)
        results = evaluate_all(arms, suite)
        took = {"run_seconds": round(time.monotonic() - begun, 3)}
        results = [replace(r, compute={**r.compute, **took}, notes=[*r.notes, *gaps]) for r in results]
        config = write_config(cfgs, suite, [arm.judge for arm in arms])
        card = fill_from_results(table, results, own.name) if table else None
        trouble: list[str] = []

        def finish(draft: Path) -> None:
            """Write the page of the files in a folder, or note why it could not be written."""
            from judgescale.harness.page.write import NAME, try_to_write, write_page_of_run

            trouble.append(try_to_write(write_page_of_run, draft, draft / NAME, list_texts(arms), texts))

        more = render_files(card) if card else None
        files.write_files(results, own, config, command, more, made_of, finish=finish)
        terminal.show_notes([line for line in trouble if line])
        write_sets(arms, own)
        watch.tell_results(results)
        if show:  # before a tracker is waited for
            first = results[-len(arms)]
            tried = {result.strategy for result in results if result.task == first.task}
            terminal.show_results(results, own, next_commands.suggest(first, arms[0], own, tried, command))
            if card:
                show_scorecard(card)
    return results


def read_texts(cfg: DictConfig) -> bool:
    """Read whether the page of a run holds texts."""
    texts = OmegaConf.select(cfg, "report.texts", default=True)
    if not isinstance(texts, bool):
        raise JudgescaleError(f"report.texts={texts}: must be true or false")
    return texts


def list_texts(arms: Sequence[Arm]) -> dict[str, dict[str, Item]]:
    """List the items of all arms that have their texts, by task and id."""
    found: dict[str, dict[str, Item]] = {}
    for arm in arms:
        for item in arm.items:
            if item.conversation or item.texts:
                found.setdefault(arm.task.name, {})[item.id] = item
    return found


def plan_all(cfgs: Sequence[DictConfig], suite: Suite | None) -> tuple[list[Arm | LiveArm], list[str]]:
    """Plan every arm, and note, a line each, what of a suite is left out. Raises JudgescaleError as `run` does."""
    if suite is None:
        return [arm for cfg in cfgs for arm in plan_arms(cfg)], []
    planned, gaps = plan_members(suite, cfgs)
    tasks = {(p.arm if isinstance(p, LiveArm) else p).task.name for p in planned}
    return planned, note_gaps(suite, gaps, tasks)


def write_config(cfgs: Sequence[DictConfig], suite: Suite | None = None, judges: Sequence[str] = ()) -> str:
    """Write config.yaml: the first config, or that of a suite, with the prices of its models only.

    judges: of a recorded set, whose prices are kept as well.
    """
    return OmegaConf.to_yaml(keep_used_prices(suite.cfg if suite else cfgs[0], judges), resolve=suite is None)


@contextmanager
def lock_run_folder(folder: Path) -> Iterator[Path]:
    """Take the folder, or folder-2, -3, … while another run is at work in it: two may start in the same second.

    Nothing is left of it where nothing was written, nor of neighbours whose run was killed before it wrote anything.
    """
    remove_abandoned_folders(folder.parent)
    for number in count(1):
        own = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        own.mkdir(parents=True, exist_ok=True)
        mark = own / ".running"
        lock = FileLock(mark)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        remove_drafts(own)
        try:
            yield own
        finally:
            lock.release()
            mark.unlink(missing_ok=True)
            if not any(own.iterdir()):
                own.rmdir()
        return


def remove_abandoned_folders(parent: Path) -> None:
    """Remove what killed runs left in a folder of runs: their marks, which no process holds any more, and drafts."""
    for mark in parent.glob("*/.running"):
        with contextlib.suppress(Timeout, OSError), FileLock(mark).acquire(timeout=0):
            remove_drafts(mark.parent)
            mark.unlink(missing_ok=True)
            mark.parent.rmdir()  # only if it is empty: nothing was written


def remove_drafts(folder: Path) -> None:
    """Remove the files that a killed run had not finished."""
    from judgescale.harness.report.files import DRAFT

    for draft in folder.glob(f"{DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)


def list_orders(planned: Sequence[Arm | LiveArm]) -> list[Order]:
    """List what is to be bought, with the names by which a watcher knows it."""
    from judgescale.harness.dry import name_strategy

    return [
        Order(p.purchase, (p.purchase.label, name_strategy(p), p.purchase.name))
        for p in planned
        if isinstance(p, LiveArm)
    ]


def buy_missing(planned: Sequence[Arm | LiveArm], limits: SpendingLimits, watch: Watch) -> list[Arm]:
    """Return the arms, live ones with the judgments that they needed: from the store, or bought."""
    from judgescale.harness.live.buying import buy

    orders = [p for p in planned if isinstance(p, LiveArm)]
    if not orders:
        return [p for p in planned if isinstance(p, Arm)]
    with watch.watch_buying() as look:
        deliveries = iter(buy([o.purchase for o in orders], limits, look))
    arms = []
    for plan in planned:
        if isinstance(plan, LiveArm):
            check_usable(plan.purchase, delivery := next(deliveries))
            plan = plan.fill(delivery)
        arms.append(plan)
    return arms


def check_usable(purchase: Purchase, delivery: Delivery) -> None:
    """Raise JudgescaleError where not one judgment could be used, or not one was scored by the meta RM."""
    judgments, trouble = [r.judgment for r in delivery.data.records], delivery.meter.trouble
    texts = f"; read them with judgescale store export {delivery.data.path} FILE.parquet"
    counts = Counter(j.status for j in judgments)
    if not counts["ok"]:
        raise JudgescaleError(
            f"no judgment of {purchase.label} could be used: "
            + ", ".join(f"{count:,} {status}" for status, count in counts.items())
            + (f"; the last failure: {trouble}" if trouble else "")
            + ("; judge.sampling.max_tokens cuts them" if counts["truncated"] else "")
            + (texts if delivery.meter.bought + delivery.meter.reused else "")
        )
    if purchase.meta and all(j.meta is None for j in judgments):
        model = purchase.meta[1].engine.model
        raise JudgescaleError(f"no answer of meta.model={model} held a score; see meta.sampling.max_tokens{texts}")


def write_sets(arms: Sequence[Arm], folder: Path) -> None:
    """Write the judgments of each live arm as a recorded set, which anybody can replay without its judge."""
    from judgescale.harness.recorded import write_set

    live = [arm for arm in arms if arm.bill]
    for number, arm in enumerate(live, 1):
        name = "recorded.parquet" if len(live) == 1 else f"recorded-{number}.parquet"
        write_set(folder / name, arm.judgments.data.records, arm.judgments.data.meta)


def evaluate_all(arms: Sequence[Arm], suite: Suite | None = None) -> list[Result]:
    """Evaluate every arm, showing how far it is; arms of the same task are compared with its first."""
    from judgescale.harness.evaluation.credits import keep_shared_units
    from judgescale.harness.evaluation.differences import describe_difference, is_fitted
    from judgescale.harness.evaluation.evaluate import evaluate
    from judgescale.harness.report.readings import format_judgments_per_item, tell_apart
    from judgescale.harness.watching.display import show_evaluating

    found = []
    with show_evaluating(sum(len(arm.items) * len(arm.ks) for arm in arms)) as tick:
        for arm in arms:
            found.append(Evaluation(arm, *evaluate(arm, tick)))
    results = average_headlines(suite, found) if suite else []
    groups: dict[tuple[str, Path], list[Evaluation]] = {}
    for one in found:
        groups.setdefault((one.arm.task.name, one.arm.judgments.data.path), []).append(one)
    for same in groups.values():
        (first, of_first, base), *others = same
        results.append(of_first)
        for arm, result, credits in others:
            beside: list[str] = []
            if arm.strategy.baseline() != first.strategy:  # else its own evaluation compared them
                more, less = tell_apart([result, of_first])
                what = f"{name_beside(arm, first, more)} - {name_beside(first, arm, less)}"
                at_k = [c.select_column(a.ks.index(a.k)) for a, c in ((arm, credits), (first, base))]
                fitted = is_fitted(arm.strategy) or is_fitted(first.strategy)
                left_out = bool(arm.left_out or first.left_out) and list_units(arm) != list_units(first)
                if np.array_equal(credits.units.cluster, base.units.cluster) and not left_out:
                    told = describe_difference(arm, what, *at_k, fitted=fitted)
                elif shared := list_shared_units(arm, first):
                    at_k = [keep_shared_units(a, c, shared) for a, c in zip((arm, first), at_k, strict=True)]
                    of = f"{what}, on the {count_items(arm, shared):,} items that both judged"
                    told = describe_difference(arm, of, *at_k, fitted=fitted)
                else:
                    told = f"{what}: no difference is taken, since they are not about the same items"
                if arm.strategy.stops or first.strategy.stops:
                    told += f"; {format_judgments_per_item(result)} and {format_judgments_per_item(of_first)}"
                    told += " judgments an item"
                beside.append(told)
            results.append(replace(result, notes=[*result.notes, *beside], differences=beside))
    return results


def list_shared_units(arm: Arm, other: Arm) -> set[str]:
    """List the units of two arms that left out items of one selection; empty where they selected different ones."""
    if (arm.subsets, arm.limit) != (other.subsets, other.limit) or not (arm.left_out or other.left_out):
        return set()
    return list_units(arm) & list_units(other)


def list_units(arm: Arm) -> set[str]:
    """List the units that an arm's items are of."""
    return {arm.task.unit(item) for item in arm.items}


def count_items(arm: Arm, units: Collection[str]) -> int:
    """Count an arm's items that are of these units."""
    return sum(arm.task.unit(item) in units for item in arm.items)


def name_beside(arm: Arm, other: Arm, more: str) -> str:
    """Name an arm beside another: by its judge if these differ, and by its protocol if these do.

    more: what else tells it from an arm of the same judge, strategy and k.
    """
    name = (
        arm.judge
        if arm.judge != other.judge
        else f"{arm.strategy.name} at k{'≤' if arm.strategy.stops else '='}{arm.k}"
    )
    if arm.rules.name != other.rules.name:
        return f"{name} by protocol={arm.rules.name}"
    return f"{name}, {more}" if more else name
