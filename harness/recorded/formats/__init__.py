"""Importers of other people's result files: one module a format, found by looking into this folder.

Adding a format is adding a file: a module that declares itself as FORMAT, and whose docstring is its manual, with an
example row. What a format may do, beyond what every format must do, stands in `Format` with its default.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from judgescale.harness.recorded.source import Imported, Source, reject

if TYPE_CHECKING:
    import pyarrow as pa

Options = Mapping[str, str | None]  # what the command line said: "judge" for every format, and a format's own options


@dataclass(frozen=True, kw_only=True)
class Format:
    """Declare one format of result files.

    `read_sources` reads the files of one import; what it yields is checked as a whole and written by `importing`.
    `recognises` looks at one file: is it of this format? A folder is searched with it, and a file that was given to
    another format is pointed to this one.
    """

    manual: str | None  # the module's docstring: the long help
    summary: str  # one line for the list of formats
    example: str  # one command line
    tasks: tuple[str, ...]  # that its sets can serve
    recognises: Callable[[Source], bool]
    read_sources: Callable[[Sequence[Source], Options], Imported]
    read_table: Callable[[Sequence[Source], Options], pa.Table | None] | None = None  # of Parquet files, by column;
    # it returns the table of a set, or None where it has to be read by row
    options: Mapping[str, str] = field(default_factory=dict)  # of the command line, beside --judge: name -> its help
    prompt: str = ""  # whose prompt its judges were asked with, where the format tells it
    named_by_path: bool = False  # the path says what a file is about: files of equal content may be about two things


def list_names() -> list[str]:
    """Return the names of all formats: those of the modules in this folder."""
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))


def find_format(name: str) -> Format:
    """Return the format of this name."""
    found: Format = importlib.import_module(f"{__name__}.{name}").FORMAT
    return found


def refuse_others(name: str, source: Source) -> None:
    """Raise JudgescaleError, with a pointer to the right format, where a file is not of the format of this name."""
    if find_format(name).recognises(source):
        return
    others = [other for other in list_names() if other != name and find_format(other).recognises(source)]
    hint = f"looks like the format {' or '.join(others)}" if others else "is of no format known here"
    fields = ", ".join(map(str, list(source.peek())[:8])) or "no fields"
    reject(source, None, None, f"is not a {name} file ({fields}); it {hint}: {_advise(name, others)}")


def _advise(name: str, others: Sequence[str]) -> str:
    if others:
        return f"use: judgescale recorded import {others[0]}"
    if name == "jsonl":
        return "see: judgescale recorded import jsonl --help"
    return "see: judgescale recorded import --help; the plain format jsonl takes anything"
