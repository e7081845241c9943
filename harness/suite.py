"""A suite: several benchmarks with one judge, and the plain mean of some of their headlines, as papers print it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.estimates import Credits
from judgescale.harness.published import lists as published
from judgescale.harness.published.comparable import is_as_published
from judgescale.harness.signature import find_version
from judgescale.harness.stats.intervals import bootstrap, interval
from judgescale.harness.types import CurvePoint, Estimate, JudgescaleError, Result

Found = tuple[Arm, Result, Credits]


@dataclass(frozen=True)
class Suite:
    """conf/task/…_suite.yaml: each member a list of overrides that begins with its task."""

    name: str
    members: tuple[tuple[str, ...], ...]
    mean: tuple[str, ...]  # the tasks whose headlines are averaged; empty = nothing is
    metrics: Mapping[str, str]  # task -> the metric that stands for it in place of its headline
    published: str | None  # what published tables call the mean
    cfg: DictConfig  # that its members' configs are made from


def read_suite(cfg: DictConfig) -> Suite | None:
    """The suite that a config chooses as its task, its members with the paths that were given for them; else None."""
    if "suite" not in cfg.task:
        return None
    options: dict[str, Any] = OmegaConf.to_container(cfg.task, resolve=True)  # type: ignore[assignment]
    members: list[list[str]] = options["suite"]
    tasks = dict.fromkeys(member[0].removeprefix("task=") for member in members)
    for option, override in (("paths", "task.path"), ("sets", "engine.path")):
        for task, path in (options[option] or {}).items():
            if task not in tasks:
                raise JudgescaleError(f"task.{option}.{task}: the suite has {', '.join(tasks)}")
            for member in members:
                if member[0] == f"task={task}" and path is not None:
                    member.append(f"{override}='{path}'")
    mean = tuple(options["mean"] or ())
    return Suite(options["name"], tuple(map(tuple, members)), mean, options["metrics"] or {}, options["published"], cfg)


def average_headlines(suite: Suite, found: Sequence[Found]) -> list[Result]:
    """For every judge that did all of the suite: the plain mean of its headlines, with each member as a section.

    Several where it did so in several ways: the first arms of every task belong together, then the second ones.
    """
    ways: dict[tuple[str, int], dict[str, Found]] = {}
    for f in found:
        way = next(i for i in count() if f[0].task.name not in ways.get((f[0].judge, i), {}))
        ways.setdefault((f[0].judge, way), {})[f[0].task.name] = f
    wanted = set(suite.mean)
    return [average_judge(suite, list(own.values())) for own in ways.values() if wanted and wanted <= own.keys()]


def average_judge(suite: Suite, found: Sequence[Found]) -> Result:
    """One judge's mean; benchmarks are resampled independently of each other."""
    averaged = [f for f in found if f[0].task.name in suite.mean]
    results = [result for _, result, _ in found]
    k = {r.k for _, r, _ in averaged}
    shared = set.intersection(*(set(_curve(r)) for _, r, _ in averaged))
    headline = _mean(averaged, [r.k for _, r, _ in averaged])
    first = results[0]
    members = hashlib.sha256("\n".join(r.signature for r in results).encode()).hexdigest()[:8]
    beside = published.set_beside(suite.published, first.judge, {"overall": headline.value}) if suite.published else []
    if not all(is_as_published(arm) for arm, _, _ in averaged):
        beside = [replace(p, delta=None) for p in beside]
    return replace(
        first,
        strategy="+".join(dict.fromkeys(r.strategy for r in results)),
        task=suite.name,
        k=max(k),
        items=sum(r.items for r in results),
        signature="|".join(
            (
                f"judge:{first.judge}",
                f"suite:{suite.name}",
                f"mean:{'+'.join(suite.mean)}",
                f"protocol:{_rule(found)}",
                f"k:{'+'.join(map(str, sorted(k)))}",
                f"members:{len(results)}@{members}",
                f"judgescale:{find_version()}",
            )
        ),
        headline=headline,
        sections=dict(_section(suite, r) for r in results),
        subsets={},
        # members that vote differently often have no common curve
        curve=[_point(averaged, at) for at in sorted(shared) if len(k) == 1],
        compute={name: _sum([r.compute.get(name) for r in results]) for name in first.compute},
        health=_health(results),
        published=beside,
        notes=(
            f"The plain mean of {', '.join(suite.mean)}; each one's own line, notes and signature stand below.",
            *(note for note in first.notes if all(note in r.notes for r in results)),
        ),
        details={},
        judgments=(),
        data={r.task: dict(r.data) for r in results},
    )


def _rule(found: Sequence[Found]) -> str:
    """The one protocol of all members, or that each has its own."""
    rules = {arm.rules.name for arm, _, _ in found}
    return rules.pop() if len(rules) == 1 else "each"


def _section(suite: Suite, result: Result) -> tuple[str, Estimate]:
    """A member's name and what stands for it: its headline, or the metric that the suite names."""
    if (metric := suite.metrics.get(result.task)) is None:
        return result.task, result.headline
    if metric not in result.sections:
        raise JudgescaleError(f"task.metrics.{result.task}={metric}: it has {', '.join(result.sections)}")
    return f"{result.task} {metric}", result.sections[metric]


def _curve(result: Result) -> dict[int, CurvePoint]:
    """The headline's, by k."""
    return {point.k: point for point in result.curve if point.section == "overall"}


def _mean(averaged: Sequence[Found], ks: Sequence[int]) -> Estimate:
    """The mean of the members' headlines, each at its k."""
    values, replicates, errors = [], [], []
    for place, ((arm, result, credits), k) in enumerate(zip(averaged, ks)):
        point = _curve(result)[k].estimate
        column = credits.at(arm.ks.index(k)).value[:, 0]
        drawn = bootstrap(credits.units, column, arm.rollup, draws=arm.resamples, seed=arm.seed + 1_000 * place)
        values.append(point.value)
        replicates.append(drawn["overall"])
        errors.append(point.mc_error)
    error = float(np.sqrt(np.square(errors).sum()) / len(errors))
    items = sum(r.headline.items for _, r, _ in averaged)
    return Estimate("mean accuracy", float(np.mean(values)), interval(np.mean(replicates, axis=0)), items, error)


def _point(averaged: Sequence[Found], k: int) -> CurvePoint:
    points = [(_curve(r)[k], r.items) for _, r, _ in averaged]
    whole = sum(items for _, items in points)
    spent: dict[str, Any] = {
        name: _sum([None if (n := getattr(p, name)) is None else n * items / whole for p, items in points])
        for name in ("judgments_per_item", "tokens_per_item", "flops_per_item")
    }
    return CurvePoint("overall", k, _mean(averaged, [k] * len(averaged)), **spent)


def _sum(numbers: Sequence[float | None]) -> float | None:
    """Unknown where one of them is."""
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None


def _health(results: Sequence[Result]) -> dict[str, Any]:
    names = ("judgments", "unparseable", "ties", "order_flips", "failed")
    statuses: Counter[str] = Counter()
    for r in results:
        statuses.update(r.health.get("statuses") or {})
    return {name: _sum([r.health.get(name) for r in results]) for name in names} | {"statuses": dict(statuses)}
