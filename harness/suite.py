"""A suite: several benchmarks with one judge, and the plain mean of some of their headlines, as papers print it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.arm import Arm
from judgescale.harness.cost import sum_known
from judgescale.harness.evaluation.credits import Credits
from judgescale.harness.plan import LiveArm, plan_arms
from judgescale.harness.published import lists as published
from judgescale.harness.published.candidates import Candidate, read_candidates, write_candidates
from judgescale.harness.published.comparable import describe_setting, is_as_published, refuse_deltas
from judgescale.harness.signature import find_version
from judgescale.harness.stats.intervals import Units, share_headline
from judgescale.harness.stats.means import find_mean_intervals
from judgescale.harness.types import CurvePoint, Estimate, JudgescaleError, MissingData, Result

# what of a member its suite's options give: the member's own option, and what its value is
GIVEN = {"paths": ("task.path", "FILE_OR_FOLDER"), "sets": ("engine.path", "SET.parquet")}

NOT_AS_PRINTED = "not every member made as printed"


class Evaluation(NamedTuple):
    """Hold an arm with what `evaluate` returned for it."""

    arm: Arm
    result: Result
    credits: Credits


@dataclass(frozen=True)
class Suite:
    """Hold a suite as conf/task/…_suite.yaml describes it."""

    name: str
    members: tuple[tuple[str, ...], ...]  # each a list of overrides that begins with its task
    mean: tuple[str, ...]  # the tasks whose headlines are averaged; empty = nothing is
    metrics: Mapping[str, str]  # task -> the metric that stands for it in place of its headline
    published: str | None  # what published tables call the mean
    cfg: DictConfig  # that its members' configs are made from


def read_suite(cfg: DictConfig) -> Suite | None:
    """Read the suite that a config chooses as its task, with the paths given for its members; None for other tasks.

    Raises JudgescaleError for a path of a task that is no member.
    """
    if "suite" not in cfg.task:
        return None
    options: dict[str, Any] = OmegaConf.to_container(cfg.task, resolve=True)  # type: ignore[assignment]
    members: list[list[str]] = options["suite"]
    tasks = dict.fromkeys(member[0].removeprefix("task=") for member in members)
    for option, (override, _) in GIVEN.items():
        for task, path in (options[option] or {}).items():
            if task not in tasks:
                raise JudgescaleError(f"task.{option}.{task}: the suite has {', '.join(tasks)}")
            for member in members:
                if member[0] == f"task={task}" and path is not None:
                    member.append(f"{override}='{path}'")
    mean = tuple(options["mean"] or ())
    return Suite(options["name"], tuple(map(tuple, members)), mean, options["metrics"] or {}, options["published"], cfg)


class Gap(NamedTuple):
    """Name a member that is left out since its data are not here."""

    task: str  # as the suite calls it
    give: str  # the option that gives its data: "task.paths.rmb=FILE_OR_FOLDER"
    why: str  # why the Hub does not give them; empty where they are not there


def plan_members(suite: Suite, cfgs: Sequence[DictConfig]) -> tuple[list[Arm | LiveArm], list[Gap]]:
    """Plan the arms of every member whose data are here, and list the others; these are left out of all arms alike.

    cfgs: those of the members, once for each entry of `compare`, as `compose_arms` returns them.
    Raises JudgescaleError where no member's data are here, and for all that is wrong and not only missing.
    """
    planned: list[list[Arm | LiveArm]] = [[] for _ in cfgs]
    gaps: dict[str, Gap] = {}
    for place, member in enumerate(suite.members):
        own = range(place, len(cfgs), len(suite.members))
        try:
            for i in own:
                planned[i] = plan_arms(cfgs[i])
        except MissingData as missing:
            for i in own:
                planned[i] = []
            task = member[0].removeprefix("task=")
            gaps.setdefault(task, find_gap(task, missing))
    if not any(planned):
        raise refuse_empty(suite, list(gaps.values()))
    return [arm for arms in planned for arm in arms], list(gaps.values())


def refuse_empty(suite: Suite, gaps: Sequence[Gap]) -> JudgescaleError:
    """Make the error for a suite of which no member's data are here."""
    why = dict.fromkeys(gap.why for gap in gaps if gap.why)
    give = "; ".join([f"give {', '.join(gap.give for gap in gaps)}", *why])
    return JudgescaleError(f"task={suite.name}: the data of no member are here; {give}")


def find_gap(task: str, missing: MissingData) -> Gap:
    """Find the suite's option for what a member lacks; one that no suite has is told as the member itself tells it."""
    for option, (override, kind) in GIVEN.items():
        if override == missing.option:
            return Gap(task, f"task.{option}.{task}={kind}", missing.why)
    return Gap(task, f"{missing.option} in its list of overrides", missing.why)


def note_gaps(suite: Suite, gaps: Sequence[Gap], tasks: Collection[str]) -> list[str]:
    """Note, a line each, what a suite was run without, and that its mean is not made where a member of it is missing.

    tasks: those that were run.
    """
    notes = [f"{suite.name}: {gap.task} is missing: give {gap.give}." for gap in gaps]
    for why in dict.fromkeys(gap.why for gap in gaps if gap.why):
        notes.append(f"{suite.name}: from the Hub ({', '.join(gap.task for gap in gaps if gap.why == why)}): {why}.")
    if gaps and (lacking := [name for name in suite.mean if name not in tasks]):
        notes.append(f"{suite.name}: no mean of {', '.join(suite.mean)} without {', '.join(lacking)}.")
    return notes


def average_headlines(suite: Suite, evaluations: Sequence[Evaluation]) -> list[Result]:
    """Average the headlines of every judge that did all of the suite; each member becomes a section of the result.

    A judge that did so in several ways has several results: the first arms of every task belong together, then the
    second ones.
    """
    ways: dict[tuple[str, int], dict[str, Evaluation]] = {}
    for e in evaluations:
        way = next(i for i in count() if e.arm.task.name not in ways.get((e.arm.judge, i), {}))
        ways.setdefault((e.arm.judge, way), {})[e.arm.task.name] = e
    wanted = set(suite.mean)
    return [average_judge(suite, list(way.values())) for way in ways.values() if wanted and wanted <= way.keys()]


def average_judge(suite: Suite, evaluations: Sequence[Evaluation]) -> Result:
    """Average one judge's headlines; for the interval, benchmarks are resampled independently of each other."""
    averaged = [e for e in evaluations if e.arm.task.name in suite.mean]
    results = [e.result for e in evaluations]
    k = {e.result.k for e in averaged}
    shared = set.intersection(*(set(_index_curve(e.result)) for e in averaged))
    headline = _average_at(averaged, [e.result.k for e in averaged])
    first = results[0]
    members = hashlib.sha256("\n".join(r.signature for r in results).encode()).hexdigest()[:8]
    ours = {"overall": headline.value}
    setting, *more = dict.fromkeys(describe_setting(e.arm) for e in averaged)
    beside = []
    if suite.published:
        beside = published.compare_with_published(suite.published, first.judge, ours, setting=setting)
    as_printed = not more and all(is_as_published(e.arm) for e in averaged)
    if not as_printed:
        beside = refuse_deltas(beside, NOT_AS_PRINTED)
    # members that vote differently often have no common curve
    curve = [_average_points(averaged, at) for at in sorted(shared) if len(k) == 1]
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
                f"protocol:{_name_protocol(evaluations)}",
                f"k:{'+'.join(map(str, sorted(k)))}",
                f"members:{len(results)}@{members}",
                f"judgescale:{find_version()}",
            )
        ),
        headline=headline,
        sections=dict(_make_section(suite, r) for r in results),
        subsets={},
        curve=curve,
        compute={name: sum_known([r.compute.get(name) for r in results]) for name in first.compute},
        health=_sum_health(results),
        ceiling={},
        published=beside,
        comparable=_describe_mean(suite, averaged, curve, as_printed),
        notes=(
            f"The plain mean of {', '.join(suite.mean)}; each one's own line, notes and signature stand below.",
            *(note for note in first.notes if all(note in r.notes for r in results)),
        ),
        details={},
        judging={},
        judgments=(),
        data={r.task: dict(r.data) for r in results},
        stops=any(r.stops for r in results),
    )


def _describe_mean(
    suite: Suite, averaged: Sequence[Evaluation], curve: Sequence[CurvePoint], as_printed: bool
) -> dict[str, Any]:
    """Describe the mean at every k as printed ones may be held against it; the members say so of themselves."""
    if not suite.published or not curve:
        return {}
    ks = [point.k for point in curve]
    settings = [describe_setting(averaged[0].arm, k)._asdict() for k in ks]  # where they differ, it is not as printed
    members = [read_candidates(e.result.comparable) if e.result.comparable else [] for e in averaged]
    at_k = [[next((c for c in of if _is_headline(c, k)), None) for of in members] for k in ks]
    guesses = [None if c is None else c.guess for c in at_k[-1]]
    guess = sum_known(guesses)
    number = {
        "section": "overall",
        "metric": "accuracy",
        "items": curve[0].estimate.items,
        "why_not": "" if as_printed else NOT_AS_PRINTED,
        "guess": None if guess is None else guess / len(averaged),
        "values": [point.estimate.value for point in curve],
        "mc_errors": [point.estimate.mc_error for point in curve],
        "again": [_average_again(of_k, point.estimate.value) for of_k, point in zip(at_k, curve, strict=True)],
    }
    unknown = "it is not known of every member"
    judge = averaged[0].result.judge
    return write_candidates(suite.published, judge, settings, [number], unknown)


def _is_headline(candidate: Candidate, k: int) -> bool:
    """Tell whether a number of a member is its headline at this k."""
    return candidate.section == "overall" and candidate.metric == "accuracy" and candidate.setting.k == k


def _average_again(members: Sequence[Candidate | None], value: float) -> tuple[float, float] | None:
    """Return where the mean would land if all members were judged again, independently; None where one is unknown."""
    halves = [max(c.value - c.again[0], c.again[1] - c.value) for c in members if c is not None and c.again]
    if len(halves) < len(members):
        return None
    half = float(np.sqrt(np.square(halves).sum()) / len(halves))
    return max(value - half, 0.0), min(value + half, 1.0)


def _name_protocol(evaluations: Sequence[Evaluation]) -> str:
    """Name the one protocol of all members, or say that each has its own."""
    names = {e.arm.rules.name for e in evaluations}
    return names.pop() if len(names) == 1 else "each"


def _make_section(suite: Suite, result: Result) -> tuple[str, Estimate]:
    """Return a member's name and what stands for it: its headline, or the metric that the suite names."""
    if (metric := suite.metrics.get(result.task)) is None:
        return result.task, result.headline
    if metric not in result.sections:
        raise JudgescaleError(f"task.metrics.{result.task}={metric}: it has {', '.join(result.sections)}")
    return f"{result.task} {metric}", result.sections[metric]


def _index_curve(result: Result) -> dict[int, CurvePoint]:
    """Map each k to the headline's point on the curve."""
    return {point.k: point for point in result.curve if point.section == "overall"}


def _average_at(averaged: Sequence[Evaluation], ks: Sequence[int]) -> Estimate:
    """Average the members' headlines, each at its k. Sections and clusters of different members are different ones."""
    points = [_index_curve(e.result)[k].estimate for e, k in zip(averaged, ks)]
    values, errors = [p.value for p in points], [p.mc_error for p in points]
    every = [(f"{place} ", e.credits.units, e.arm.rollup) for place, e in enumerate(averaged)]
    units = Units(
        np.concatenate([np.char.add(place, units.section) for place, units, _ in every]),
        np.concatenate([np.char.add(place, units.cluster) for place, units, _ in every]),
        np.concatenate([share_headline(units, rollup) for _, units, rollup in every]),
    )
    credit = np.concatenate([e.credits.value[:, [e.arm.ks.index(k)]] for e, k in zip(averaged, ks)])
    (interval,) = find_mean_intervals(units, credit, "items")
    error = float(np.sqrt(np.square(errors).sum()) / len(errors))
    items = sum(e.result.headline.items for e in averaged)
    return Estimate("mean accuracy", float(np.mean(values)), interval, items, error)


def _average_points(averaged: Sequence[Evaluation], k: int) -> CurvePoint:
    """Average the members' points of the curve at one k; their costs an item weigh by their items."""
    points = [_index_curve(e.result)[k] for e in averaged]
    items = [e.result.items for e in averaged]
    whole = sum(items)

    def average(per_item: Sequence[float | None]) -> float | None:
        return sum_known([None if n is None else n * size / whole for n, size in zip(per_item, items)])

    return CurvePoint(
        "overall",
        k,
        _average_at(averaged, [k] * len(averaged)),
        judgments_per_item=sum(p.judgments_per_item * size / whole for p, size in zip(points, items)),
        tokens_per_item=average([p.tokens_per_item for p in points]),
        flops_per_item=average([p.flops_per_item for p in points]),
        can_split=any(p.can_split for p in points),
        dollars_per_item=average([p.dollars_per_item for p in points]),
    )


def _sum_health(results: Sequence[Result]) -> dict[str, Any]:
    """Sum the members' counts of what could not be used; None where one member does not know."""
    names = ("judgments", "unparseable", "ties", "order_flips", "failed", "tied_decisions")
    statuses: Counter[str] = Counter()
    for r in results:
        statuses.update(r.health.get("statuses") or {})
    found = {name: sum_known([r.health.get(name) for r in results]) for name in names} | {"statuses": dict(statuses)}
    partial = [r.health["partial"] for r in results if "partial" in r.health]
    return found | ({"partial": sum(partial)} if partial else {})
