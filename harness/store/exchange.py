"""Export a store to one Parquet file, to be carried elsewhere and imported into a store there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from judgescale.harness.store.store import FIELDS, NEW_FIELDS, VERSION, Question, Store, digest_row
from judgescale.harness.types import JudgescaleError, Output

BATCH = 2_000  # rows in memory at a time, and in one transaction


def _define_schema(version: int = VERSION) -> Any:
    """Return the Parquet schema of an export; that of version 1 had no NEW_FIELDS."""
    import pyarrow as pa

    kinds = {
        name: pa.string()
        for name in ("settings", "request", "created", "text", "reasoning", "finish", "logprobs", "steps")
    }
    kinds |= {
        "key": pa.binary(),
        "rank": pa.int64(),
        "score": pa.float64(),
        "seconds": pa.float64(),
        "shared": pa.bool_(),
    }
    fields = [name for name in FIELDS if version > 1 or name not in NEW_FIELDS]
    names = ["settings", "request", "key", "rank", "digest", "created", *fields]
    about = {b"judgescale": b"store %d" % version}
    return pa.schema([(name, kinds.get(name, pa.int64())) for name in names], metadata=about)


def export_answers(path: Path, out: Path) -> int:
    """Write every answer of a store to a Parquet file, all of it or nothing, and return how many there are.

    Raises JudgescaleError where there is no such store, or where it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        raise JudgescaleError(f"{path}: no such store")
    temporary, count = out.with_name(f".{out.name}.tmp"), 0
    try:
        schema = _define_schema()
        with Store(path, readonly=True) as store, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
            for rows in take_batches(store.read_rows()):
                try:
                    file.write_table(pa.Table.from_pylist(rows, schema=schema))
                except (pa.ArrowException, TypeError, OverflowError) as error:
                    raise JudgescaleError(f"store {path} is damaged ({str(error).splitlines()[0]})") from None
                count += len(rows)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def take_batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in lists of at most BATCH, so that a store may be larger than memory."""
    while batch := list(islice(rows, BATCH)):
        yield batch


def import_answers(file: Path, path: Path) -> tuple[int, int]:
    """Add the answers of an exported file to a store; return how many are new, and how many the file has.

    Every row is checked before the first is written; an answer that the store has already stays as it is.

    Raises JudgescaleError where the file is no export of a store, or where a row of it is not as it was exported.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            known = map(_define_schema, range(1, VERSION + 1))
            if not any(parquet.schema_arrow.equals(schema, check_metadata=True) for schema in known):
                raise JudgescaleError(
                    f"{file}: no export of a store; a recorded set is read with engine=recorded engine.path={file}"
                )
            rows = list(_check_answers(file, parquet, into=None))
            with Store(path) as store:
                before = store.count_answers()
                for _ in _check_answers(file, parquet, into=store):
                    store.flush()
                return store.count_answers() - before, sum(rows)
    except (pa.ArrowException, OSError) as error:
        raise JudgescaleError(f"{file}: not a Parquet file ({str(error).splitlines()[0]})") from None


def _check_answers(file: Path, parquet: Any, into: Store | None) -> Iterator[int]:
    """Check every row, and add it to the store where one is given; yield the number of rows, batch by batch."""
    number = 0
    for batch in parquet.iter_batches(BATCH):
        for row in batch.to_pylist():
            number += 1
            try:
                answer = _read_answer(row)
            except ValueError as error:
                raise JudgescaleError(f"{file}, row {number}, field {error}") from None
            if into:
                into.add_answer(*answer)
        yield len(batch)


def _read_answer(row: Mapping[str, Any]) -> tuple[Question, int, Output]:
    """Read one row of an exported file. Raises ValueError, naming the field, where no export has such a row."""
    question = Question.from_json(row["settings"] or "", row["request"] or "")
    if question.key != row["key"]:
        raise ValueError("key: does not belong to its settings and request")
    if row["rank"] is None or row["rank"] < 0:
        raise ValueError(f"rank: {row['rank']} is none")
    if row["finish"] not in ("stop", "length", "refused"):
        raise ValueError(f"finish: {row['finish']} is none")
    given: dict[str, Any] = {name: row.get(name) for name in FIELDS}
    if digest_row([row["key"], row["rank"], *given.values()]) != row["digest"]:
        raise ValueError("digest: the row is not as it was exported")
    if given["logprobs"] is not None:
        try:
            given["logprobs"] = {label: float(p) for label, p in json.loads(given["logprobs"]).items()}
        except (ValueError, TypeError, AttributeError):
            raise ValueError("logprobs: must be JSON, labels to numbers") from None
    if given["steps"] is not None:
        try:
            given["steps"] = tuple(map(float, json.loads(given["steps"])))
        except (ValueError, TypeError):
            raise ValueError("steps: must be JSON, a list of numbers") from None
    return question, row["rank"], Output(**given)
