"""Importers of other people's result files: one module a format, found by looking into this folder.

A format module holds
  SUMMARY, EXAMPLE      one line each for --help          (its docstring is the longer help)
  TASKS                 the tasks its sets can serve
  recognises(source)    does this file look like mine? (for the message when it was given to another format)
  load(sources, options) -> Imported
and, where it needs them, add_options(parser). Adding a format is adding a file.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from judgescale.harness.recorded.source import Imported, Source, wrong


class Format(Protocol):
    """What a format module offers (add_options is optional, so it is not part of the protocol)."""

    SUMMARY: str
    EXAMPLE: str
    TASKS: tuple[str, ...]
    __doc__: str | None

    def recognises(self, source: Source) -> bool: ...

    def load(self, sources: Sequence[Source], options: argparse.Namespace) -> Imported: ...


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))


def get(name: str) -> Format:
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def refuse_others(mine: str, sources: Sequence[Source]) -> None:
    """Stop with a pointer to the right format when a file plainly belongs to another one."""
    module = get(mine)
    for source in sources:
        if module.recognises(source):
            continue
        others = [name for name in names() if name != mine and get(name).recognises(source)]
        hint = f"looks like the format {' or '.join(others)}" if others else "is of no format known here"
        fields = ", ".join(map(str, list(source.first())[:8])) or "no fields"
        wrong(source, None, None, f"is not a {mine} file ({fields}); it {hint}: {_advice(mine, others)}")


def _advice(mine: str, others: Sequence[str]) -> str:
    if others:
        return f"use: python -m harness.recorded import {others[0]}"
    if mine == "jsonl":
        return "see: python -m harness.recorded import jsonl --help"
    return "see: python -m harness.recorded import --help; the plain format jsonl takes anything"
