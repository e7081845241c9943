"""Read the results of a finished run back from its folder: what tables, figures and reports are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.summary import read_summary
from judgescale.harness.types import CurvePoint, Estimate, JudgescaleError, Published, Result

OWN = ("task", "arm", "number", "signature")  # columns of credits.parquet that a result gives itself


def read_results(folder: Path, credits: bool = False) -> list[Result]:
    """Read the arms of a run's folder, in order, without their judgments; `credits` with what every unit earned.

    Raises JudgescaleError where it holds no finished run, or one of a version that did not write the whole curve.
    """
    arms = read_summary(folder, counts=("k", "items", "seed"))
    columns = read_credits(folder) if credits else {}
    return [read_result(arm, folder, number, columns.get(number)) for number, arm in enumerate(arms, 1)]


def read_result(
    arm: Mapping[str, Any], folder: Path, number: int, credits: Mapping[str, Sequence[Any]] | None = None
) -> Result:
    """Read one arm of summary.json, the so-manieth. Raises JudgescaleError where it is not what a run writes."""
    if "curve" not in arm:
        raise JudgescaleError(
            f"{folder}: an earlier version wrote this run: run the command of its summary.json again, which buys"
            " nothing that is in the store or in a recorded set"
        )
    try:
        return Result(
            judge=str(arm["judge"]),
            engine=str(arm["engine"]),
            strategy=str(arm["strategy"]),
            task=str(arm["task"]),
            seed=int(arm["seed"]),
            k=int(arm["k"]),
            items=int(arm["items"]),
            signature=str(arm["signature"]),
            headline=read_estimate(arm["headline"]),
            sections={str(name): read_estimate(e) for name, e in arm["sections"].items()},
            subsets={str(name): read_estimate(e) for name, e in arm["subsets"].items()},
            curve=[read_point(point) for point in arm["curve"]],
            compute={name: None if value is None else float(value) for name, value in arm["compute"].items()},
            health=dict(arm["health"]),
            ceiling=dict(arm.get("ceiling") or {}),
            published=[read_published(row) for row in arm["published"]],
            comparable=dict(arm.get("comparable") or {}),
            notes=[str(note) for note in arm["notes"]],
            differences=[str(note) for note in arm["differences"]],
            details=dict(arm["details"]),
            judging=dict(arm["judging"] or {}),
            data=dict(arm["data"]),
            credits=credits or {},
            stops=bool(arm.get("stops")),
            thinking_budget=arm.get("thinking_budget"),
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        raise JudgescaleError(f"{folder}/summary.json: arm {number} is not what a run writes") from None


def read_estimate(entry: Mapping[str, Any]) -> Estimate:
    """Read a number of summary.json; what JSON cannot write, NaN, is null there."""
    ci = entry["ci"] and (read_number(entry["ci"][0]), read_number(entry["ci"][1]))
    error = float(entry.get("mc_error") or 0.0)
    return Estimate(str(entry["metric"]), read_number(entry["value"]), ci or None, int(entry["items"]), error)


def read_point(entry: Mapping[str, Any]) -> CurvePoint:
    """Read a point of the curve in summary.json."""
    tokens, flops, dollars = (
        None if (cost := entry[name]) is None else float(cost) for name in ("tokens", "flops", "dollars")
    )
    return CurvePoint(
        str(entry["section"]),
        int(entry["k"]),
        read_estimate(entry),
        read_number(entry["judgments"]),
        tokens,
        flops,
        can_split=bool(entry.get("can_split")),
        thinking_budget=entry.get("thinking_budget"),
        dollars_per_item=dollars,
    )


def read_published(row: Mapping[str, Any]) -> Published:
    """Read a printed number of summary.json."""
    return Published(**{f.name: row[f.name] for f in fields(Published)})


def read_number(value: float | None) -> float:
    """Read a number that may be unknown."""
    return nan if value is None else float(value)


def read_credits(folder: Path) -> dict[int, dict[str, Sequence[Any]]]:
    """Read the columns of credits.parquet, arm by arm, by the arms' numbers; nothing where there is no such file.

    Raises JudgescaleError where it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "credits.parquet"
    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path)
        numbers = np.asarray(table["number"].to_pylist(), dtype=np.int64)
        columns = {name: table[name].to_pylist() for name in table.column_names if name not in OWN}
        columns["decision"] = [np.array(row, dtype=np.float64) for row in columns["decision"]]  # None is NaN
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise JudgescaleError(f"{path}: not what a run writes: {str(error).splitlines()[0]}") from None
    found: dict[int, dict[str, Sequence[Any]]] = {}
    for number in np.unique(numbers).tolist():
        rows = np.flatnonzero(numbers == number).tolist()
        found[number] = {name: [values[row] for row in rows] for name, values in columns.items()}
    return found
