"""A store as one Parquet file, to be carried elsewhere and taken in there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from judgescale.harness.store.store import FIELDS, Question, Store, row_digest
from judgescale.harness.types import JudgescaleError, Output

BATCH = 2_000  # rows in memory at a time, and in one transaction


def _columns() -> Any:
    """The Parquet schema of an export."""
    import pyarrow as pa

    kinds = {
        name: pa.string() for name in ("settings", "request", "created", "text", "reasoning", "finish", "logprobs")
    }
    kinds |= {
        "key": pa.binary(),
        "rank": pa.int64(),
        "score": pa.float64(),
        "seconds": pa.float64(),
        "shared": pa.bool_(),
    }
    names = ["settings", "request", "key", "rank", "digest", "created", *FIELDS]
    return pa.schema([(name, kinds.get(name, pa.int64())) for name in names], metadata={b"judgescale": b"store 1"})


def export(path: Path, out: Path) -> int:
    """Write every answer to a Parquet file; how many there are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise JudgescaleError(f"{path}: no such store")
    temporary, count = out.with_name(f".{out.name}.tmp"), 0
    try:
        with Store(path, readonly=True) as store, pq.ParquetWriter(temporary, _columns(), compression="zstd") as file:
            for rows in batched(store.rows()):
                file.write_table(pa.Table.from_pylist(rows, schema=_columns()))
                count += len(rows)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def batched(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def bring_in(file: Path, path: Path) -> tuple[int, int]:
    """Add the answers of an exported file to a store: (how many are new, how many the file has).

    Every row is checked before the first is written; an answer that the store has already stays as it is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            if not parquet.schema_arrow.equals(_columns(), check_metadata=True):
                raise JudgescaleError(
                    f"{file}: no export of a store; a recorded set is read with engine=recorded engine.path={file}"
                )
            rows = list(_answers(file, parquet, keep=None))
            with Store(path) as store:
                before = store.size()
                for _ in _answers(file, parquet, keep=store):
                    store.flush()
                return store.size() - before, sum(rows)
    except (pa.ArrowException, OSError) as error:
        raise JudgescaleError(f"{file}: not a Parquet file ({str(error).splitlines()[0]})") from None


def _answers(file: Path, parquet: Any, keep: Store | None) -> Iterator[int]:
    """Check every row, and keep it where a store is given; how many there were, batch by batch."""
    number = 0
    for batch in parquet.iter_batches(BATCH):
        for row in batch.to_pylist():
            number += 1
            try:
                answer = _imported(row)
            except ValueError as error:
                raise JudgescaleError(f"{file}, row {number}, field {error}") from None
            if keep:
                keep.keep(*answer)
        yield len(batch)


def _imported(row: Mapping[str, Any]) -> tuple[Question, int, Output]:
    """What to keep of a row of an exported file; ValueError, naming the field, where no export has such a row."""
    question = Question.read(row["settings"] or "", row["request"] or "")
    if question.key != row["key"]:
        raise ValueError("key: does not belong to its settings and request")
    if row["rank"] is None or row["rank"] < 0:
        raise ValueError(f"rank: {row['rank']} is none")
    if row["finish"] not in ("stop", "length", "refused"):
        raise ValueError(f"finish: {row['finish']} is none")
    given = {name: row[name] for name in FIELDS}
    if row_digest([row["key"], row["rank"], *given.values()]) != row["digest"]:
        raise ValueError("digest: the row is not as it was exported")
    if given["logprobs"] is not None:
        try:
            given["logprobs"] = {label: float(p) for label, p in json.loads(given["logprobs"]).items()}
        except (ValueError, TypeError, AttributeError):
            raise ValueError("logprobs: must be JSON, labels to numbers") from None
    return question, row["rank"], Output(**given)
