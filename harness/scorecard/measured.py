"""What finished runs say of a printed number: those of the same judge, made by the same strategy at the same k.

No other number of a run stands beside a printed one: a vote of eight says nothing of a vote of thirty-two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgescale.harness.finished.reading import read_arms, read_arms_of_summary, split_choice
from judgescale.harness.published.candidates import Candidate, read_candidates
from judgescale.harness.published.lists import (
    Row,
    find_rows,
    is_same_judge,
    is_shared_name,
    normalise_benchmark,
    normalise_subset,
)
from judgescale.harness.published.setting import count_votes, explain_difference
from judgescale.harness.types import JudgescaleError, Result

SAME = "same model, "  # how reasons begin; here the line says whose number it is


class Measured(NamedTuple):
    """Hold a number of a run, and which run it is of."""

    candidate: Candidate
    run: str  # its folder or set, and which arm of it
    signature: str
    headline: bool  # whether it is at the headline's k, and not a point of the curve before


def gather_from_results(results: Sequence[Result], run: str) -> list[Measured]:
    """Gather the numbers of results in hand."""
    arms = [{"comparable": r.comparable, "signature": r.signature, "k": r.k} for r in results]
    return gather_from_arms(arms, run)


def gather_from_arms(
    arms: Sequence[Mapping[str, Any]], run: str, numbers: Sequence[int] | None = None
) -> list[Measured]:
    """Gather the numbers of a run's arms, as summary.json holds them.

    numbers: each arm's place in the run, from 1, where these are not all of it. Raises JudgescaleError for a block that
    no run writes.
    """
    found = []
    for number, arm in zip(numbers or range(1, len(arms) + 1), arms, strict=True):
        if not (block := arm.get("comparable")):
            continue
        name = f"{run}:{number}" if len(arms) > 1 or numbers else run
        try:
            candidates = read_candidates(block)
        except JudgescaleError as error:
            raise JudgescaleError(f"{name}: {error}; run the command of summary.json again") from None
        found += [Measured(c, name, str(arm["signature"]), c.setting.k == arm["k"]) for c in candidates]
    return found


def find_measured(row: Row, measured: Iterable[Measured]) -> list[tuple[Measured, str]]:
    """Find the numbers that are of a printed one's judge, benchmark, section, metric, strategy and k, the best first.

    Beside each stands why the two may not be compared, empty where they may. Those that may come first, then those at
    their run's own k (of which more is known), then as they were given.
    """
    fitting = [m for m in measured if is_of_row(row, m.candidate)]
    found = [(m, explain_refusal(row, m.candidate)) for m in fitting]
    return sorted(found, key=lambda pair: (bool(pair[1]), not pair[0].headline))


def is_of_row(row: Row, candidate: Candidate) -> bool:
    """Tell whether a run's number is the one that was printed, as far as what and how it was decided go."""
    setting = candidate.setting
    return (
        normalise_benchmark(row.benchmark) == normalise_benchmark(candidate.benchmark)
        and is_same_judge(row.model, candidate.judge)
        and normalise_subset(row.subset) == normalise_subset(candidate.section)
        and row.metric == candidate.metric
        and count_votes(row.strategy, row.k) == count_votes(setting.strategy, setting.k)
        and (None in (row.k_meta, setting.k_meta) or row.k_meta == setting.k_meta)
    )


def explain_refusal(row: Row, candidate: Candidate) -> str:
    """Say in words why a printed number and a run's may not be compared; empty where they may."""
    if is_shared_name(find_rows(row.benchmark, metric=row.metric), candidate.judge):
        return f"several models are called {candidate.judge}"
    reasons = [candidate.why_not, explain_difference(row, candidate.setting, candidate.items).removeprefix(SAME)]
    return ", ".join(filter(None, reasons))


def read_runs(choices: Sequence[str]) -> list[Measured]:
    """Read what RUN, RUN:ARM and RUN:ARM@K give: finished runs, or recorded sets, which are evaluated first.

    RUN alone gives all arms of all tasks; @K only its numbers at that k. Raises JudgescaleError where there is no such
    run, arm or k, and for a run whose numbers nothing printed can be held against.
    """
    found: list[Measured] = []
    for choice in choices:
        path, wanted, k = split_choice(choice)
        if path.suffix == ".parquet" and path.is_file():
            from judgescale.harness.finished.sets import finish_set  # takes longer to load than a run to read

            with finish_set(path) as folder:
                found += read_run(folder, str(path), wanted, k)
        else:
            found += read_run(path, str(path), wanted, k)
    return found


def read_run(folder: Path, name: str, wanted: str = "", k: int | None = None) -> list[Measured]:
    """Read the numbers of a run's arms: of all, or of the one that is wanted; at every k, or at one."""
    arms, numbers = read_arms_of_summary(folder), None
    if wanted or k is not None:
        numbers = [judged.number for judged in read_arms(folder, wanted, k)]
        arms = [arms[number - 1] for number in numbers]
    if not any(arm.get("comparable") for arm in arms):
        raise JudgescaleError(
            f"{name}: nothing printed can be held against it: its benchmark has no printed numbers, or an earlier"
            " version wrote it (then run the command of its summary.json again)"
        )
    found = gather_from_arms(arms, name, numbers)
    return [m for m in found if k is None or m.candidate.setting.k == k]
