"""List what others printed for each benchmark, and which judgments of it ship, as a table for docs/benchmarks.md.

python docs/list_benchmarks.py              print the table
python docs/list_benchmarks.py --write      put it into docs/benchmarks.md, between its two marks
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a checkout that is not installed

import pyarrow.parquet as pq  # noqa: E402

from judgescale.harness.published.lists import normalise_benchmark, read_printed  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- printed: python docs/list_benchmarks.py --write -->", "<!-- end of printed -->"
NAMES = {  # what the lists of printed numbers call a benchmark, where its folder is called otherwise
    "ppe_best_of_k": ("ppebon32",),
    "realmistake": ("realmistake", "realmistakesc"),
}


class Card(NamedTuple):
    """Hold what is known of a benchmark besides its card."""

    name: str
    title: str
    rows: int
    judges: int
    sets: tuple[str, ...]


def read_cards() -> Iterator[Card]:
    """Read which printed numbers and recorded sets there are of each benchmark that has a card."""
    folders = sorted(path.parent for path in (ROOT / "tasks").glob("*/README.md"))
    printed = [(normalise_benchmark(row.benchmark), row.model) for row, _ in read_printed()]
    sets = {name: {find_folder(task) for task in tasks} for name, tasks in _read_sets()}
    for folder in folders:
        names = NAMES.get(folder.name, (re.sub(r"\W|_", "", folder.name),))
        judges = [model for benchmark, model in printed if benchmark in names]
        shipped = [name for name, of in sets.items() if folder.name in of]
        title = (folder / "README.md").read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        yield Card(folder.name, title, len(judges), len(set(judges)), tuple(shipped))


def find_folder(task: str) -> str:
    """Find the folder in tasks/ of a task, as its config names it."""
    config = (ROOT / "conf" / "task" / f"{task}.yaml").read_text(encoding="utf-8")
    found = re.search(r"_target_: judgescale\.tasks\.(\w+)", config)
    assert found, f"conf/task/{task}.yaml names no benchmark"
    return found[1]


def _read_sets() -> Iterator[tuple[str, list[str]]]:
    """Read the names of the recorded sets that ship, with the tasks that each is for."""
    for file in sorted((ROOT / "results" / "recorded").glob("*.parquet")):
        about = json.loads(pq.read_schema(file).metadata[b"judgescale"])
        yield file.stem, about["tasks"]


def write_table() -> str:
    """Write the table."""
    lines = ["| card | printed numbers | of judges | recorded sets that ship |", "|---|---:|---:|---|"]
    for card in read_cards():
        sets = ", ".join(f"`{name}`" for name in card.sets) if card.name != "custom" else "any"
        counts = f"{card.rows:,} | {card.judges:,}" if card.rows else "– | –"
        lines.append(f"| [{card.title}](../tasks/{card.name}/README.md) | {counts} | {sets or '–'} |")
    return "\n".join(lines)


def replace_table(page: str, table: str) -> str:
    """Return the page with this table between its marks."""
    return re.sub(
        f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", lambda _: f"\n{table}\n\n", page, flags=re.DOTALL
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(replace_table(PAGE.read_text(encoding="utf-8"), write_table()), encoding="utf-8")
    else:
        print(write_table())
