"""From other people's files to one set: open, recognise, import, check, write."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from judgescale.harness.recorded import describe, formats
from judgescale.harness.recorded.sets import write
from judgescale.harness.recorded.source import Row, Source, common_names, open_source, wrong
from judgescale.harness.types import JudgescaleError, Record

ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")


def open_all(format_name: str, paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Source], list[str]]:
    """The files, and those in folders that are of this format, with a remark on what was passed over.

    A file named outright must be of this format.
    """
    module = formats.get(format_name)
    sources: list[Source] = []
    notes: list[str] = []
    for path in map(Path, paths):
        if not path.is_dir():
            source = open_source(path)
            formats.refuse_others(format_name, [source])
            sources.append(source)
            continue
        inside = [
            open_source(file) for file in sorted(path.rglob("*")) if file.name.endswith(ENDINGS) and file.is_file()
        ]
        found = [source for source in inside if module.recognises(source)]
        if not found:
            wrong(path, None, None, f"no {format_name} file among its {len(inside)} JSON files")
        sources.extend(found)
        if others := [source.path.name for source in inside if source not in found]:
            few = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            notes.append(f"{path}: {len(others)} of {len(inside)} JSON files are not of this format ({few})")
    seen: dict[str, Source] = {}
    for source in sources:
        named = source.path.absolute().as_posix() if getattr(module, "NAMED_BY_PATH", False) else ""
        twin = seen.setdefault(source.sha256 + named, source)
        if twin is not source:
            wrong(source, None, None, f"has the same content as {twin.path}: it would count every judgment twice")
    return sources, notes


def import_files(
    format_name: str,
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: argparse.Namespace | None = None,
    about: Mapping[str, Any] | None = None,
) -> tuple[list[Record], dict[str, Any], tuple[str, ...]]:
    """Write a set and return its records, its metadata and what the importer had to remark.

    `about` overrides what would be counted or guessed: name, varies, pool, sources, note, …
    """
    defaults = {"judge": None, "subset": None, "variant": None, "field": None, "models": None}
    options = argparse.Namespace(**{**defaults, **(vars(options) if options is not None else {})})
    if not str(out).endswith(".parquet"):
        raise JudgescaleError(f"--out {out}: a set is a Parquet file; name it SET.parquet")
    sources, passed_over = open_all(format_name, paths)
    imported = formats.get(format_name).load(sources, options)
    rows = list(imported.rows)
    _check(rows)
    records = [row.record for row in rows]
    custom = ("custom",) if all(record.gold is not None for record in records) else ()
    used = [source for source in sources if not any(source is unused for unused in imported.unused)]
    files = [
        {"name": name.removesuffix(".gz"), "sha256": source.sha256}
        for name, source in zip(common_names(used), used, strict=True)
    ]
    meta: dict[str, Any] = {
        "name": Path(out).name.removesuffix(".parquet"),
        "format": format_name,
        "tasks": list(dict.fromkeys(imported.tasks + custom)),
        "varies": describe.varies(describe.summarise(records)),
        "pool": imported.pool,
        "order": describe.order(records),
        "sources": [{"repo": "", "commit": "", "licence": "", "path": "", "files": files}],
        "note": "; ".join(imported.notes),
    }
    for key, value in (about or {}).items():
        if key == "sources":
            meta["sources"] = [{**source, "files": files} for source in value]
        elif key == "note" and meta["note"]:
            meta["note"] = f"{value} {meta['note']}."
        else:
            meta[key] = value
    write(out, records, meta)
    return records, meta, (*passed_over, *imported.notes, *_unread(rows))


def _unread(rows: Sequence[Row]) -> list[str]:
    """What could not be read as a verdict, by how often it occurs."""
    said = Counter(repr(row.said)[:40] for row in rows if row.record.judgment.status == "unparsed" and row.said)
    if not said:
        return []
    most = ", ".join(f"{value} x{count}" for value, count in said.most_common(5))
    return [f"{sum(said.values()):,} verdicts could not be read and count as unparsed: {most}"]


def _check(rows: Sequence[Row]) -> None:
    """What only the whole shows, said with both places: the same judgment twice, one item described in two ways."""
    seen: dict[tuple[Any, ...], Row] = {}
    items: dict[str, Row] = {}
    if not rows:
        raise JudgescaleError("no judgments in these files")
    for row in rows:
        record, judgment = row.record, row.record.judgment
        first = items.setdefault(record.prompt, row)
        for field in ("responses", "gold", "cluster", "subset"):
            ours, theirs = getattr(record, field), getattr(first.record, field)
            if ours != theirs:
                wrong(
                    row.source,
                    row.number,
                    field,
                    f"{_plain(ours)} for item {record.prompt!r}, but {_plain(theirs)} in {_place(row, first)}; "
                    "every row of an item must agree",
                )
        key = (record.prompt, judgment.judge, judgment.variant, judgment.shown, judgment.sample)
        twin = seen.setdefault(key, row)
        if twin is not row:
            wrong(
                row.source,
                row.number,
                None,
                f"the same judgment as {_place(row, twin)} (item {record.prompt!r}, judge {judgment.judge!r}); "
                "drop one of them, or import each file into a set of its own, with --judge",
            )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else "nothing" if value is None else repr(value)


def _place(row: Row, other: Row) -> str:
    return f"row {other.number}" if other.source is row.source else f"{other.source.path}, row {other.number}"
