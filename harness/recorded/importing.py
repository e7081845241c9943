"""Import other people's files as one set: open them, recognise their format, read, check and write."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from judgescale.harness.recorded import describe, formats
from judgescale.harness.recorded.columns import Columns, make_columns
from judgescale.harness.recorded.reading import read_by_column
from judgescale.harness.recorded.sets import write_set
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, open_source, reject, shorten_names
from judgescale.harness.types import HUMAN, JudgescaleError, Record

ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")  # of files that a folder is searched for


def import_files(
    format_name: str,
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    options: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> tuple[Columns, dict[str, Any], tuple[str, ...]]:
    """Write a set and return its columns, its metadata and what the importer had to remark.

    `options` holds what the command line said: the judge, and the format's own options. `about` overrides what would
    be counted or guessed: name, varies, pool, sources, note, …

    Raises JudgescaleError, and writes nothing, where a file cannot be read or its rows contradict each other.
    """
    format_ = formats.find_format(format_name)
    if not str(out).endswith(".parquet"):
        raise JudgescaleError(f"--out {out}: a set is a Parquet file; name it SET.parquet")
    sources, passed_over = open_sources(format_name, paths)
    said = {name: (options or {}).get(name) for name in ("judge", *format_.options)}
    table = format_.read_table(sources, said) if format_.read_table else None
    read: list[ImportedRecord] = []
    if table is not None and (found := read_by_column(table, pointwise=False)) is not None:
        columns, rows, imported = found, table, Imported(iter(()))
    else:
        imported = format_.read_sources(sources, said)
        read = list(imported.records)
        _check_agreement(read)
        rows = [each.record for each in read]
        columns = make_columns(rows)
    given, about, remarks = options or {}, about or {}, "; ".join(imported.notes)
    meta = {
        "name": Path(out).name.removesuffix(".parquet"),
        "format": format_name,
        "tasks": _list_tasks(format_, columns),
        "varies": describe.describe_variation(describe.summarise_judges(columns)),
        "pool": imported.pool,
        "order": describe.classify_order(columns),
        "sources": [{"repo": "", "commit": "", "licence": "", "path": ""}],
        "note": remarks,
        "prompts": _name_prompts(columns, given.get("prompt") or format_.prompt) or dict(imported.prompts),
        "temperature": imported.temperature if given.get("temperature") is None else given["temperature"],
        "pointwise": imported.pointwise,
        **about,
    }
    meta["sources"] = [{**source, "files": _list_files(sources, imported)} for source in meta["sources"]]
    if "note" in about and remarks:
        meta["note"] = f"{about['note']} {remarks}."
    write_set(out, rows, meta)
    return columns, meta, (*passed_over, *imported.notes, *_report_unread(read))


def import_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[list[Record], bool, str]:
    """Read judgments in memory, as rows of the format `jsonl`.

    Returns their records, whether each response was scored alone, and the rows' SHA-256.

    Raises JudgescaleError, naming the row and the field, as the import of a file does.
    """
    numbered = tuple(enumerate(map(dict, rows), 1))
    sha256 = hashlib.sha256(json.dumps(numbered, sort_keys=True, default=str).encode()).hexdigest()
    source = Source(Path("rows"), numbered, sha256)
    imported = formats.find_format("jsonl").read_sources([source], {"judge": None})
    read = list(imported.records)
    _check_agreement(read)
    return [each.record for each in read], imported.pointwise, sha256


def open_sources(format_name: str, paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Source], list[str]]:
    """Open the files, and of folders those that are of this format; return them with notes on what was passed over.

    Raises JudgescaleError where a file that was named outright is of another format, or where two files are the same.
    """
    format_ = formats.find_format(format_name)
    sources: list[Source] = []
    notes: list[str] = []
    for path in map(Path, paths):
        if not path.is_dir():
            source = open_source(path)
            formats.refuse_others(format_name, source)
            sources.append(source)
            continue
        files = sorted(file for file in path.rglob("*") if file.name.endswith(ENDINGS) and file.is_file())
        inside = [open_source(file) for file in files]
        found = [source for source in inside if format_.recognises(source)]
        if not found:
            reject(path, None, None, f"no {format_name} file among its {len(inside)} JSON files")
        sources.extend(found)
        if others := [source.path.name for source in inside if source not in found]:
            few = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            notes.append(f"{path}: {len(others)} of {len(inside)} JSON files are not of this format ({few})")
    _refuse_twins(sources, format_.named_by_path)
    return sources, notes


def _refuse_twins(sources: Sequence[Source], named_by_path: bool) -> None:
    """Raise JudgescaleError where two files have the same content, which would count every judgment twice."""
    seen: dict[tuple[str, str], Source] = {}
    for source in sources:
        path = source.path.absolute().as_posix() if named_by_path else ""
        twin = seen.setdefault((source.sha256, path), source)
        if twin is not source:
            reject(source, None, None, f"has the same content as {twin.path}: it would count every judgment twice")


def _list_tasks(format_: formats.Format, columns: Columns) -> list[str]:
    """List the tasks that a set can serve: task=custom too, where every item has its gold labels."""
    custom = ("custom",) if all(about.gold is not None for about in columns.items) else ()
    return list(dict.fromkeys(format_.tasks + custom))


def _name_prompts(columns: Columns, prompt: str) -> dict[str, str]:
    """Give every judge the same prompt, by judge; empty where nobody says which."""
    return {judge: prompt for judge in columns.judges if judge != HUMAN} if prompt else {}


def _list_files(sources: Sequence[Source], imported: Imported) -> list[dict[str, str]]:
    """List the files from which something was taken, with the SHA-256 of each."""
    used = [source for source in sources if not any(source is unused for unused in imported.unused)]
    return [
        {"name": name.removesuffix(".gz"), "sha256": source.sha256}
        for name, source in zip(shorten_names(used), used, strict=True)
    ]


def _report_unread(read: Sequence[ImportedRecord]) -> list[str]:
    """Say what could not be read as a verdict, by how often it occurs."""
    said = Counter(repr(r.said)[:40] for r in read if r.record.judgment.status == "unparsed" and r.said)
    if not said:
        return []
    most = ", ".join(f"{value} x{count}" for value, count in said.most_common(5))
    return [f"{sum(said.values()):,} verdicts could not be read and count as unparsed: {most}"]


def _check_agreement(read: Sequence[ImportedRecord]) -> None:
    """Reject what only the whole shows, with both places: an item described in two ways, the same judgment twice."""
    if not read:
        raise JudgescaleError("no judgments in these files")
    items: dict[str, ImportedRecord] = {}
    seen: dict[tuple[Any, ...], ImportedRecord] = {}
    for each in read:
        record, judgment = each.record, each.record.judgment
        _check_item(each, items.setdefault(record.prompt, each))
        key = (record.prompt, judgment.judge, judgment.variant, judgment.shown, judgment.sample)
        twin = seen.setdefault(key, each)
        if twin is not each:
            each.row.reject(
                None,
                f"the same judgment as {_name_place(twin, each)} (item {record.prompt!r}, judge {judgment.judge!r}); "
                "drop one of them, or import each file into a set of its own, with --judge",
            )


def _check_item(each: ImportedRecord, first: ImportedRecord) -> None:
    """Reject a record that describes its item otherwise than the first record about it."""
    for field in ("responses", "gold", "cluster", "subset"):
        ours, theirs = getattr(each.record, field), getattr(first.record, field)
        if ours != theirs:
            each.row.reject(
                field,
                f"{_spell(ours)} for item {each.record.prompt!r}, but {_spell(theirs)} in {_name_place(first, each)}; "
                "every row of an item must agree",
            )


def _spell(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else "nothing" if value is None else repr(value)


def _name_place(other: ImportedRecord, each: ImportedRecord) -> str:
    """Say where another record stands, as seen from this one."""
    number = other.row.number
    return f"row {number}" if other.row.source is each.row.source else f"{other.row.source.path}, row {number}"
