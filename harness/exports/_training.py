"""What the exports for trainers share: the arms, the texts, the split by cluster, the files and the warning."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgescale.harness.exports._arms import choose_judgments
from judgescale.harness.exports._files import clean, write_whole
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import Item, JudgescaleError, Result

Row = dict[str, Any]
KINDS = ("jsonl", "parquet")
TRAIN, HELD_OUT = "train", "held_out"


class ChosenArm(NamedTuple):
    """Hold an arm that is exported."""

    number: int  # its place in summary.json's "arms", from 1
    result: Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that all exports for trainers have."""
    several = "of the run's arms, by its number in summary.json, from 1; needed where a task has several"
    parser.add_argument("--arm", type=int, action="append", metavar="NUMBER", help=several)
    parser.add_argument("--as", dest="kind", choices=KINDS, default=KINDS[0], help="kind of file; jsonl if not said")
    share = "keep about this share of the clusters (near-duplicates are one) apart, in held_out.jsonl; 0 if not said"
    parser.add_argument("--hold-out", type=float, default=0.0, metavar="SHARE", help=share)


def choose_arms(run: FinishedRun, given: argparse.Namespace) -> list[ChosenArm]:
    """Choose the arms to export: those asked for, or all where no task has two.

    Raises JudgescaleError where there is no such arm, or a task has several and none is chosen; rows of several would
    be the same items again.
    """
    if not 0 <= given.hold_out < 1:
        raise JudgescaleError(f"--hold-out {given.hold_out:g}: give a share of the clusters, 0 or more and below 1")
    numbers = dict.fromkeys(given.arm or range(1, len(run.results) + 1))
    if wrong := [number for number in numbers if not 1 <= number <= len(run.results)]:
        raise JudgescaleError(f"--arm {wrong[0]}: {run.folder} has the arms 1 to {len(run.results)}")
    found = [ChosenArm(number, run.results[number - 1]) for number in numbers]
    for arm in found:
        alike = [other for other in found if other.result.task == arm.result.task]
        if len(alike) > 1:
            names = ", ".join(f"{a.number} {flatten_text(a.result.judge)}, {a.result.strategy}" for a in alike)
            raise JudgescaleError(f"{run.folder}: several arms judged the same items ({names}); choose one with --arm")
    return found


def get_items(run: FinishedRun, arm: ChosenArm) -> Mapping[str, Item]:
    """Return the items of an arm, with their texts. Raises JudgescaleError where there are none, saying what to do."""
    task = arm.result.task
    if found := run.items.get(task):
        return found
    why = run.missing.get(task, "they are not there")
    raise JudgescaleError(
        f"{run.folder}: trainers need the texts of task={flatten_text(task)}, and there are none ({why}): give them"
        " with --texts task.path=FILE_OR_FOLDER"
    )


def read_judgments(run: FinishedRun, arm: ChosenArm, items: Mapping[str, Item]) -> Iterator[tuple[Item, Row]]:
    """Read the judgments of an arm, each with its item; those that the engine could not get are left out."""
    for row in choose_judgments(run, arm.result).to_pylist():
        if row["status"] == "failed":
            continue
        yield items[row["item"]], row


def name_origin(arm: ChosenArm, row: Mapping[str, Any]) -> Row:
    """Name where a row comes from, so that it can be found, and left out, again."""
    of_item = {name: row[name] for name in ("task", "item", "subset", "cluster")}
    return of_item | {"judge": arm.result.judge, "signature": arm.result.signature}


def write_turn(role: str, content: str) -> dict[str, str]:
    """Write a turn as chat templates take it."""
    return {"role": role, "content": content}


def is_held_out(cluster: str, share: float) -> bool:
    """Tell whether a cluster is held out: always the same answer, and with a larger share the same ones and more."""
    digest = hashlib.sha256(cluster.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def write_arms(
    name: str,
    run: FinishedRun,
    folder: Path,
    given: argparse.Namespace,
    make_rows: Callable[[FinishedRun, ChosenArm, argparse.Namespace, Counter[str]], Iterable[Row]],
) -> list[Path]:
    """Write the rows of a run's arms, split by cluster, and about.json beside them.

    Print what was left out, and the warning. make_rows: of one arm; it counts what it leaves out.

    Raises JudgescaleError where no row is left, saying what became of them.
    """
    counts: Counter[str] = Counter()
    arms = choose_arms(run, given)
    rows = [row for arm in arms for row in make_rows(run, arm, given, counts)]
    told = ", ".join(f"{what} {count:,}" for what, count in counts.items() if count)
    if not rows:
        raise JudgescaleError(f"{run.folder}: no row is left to train on ({told or 'no judgments'})")
    split = {TRAIN: [row for row in rows if not is_held_out(row["cluster"], given.hold_out)]}
    split |= {HELD_OUT: [row for row in rows if is_held_out(row["cluster"], given.hold_out)]} if given.hold_out else {}
    tasks = ", ".join(dict.fromkeys(flatten_text(arm.result.task) for arm in arms))
    warning = f"these rows are test items of {tasks}: a model trained on them must not be measured on {tasks}"
    about = {
        "format": name,
        "warning": warning,
        "rows": {part: len(of_part) for part, of_part in split.items()},
        "counts": dict(counts),
        "arms": [{"number": a.number, "task": a.result.task, "signature": a.result.signature} for a in arms],
        "options": {n: v for n, v in vars(given).items() if n not in ("format", "runs", "out", "options")},
    }
    for old in (folder / f"{part}.{kind}" for part in (TRAIN, HELD_OUT) for kind in KINDS):
        old.unlink(missing_ok=True)  # of an export before: held-out rows of another split would be trained on
    paths = [write_rows(of_part, folder / f"{part}.{given.kind}") for part, of_part in split.items()]
    paths.append(write_whole(folder / "about.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n"))
    print(f"{len(rows):,} rows; {told}", file=sys.stderr)
    print(f"warning: {warning}", file=sys.stderr)
    return paths


def write_rows(rows: Sequence[Row], path: Path) -> Path:
    """Write rows as JSON Lines or Parquet, as the name says; the file appears whole or not at all."""
    draft = path.with_name(f".draft-{path.name}")
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([clean(row) for row in rows]), draft, compression="zstd")
    else:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.writelines(json.dumps(clean(row), ensure_ascii=False) + "\n" for row in rows)
    draft.replace(path)
    return path
