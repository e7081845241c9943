"""What a page shows of tournaments: one course of each item's, ready for JSON; static/games.js draws it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from judgescale.harness.finished.games import Course, read_courses
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.page.arms import PageArm
from judgescale.harness.types import JudgescaleError


def pack_games(run: FinishedRun, arms: Sequence[PageArm]) -> Mapping[tuple[str, str], list[dict[str, Any]]]:
    """Pack the games of a run by task and item, one entry for each of its arms that played some.

    arms: those of the run. Raises JudgescaleError where games.parquet is not of this run.
    """
    by_number = {arm.number: arm for arm in arms}
    courses, found = list(read_courses(run.folder)), dict[tuple[str, str], list[dict[str, Any]]]()
    gold = _find_gold(run, {course.about["number"] for course in courses})
    for course in courses:
        about = course.about
        arm = by_number.get(about["number"])
        if arm is None or arm.result.signature != about["signature"]:
            raise JudgescaleError(f"{run.folder}: games.parquet and summary.json are not of the same run")
        where = about["task"], about["item"]
        best = [i for i, value in enumerate(gold.get(where, ())) if value == max(gold[where])]
        found.setdefault(where, []).append(pack_course(course, arm, best))
    return found


def pack_course(course: Course, arm: PageArm, gold: Sequence[int]) -> dict[str, Any]:
    """Pack one course: what all games have in common, and each game as a list (GAME in static/games.js names it).

    gold: the best responses; empty where nobody knows.
    """
    about = course.about
    return {
        "arm": arm.place,
        "name": arm.name,
        "k": about["k"],
        "replays": about["replays"],
        "score": about["score_name"],
        "start": about["start"],
        "lives": about["lives"],
        "byVerdicts": about["by_verdicts"],
        "gold": list(gold),
        "final": list(course.final),
        "games": [
            [
                *(row[name] for name in ("round", "first", "second", "judgments", "won_first", "won_second", "tied")),
                *(round(row[name], 6) for name in ("score_first", "score_second")),
                row["winner"],
                through,
            ]
            for row, through in zip(course.games, course.through, strict=True)
        ],
    }


def _find_gold(run: FinishedRun, numbers: Collection[int]) -> dict[tuple[str, str], Sequence[float]]:
    """Find the gold of what arms judged: from texts, or from credits.parquet, where each item is a unit of its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    credits, first = run.credits, dict[tuple[str, str], Sequence[float]]()
    credits = credits.filter(pc.is_in(credits["number"], pa.array(sorted(numbers), credits["number"].type)))
    names = ("task", "item", "gold")
    for task, item, gold in zip(*(credits.column(name).to_pylist() for name in names), strict=True):
        first.setdefault((task, item), gold)
    tasks = {run.results[number - 1].task for number in numbers if 0 < number <= len(run.results)}
    of_texts = {(task, name): item.gold for task in tasks for name, item in run.items.get(task, {}).items()}
    return first | of_texts
