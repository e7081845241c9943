"""Read the Parquet files of a finished run, which may come from anywhere: what is damaged is told in one line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import JudgescaleError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc

Row = Mapping[str, Any]


def read_table(folder: Path, name: str, columns: Sequence[str], wanted: pc.Expression | None = None) -> pa.Table:
    """Read columns of a run's Parquet file. wanted: which of its rows; None = all.

    Raises JudgescaleError where there is no such file, or it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise JudgescaleError(f"{folder}: no {path.name}; run the command of summary.json again")
    try:
        there = set(pq.read_schema(path).names)
        if lacking := [column for column in columns if column not in there]:
            raise JudgescaleError(f"{path}: no column {lacking[0]}; run the command of summary.json again")
        return pq.read_table(path, columns=list(columns), filters=wanted)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise explain_damage(path, error) from None


def read_rows(
    folder: Path,
    name: str,
    columns: Sequence[str],
    may_be_empty: Collection[str],
    wanted: pc.Expression | None = None,
) -> list[Row]:
    """Read rows of a run's Parquet file, as `read_table`. Raises JudgescaleError also where a cell is empty."""
    path, table = folder / f"{name}.parquet", read_table(folder, name, columns, wanted)
    try:
        rows: list[Row] = table.to_pylist()
    except UnicodeDecodeError as error:
        raise explain_damage(path, error) from None
    for number, row in enumerate(rows, 1):
        if empty := [column for column in columns if row[column] is None and column not in may_be_empty]:
            raise JudgescaleError(f"{path}: row {number}, column {empty[0]}: empty, which no run writes")
    return rows


def explain_damage(path: Path, error: Exception) -> JudgescaleError:
    """Explain why a file cannot be read."""
    return JudgescaleError(f"{path}: no Parquet file that can be read: {flatten_text(str(error))}")
