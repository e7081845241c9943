"""Draw the figures of docs/strategies/: what each strategy makes of judgments that ship with the program.

python docs/draw_strategies.py [NAME …]            evaluate, keep the numbers in figures.json, and draw NAME.svg
python docs/draw_strategies.py --redraw [NAME …]   draw from figures.json as it is
python docs/draw_strategies.py --check [NAME …]    evaluate, and say which numbers or pictures are out of date
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a checkout that is not installed

import judgescale as js  # noqa: E402
from judgescale.harness.report.figure import STYLE  # noqa: E402
from judgescale.harness.report.fonts import list_lean_fonts  # noqa: E402
from judgescale.harness.report.styles import COLOURS, LINES, MARKERS  # noqa: E402

FOLDER = ROOT / "docs" / "strategies"
NUMBERS = FOLDER / "figures.json"
DRAWS = 200
ROUNDING = 0.05  # points of accuracy that two machines may be apart, which is less than a figure shows
HAIKU, GPT, MINI, NANO, SONNET = (
    "Claude Haiku 4.5", "GPT-5.4", "GPT-5.4 mini", "GPT-5.4 nano", "Claude Sonnet 4.6"
)  # fmt: skip
PRICES = {GPT: 0.0083, MINI: 0.0019, NANO: 0.00072, SONNET: 0.027, HAIKU: 0.031}  # as in conf/experiment/jury.yaml
POINTS = (1, 2, 4, 8)
JUDGMENTS, DOLLARS = "judgments an item", "dollars an item"

Point = tuple[float, float, float, float]  # what an item costs, accuracy in percent, and its interval
Curves = dict[str, list[Point]]


class Picture(NamedTuple):
    """Hold one figure: what it is of, what its points cost, and how they are made."""

    title: str
    axis: str
    make: Callable[[], Curves]


def read_points(result: js.Result, axis: str = JUDGMENTS) -> list[Point]:
    """Read the overall curve of a result as points of a figure."""
    points = []
    for point in result.curve:
        if point.section == "overall":
            cost = point.judgments_per_item if axis == JUDGMENTS else point.dollars_per_item
            assert cost is not None and point.estimate.ci is not None
            numbers = (point.estimate.value, *point.estimate.ci)
            points.append((round(cost, 5), *(round(100 * number, 2) for number in numbers)))
    return points  # type: ignore[return-value]


def judge_rewardbench2(strategy: js.Strategy, judges: list[str], **options: Any) -> js.Result:
    """Evaluate a strategy on eight samples a judge of RewardBench 2 without Ties, all items alike."""
    rules = replace(js.load_protocol("rewardbench2"), rollup="items")
    options = {"ks": POINTS, "draws": DRAWS, "variants": ["base"]} | options
    task = js.load_task("rewardbench2")
    (result,) = js.evaluate(
        "rewardbench2_samples", task=task, protocol=rules, judges=judges, strategy=strategy, **options
    )
    return result


def judge_vicuna(strategy: js.Strategy) -> list[Point]:
    """Evaluate a strategy on 80 questions with five answers each, ten judgments a pair."""
    task = js.load_task("vicuna80_best_of_5")
    (result,) = js.evaluate(
        "vicuna80", task=task, protocol="vicuna80_best_of_5", strategy=strategy, ks=(1, 2, 4, 6, 10), draws=DRAWS
    )
    return read_points(result)


def make_single() -> Curves:
    """Make the curves of five judges, each alone."""
    judges = (HAIKU, SONNET, GPT, MINI, NANO)
    return {judge: read_points(judge_rewardbench2(js.Single(), [judge], ks=None)) for judge in judges}


def make_voting() -> Curves:
    """Make the curves of five judges who vote."""
    judges = (HAIKU, SONNET, GPT, MINI, NANO)
    return {judge: read_points(judge_rewardbench2(js.Voting(), [judge])) for judge in judges}


def make_meta_voting() -> Curves:
    """Make the curves of three meta RMs beside a plain vote."""
    curves = {"voting": read_points(judge_rewardbench2(js.Voting(), [NANO]))}
    for meta in ("logistic", "random", "oracle"):
        strategy = js.MetaVoting(meta=meta)
        curves[f"half of k, meta RM: {meta}"] = read_points(judge_rewardbench2(strategy, [NANO], ks=POINTS[1:]))
    return curves


def make_tournament(strategy: js.Strategy) -> Callable[[], Curves]:
    """Return what makes a tournament's figure: itself beside a round robin with Elo ratings."""
    return lambda: {strategy.name: judge_vicuna(strategy), "elo": judge_vicuna(js.Elo())}


def make_elo() -> Curves:
    """Make the curves of three ways to rate, beside a knockout."""
    ratings = ("elo", "bradley_terry", "wins")
    return {rating: judge_vicuna(js.Elo(rating=rating)) for rating in ratings} | {
        "knockout": judge_vicuna(js.Knockout())
    }


def make_budget() -> Curves:
    """Make the curves of judgments spread over items, beside a vote."""
    spread = {
        f"budget, {'responses apart' if apart else 'whole items'}": read_points(
            judge_rewardbench2(js.Budget(k=4, apart=apart), [NANO], ks=(1, 2, 3, 4))
        )
        for apart in (True, False)
    }
    return spread | {"voting": read_points(judge_rewardbench2(js.Voting(), [NANO]))}


def make_stopping() -> Curves:
    """Make the points of three leads to stop at, beside a vote."""
    stops = {
        f"lead of {lead}": read_points(judge_rewardbench2(js.Stopping(k=8, lead=lead), [NANO], ks=(8,)))
        for lead in (1, 2, 3)
    }
    joined = [point for points in stops.values() for point in points]
    return {"stopping at a lead of 1, 2, 3": joined, "voting": read_points(judge_rewardbench2(js.Voting(), [NANO]))}


def make_weighted_voting() -> Curves:
    """Make the curves of a weighed jury, a plain one, and its best judge alone."""
    jury = [GPT, MINI, NANO, SONNET, HAIKU]
    shared: dict[str, Any] = {"pool": "equal", "ks": (5, 10, 20, 40), "costs": PRICES}
    return {
        "weighted_voting, logistic": read_points(judge_rewardbench2(js.WeightedVoting(), jury, **shared)),
        "voting, plurality": read_points(judge_rewardbench2(js.Voting(aggregate="plurality"), jury, **shared)),
        HAIKU + " alone": read_points(judge_rewardbench2(js.Voting(), [HAIKU])),
    }


def make_cascade() -> Curves:
    """Make the points of three targets of a cascade, beside its judges alone."""
    steps = [
        judge_rewardbench2(
            js.Cascade(k=16, target=target), [NANO, GPT], pool="in_order", costs=PRICES, ks=(16,), draws=20
        )
        for target in (0.8, 0.9, 0.95)
    ]
    alone = {
        f"voting, {judge}": read_points(judge_rewardbench2(js.Voting(), [judge], costs=PRICES), DOLLARS)
        for judge in (NANO, GPT)
    }
    return {"cascade, target 80, 90, 95 %": [p for step in steps for p in read_points(step, DOLLARS)]} | alone


VICUNA = "Vicuna80, five answers a question, ten judgments a pair"
SAMPLES = "RewardBench 2 without Ties, eight samples a judge"
PICTURES = {
    "single": Picture(f"{SAMPLES}: one of them", "", make_single),
    "voting": Picture(SAMPLES, JUDGMENTS, make_voting),
    "meta_voting": Picture(f"{SAMPLES}: {NANO}", JUDGMENTS, make_meta_voting),
    "elo": Picture(VICUNA, JUDGMENTS, make_elo),
    "knockout": Picture(VICUNA, JUDGMENTS, make_tournament(js.Knockout())),
    "swiss": Picture(VICUNA, JUDGMENTS, make_tournament(js.Swiss())),
    "double_elimination": Picture(VICUNA, JUDGMENTS, make_tournament(js.DoubleElimination())),
    "information_gain": Picture(VICUNA, JUDGMENTS, make_tournament(js.InformationGain())),
    "budget": Picture(f"{SAMPLES}: {NANO}", JUDGMENTS, make_budget),
    "stopping": Picture(f"{SAMPLES}: {NANO}", JUDGMENTS, make_stopping),
    "weighted_voting": Picture(f"{SAMPLES}: a jury of five", JUDGMENTS, make_weighted_voting),
    "cascade": Picture(f"{SAMPLES}: {NANO}, then {GPT}", DOLLARS, make_cascade),
}


def hash_numbers(curves: dict[str, Any]) -> str:
    """Hash the numbers of a figure; its picture keeps this in its metadata."""
    return hashlib.sha256(json.dumps(curves).encode()).hexdigest()[:16]


def draw(name: str, curves: Curves) -> None:
    """Write NAME.svg: accuracy against cost, or a row a curve where each has one point."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    picture = PICTURES[name]
    with matplotlib.rc_context(STYLE | list_lean_fonts() | {"svg.hashsalt": name}):
        figure = Figure(figsize=(6.2, 3.6 if picture.axis else 2.2), layout="constrained")
        FigureCanvasSVG(figure)
        ax = figure.subplots()
        for number, (label, points) in enumerate(curves.items()):
            xs, ys, lows, highs = zip(*points, strict=True)
            style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 5.5, "label": label}
            if not picture.axis:
                sides = [[ys[0] - lows[0]], [highs[0] - ys[0]]]
                ax.errorbar(ys, [label], xerr=sides, linestyle="", capsize=3, **style)
                continue
            ax.plot(xs, ys, linestyle=LINES[number % len(LINES)], linewidth=1.6, markeredgecolor="white", **style)
            ax.fill_between(xs, lows, highs, color=COLOURS[number], alpha=0.10 if number < 2 else 0, linewidth=0)
        ax.set_title(picture.title)
        if picture.axis:
            ax.set_xscale("log")
            costs = sorted({x for points in curves.values() for x, *_ in points})
            ax.set_xticks(thin_out(costs), [f"{float(f'{x:.2g}'):g}" for x in thin_out(costs)], minor=False)
            ax.set_xticks([], minor=True)
            ax.set_xlabel(f"{picture.axis} (log scale); bands: 95 % intervals of the first two")
            ax.set_ylabel("accuracy, %")
            figure.legend(loc="outside lower center", ncols=2 if len(curves) < 5 else 3, frameon=False)
        else:
            ax.invert_yaxis()
            ax.set_xlabel("accuracy, %, with the 95 % interval")
        about = {"Date": None, "Description": f"numbers {hash_numbers(curves)}"}
        figure.savefig(FOLDER / f"{name}.svg", metadata=about)


def thin_out(costs: list[float]) -> list[float]:
    """Leave out costs that would be written over one another on a log axis."""
    kept: list[float] = []
    apart = max(1.25, (costs[-1] / costs[0]) ** (1 / 9))
    for cost in costs:
        if not kept or cost > apart * kept[-1]:
            kept.append(cost)
    return kept


def find_stale(names: Iterable[str]) -> Iterator[str]:
    """Find the figures whose numbers are not what the code gives now, and the pictures that show other numbers."""
    kept = json.loads(NUMBERS.read_text())
    for name in names:
        made = json.loads(json.dumps(PICTURES[name].make()))
        if differs(made, kept.get(name, {})):
            yield f"{name}: its numbers changed; run python docs/draw_strategies.py {name}"
        elif is_other_picture(name, kept[name]):
            yield f"{name}: its picture shows other numbers; run python docs/draw_strategies.py {name}"


def differs(made: dict[str, Any], kept: dict[str, Any]) -> bool:
    """Tell whether two figures show other numbers: other curves, or a number that is further off than rounding is."""
    if {label: len(points) for label, points in made.items()} != {label: len(points) for label, points in kept.items()}:
        return True
    pairs = ((a, b) for label in made for ours, theirs in zip(made[label], kept[label]) for a, b in zip(ours, theirs))
    return any(abs(a - b) > ROUNDING for a, b in pairs)


def is_other_picture(name: str, curves: dict[str, Any]) -> bool:
    """Tell whether NAME.svg was drawn from other numbers than these."""
    return f"numbers {hash_numbers(curves)}" not in (FOLDER / f"{name}.svg").read_text()


def main(words: list[str]) -> int:
    """Check the figures that are named, or draw them; all where none is."""
    names = [word for word in words if word not in ("--check", "--redraw")] or list(PICTURES)
    if unknown := [name for name in names if name not in PICTURES]:
        print(f"{unknown[0]}: no such figure; choose from {', '.join(PICTURES)}", file=sys.stderr)
        return 2
    if "--check" in words:
        stale = list(find_stale(names))
        print("\n".join(stale) or f"{len(names)} figures are up to date")
        return 1 if stale else 0
    kept = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    for name in names:
        if "--redraw" not in words:
            kept[name] = json.loads(json.dumps(PICTURES[name].make()))
        draw(name, kept[name])
        print(name, hash_numbers(kept[name]), flush=True)
    ordered = {name: kept[name] for name in PICTURES if name in kept}
    NUMBERS.write_text(json.dumps(ordered, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
