"""The curves of a page: of each benchmark one picture for each cost that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from urllib.parse import quote

from markupsafe import Markup

from judgescale.harness.finished.report import format_cost
from judgescale.harness.finished.rivals import UNITS, get_cost
from judgescale.harness.page.arms import PageArm
from judgescale.harness.page.charts import Chart, Dot, Line, draw_curves
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.readings import OVERALL, find_own_published, format_k, list_curve_points
from judgescale.harness.report.reference_curves import list_reference_curves
from judgescale.harness.report.text import format_interval, format_percent
from judgescale.harness.types import CurvePoint

TOLD_APART = 10  # arms in a picture: of more only the best are, and those on the frontier
LEVELS = 3  # printed numbers across a picture
AXES = {
    "judgments": ("judgments", "judgments an item"),
    "tokens": ("tokens", "tokens an item"),
    "flops": ("FLOPs", "floating-point operations an item"),
    "dollars": ("dollars", "dollars an item"),
}


@dataclass(frozen=True)
class Key:
    """Hold a line of a legend."""

    arm: PageArm
    look: int
    quiet: bool
    value: float  # where its curve ends


@dataclass(frozen=True)
class Curves:
    """Hold the pictures of a benchmark, by what an item's cost is counted in, and their legend."""

    task: int
    name: str
    metric: str
    pictures: Mapping[str, Markup]
    keys: Sequence[Key]
    rows: Sequence[Sequence[str]]  # the same as a table

    @property
    def told(self) -> list[Key]:
        """List the arms that are told apart, as their lines end, top to bottom."""
        return [key for key in self.keys if not key.quiet]

    @property
    def quiet(self) -> list[Key]:
        """List the others."""
        return [key for key in self.keys if key.quiet]


def number_tasks(arms: Sequence[PageArm]) -> dict[str, int]:
    """Number the benchmarks of a page, as links do."""
    return {task: number for number, task in enumerate(dict.fromkeys(arm.task for arm in arms))}


def choose_looks(arms: Sequence[PageArm]) -> dict[int, int]:
    """Choose the look of every arm, by its place: arms of one name look alike in all benchmarks."""
    names = {name: look for look, name in enumerate(dict.fromkeys(arm.name for arm in arms))}
    counts: dict[str, int] = {}
    for arm in arms:
        counts[arm.task] = counts.get(arm.task, 0) + 1
    if len(names) <= max(counts.values()) * 2:
        return {arm.place: names[arm.name] for arm in arms}
    return {a.place: i for task in counts for i, a in enumerate(a for a in arms if a.task == task)}


def write_link(task: int, arm: int, k: int) -> str:
    """Write the link to the items that an arm got wrong at a k."""
    return f"#/items?task={quote(str(task))}&arm={arm}&k={k}&show=wrong"


def list_points(arm: PageArm) -> list[CurvePoint]:
    """List the points of an arm's headline; of one without a curve, nothing."""
    return list_curve_points(arm.result)


def make_curves(task: str, number: int, arms: Sequence[PageArm], looks: Mapping[int, int]) -> Curves:
    """Draw the pictures of a benchmark: one for each cost in which its points differ."""
    metric = flatten_text(arms[0].result.headline.metric)
    points = {arm.place: list_points(arm) for arm in arms}
    loud = choose_loud(arms, points)
    pictures = {}
    for unit in UNITS:
        costs = {cost for of_arm in points.values() for p in of_arm if (cost := get_cost(p, unit))}
        if len(costs) > 1:
            pictures[unit] = draw_curves(make_chart(task, number, arms, points, looks, loud, unit))
    keys = [
        Key(a, looks[a.place], a.place not in loud, own[-1].estimate.value) for a in arms if (own := points[a.place])
    ]
    keys.sort(key=lambda key: -key.value)
    rows = [make_row(arm, point) for arm in arms for point in points[arm.place]]
    return Curves(number, task, metric, pictures, keys, rows)


def choose_loud(arms: Sequence[PageArm], points: Mapping[int, Sequence[CurvePoint]]) -> set[int]:
    """Choose the arms that are told apart: all, or of many the best, and those that no cheaper one is above."""
    if len(arms) <= TOLD_APART:
        return {arm.place for arm in arms}
    every = [
        (cost, -p.estimate.value, place)
        for place, own in points.items()
        for p in own
        if (cost := get_cost(p, "judgments"))
    ]
    on, best = [], float("-inf")
    for _, below, place in sorted(every):
        if -below > best:
            best = -below
            on.append(place)
    order = sorted((arm for arm in arms if isfinite(arm.result.headline.value)), key=lambda a: -a.result.headline.value)
    return set(list(dict.fromkeys([*reversed(on), *(arm.place for arm in order)]))[:8])


def make_chart(
    task: str,
    number: int,
    arms: Sequence[PageArm],
    points: Mapping[int, Sequence[CurvePoint]],
    looks: Mapping[int, int],
    loud: set[int],
    unit: str,
) -> Chart:
    """Make what one picture shows."""
    metric = flatten_text(arms[0].result.headline.metric)
    lines = []
    for arm in arms:
        known = [(cost, p) for p in points[arm.place] if (cost := get_cost(p, unit))]
        known.sort(key=lambda pair: pair[0])
        dots = [
            Dot(
                cost,
                100 * p.estimate.value,
                None if p.estimate.ci is None else (100 * p.estimate.ci[0], 100 * p.estimate.ci[1]),
                write_link(number, arm.place, p.k),
                describe_point(arm, p),
                p.can_split,
            )
            for cost, p in known
        ]
        if dots:
            lines.append(Line(arm.place, looks[arm.place], arm.name, dots, arm.place not in loud))
    step = find_step([(dot.x, dot.y) for line in lines for dot in line.dots]) if len(lines) > 1 else []
    levels = {
        f"published {format_percent(p.value)}": 100 * p.value
        for arm in arms
        if arm.place in loud and (p := find_own_published(arm.result).get(OVERALL))
    }
    printed = []
    if unit == "judgments":
        for curve in list_reference_curves([arm.result for arm in arms]):
            printed.append((f"published: {curve.name}", [(float(p.k or 0), 100 * p.value) for p in curve.rows]))
    return Chart(
        f"{task}: {metric} against {AXES[unit][1]}",
        f"{name_axis(unit, arms)}, log scale",
        f"{metric} (%)",
        lines,
        step,
        [] if printed or len(levels) > LEVELS else [(y, name) for name, y in levels.items()],
        printed,
    )


def find_step(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Find the points that none of the same or a lower cost is above, by their estimates."""
    step: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not step or y > step[-1][1]:
            step.append((x, y))
    return step


def name_axis(unit: str, arms: Sequence[PageArm]) -> str:
    """Name what an axis counts; of tokens, whether prompts are among them: a set may not have recorded these."""
    if unit != "tokens":
        return AXES[unit][1]
    lacking = [arm.result.compute.get("prompt_tokens") is None for arm in arms]
    if all(lacking):
        return "completion tokens an item"
    return "tokens an item, prompt and completion" + " where recorded" * any(lacking)


def describe_point(arm: PageArm, point: CurvePoint) -> str:
    """Say in one line what a point is: whose, its value with the interval, and what it costs."""
    told = [f"{arm.name}, k={point.k}"]
    told.append(f"{format_percent(point.estimate.value)} % {format_interval(point.estimate.ci)}".strip())
    told += [
        f"{format_cost(cost)} {AXES[unit][0]} an item" for unit in UNITS if (cost := get_cost(point, unit)) is not None
    ]
    if point.can_split:
        told.append("an even vote, which can split")
    return flatten_text("; ".join(told))


def make_row(arm: PageArm, point: CurvePoint) -> list[str]:
    """Make a row of the table of all points."""
    costs = [format_cost(get_cost(point, unit)) for unit in UNITS]
    k = format_k(arm.result) if point.k == arm.result.k else str(point.k)
    return [arm.name, k, format_percent(point.estimate.value), format_interval(point.estimate.ci), *costs]
