"""What exports to other tools read of an arm: its judgments, what each earns alone, and what its decisions earned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isclose, isfinite
from typing import TYPE_CHECKING, Any

from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.report.readings import group_by_task, name_arms
from judgescale.harness.types import Estimate, Item, Result

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
BATCH = 250  # judgments in memory with their texts, as Python objects; Inspect compares each with all of its batch
Z = 1.959963984540054  # half of a 95 % interval in standard errors
THOUGHT = re.compile(r"\s*(?:<think>)?(.*?)(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True)
class ExportedArm:
    """Hold an arm of a run as exports read it."""

    number: int  # its place in summary.json's "arms", from 1
    name: str  # of its own within its task
    result: Result
    summary: Mapping[str, Any]
    judgments: pa.Table  # its rows of judgments.parquet
    own: Sequence[float | None]  # what each of these earns alone; None where that is not defined
    units: Sequence[Row]  # its rows of credits.parquet at the headline's k
    items: Mapping[str, Item]  # with their texts, where these are to be had
    no_texts: str  # why they are not


def list_exported_arms(run: FinishedRun) -> list[ExportedArm]:
    """List the arms of a run with what belongs to each."""
    names = {task: iter(name_arms(of_task)) for task, of_task in group_by_task(run.results).items()}
    import pyarrow as pa
    import pyarrow.compute as pc

    read = sorted({1, *(result.k for result in run.results)})
    credits: dict[int, list[Row]] = {}
    for row in run.credits.filter(pc.is_in(run.credits["k"], pa.array(read, run.credits["k"].type))).to_pylist():
        credits.setdefault(row["number"], []).append(row)
    tables = [choose_judgments(run, result) for result in run.results]
    arms = []
    for number, (result, table) in enumerate(zip(run.results, tables, strict=True), 1):
        alike = [n for n, other in enumerate(tables, 1) if are_alike(other, table)]
        singles: dict[str, list[float]] = {}
        for row in (row for n in (number, *alike) for row in credits.get(n, ()) if row["k"] == 1):
            singles.setdefault(row["item"], []).append(row["credit"])
        arms.append(
            ExportedArm(
                number=number,
                name=next(names[result.task]),
                result=result,
                summary=run.summary[number - 1],
                judgments=table,
                own=credit_alone(table, result.signature, singles),
                units=[row for row in credits.get(number, ()) if row["k"] == result.k],
                items=run.items.get(result.task, {}),
                no_texts=flatten_text(run.missing.get(result.task, "")),
            )
        )
    return arms


def are_alike(table: pa.Table, other: pa.Table) -> bool:
    """Tell whether two arms read the same judgments."""
    names = ["task", "item", "judge", "variant", "sample", "shown"]
    return len(table) == len(other) and bool(table.select(names) == other.select(names))


def choose_judgments(run: FinishedRun, result: Result) -> pa.Table:
    """Choose an arm's rows of judgments.parquet, by its task, and the judges and variants of its signature."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = run.judgments.filter(pc.equal(run.judgments["task"].cast(pa.string()), result.task))
    signed = dict(part.partition(":")[::2] for part in result.signature.split("|"))
    for column, said in (("judge", signed.get("judge", "")), ("variant", signed.get("variants", ""))):
        there = set(table[column].to_pylist())
        listed = re.split(r"[+,]", said.partition("@")[0]) if said else ()
        chosen = (there & {result.judge} if column == "judge" else set()) or there & set(listed) or there
        table = table.filter(pc.is_in(table[column].cast(pa.string()), value_set=pa.array(sorted(chosen), pa.string())))
    return table


def credit_alone(table: pa.Table, signature: str, singles: Mapping[str, Sequence[float]]) -> list[float | None]:
    """Credit each judgment as if it alone had decided; None where that is not defined, or cannot be confirmed.

    singles: what items earned with one judgment, in arms that read these judgments. A task may credit by a rule of its
    own, which a run's files do not hold: an item's judgments have credits here where their mean is what it earned.
    """
    rules = dict(re.findall(r"\b(tie|failure)=([\w.+-]+)", signature))
    failure = float(rules["failure"]) if re.fullmatch(r"[\d.]+(e-?\d+)?", rules.get("failure", "")) else None
    rows = table.select(["item", "shown", "scores", "gold", "status"]).to_pylist()
    wide: dict[str, int] = {}
    for row in rows:
        wide[row["item"]] = max(wide.get(row["item"], 0), *(place + 1 for place in row["shown"]), 0)
    found: list[float | None] = []
    of_item: dict[str, list[float | None]] = {}
    for row in rows:
        whole = len(row["shown"]) == wide[row["item"]]
        found.append(credit_scores(row, rules.get("tie", ""), failure) if whole else None)
        of_item.setdefault(row["item"], []).append(found[-1])
    sure = set()
    for item, own in of_item.items():
        said = [value for value in own if value is not None]
        mean = sum(said) / len(said) if said and len(said) == len(own) else float("nan")
        if any(isclose(mean, single, abs_tol=1e-6) for single in singles.get(item, ())):
            sure.add(item)
    return [own if row["item"] in sure else None for row, own in zip(rows, found, strict=True)]


def credit_scores(row: Mapping[str, Any], tie: str, failure: float | None) -> float | None:
    """Credit the scores of one judgment by the common rule; None where that says nothing of it."""
    scores, gold = row["scores"], row["gold"]
    if row["status"] != "ok" or not scores or any(score is None or not isfinite(score) for score in scores):
        return failure
    if len(scores) == 1:
        return float((scores[0] > 0.5) == (gold[0] >= 1))
    if tie == "task":
        same = len(scores) == 2 and _sign(scores[0] - scores[1]) == _sign(gold[0] - gold[1])
        return float(same) if len(scores) == 2 else None
    top = [right >= 1 for score, right in zip(scores, gold, strict=True) if score == max(scores)]
    share = sum(top) / len(top)
    return share if share in (0, 1) else {"zero": 0.0, "half": 0.5, "share": share}.get(tie)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def read_batches(arm: ExportedArm) -> Iterator[list[tuple[Row, float | None]]]:
    """Read an arm's judgments, a batch at a time, each with what it earns alone."""
    for start in range(0, len(arm.judgments), BATCH):
        rows = arm.judgments.slice(start, BATCH).to_pylist()
        yield list(zip(rows, arm.own[start : start + BATCH], strict=True))


def list_responses(arm: ExportedArm) -> dict[str, tuple[list[str], list[float | None]]]:
    """List the names of every judged item's responses and their gold, as far as a judgment saw them."""
    seen: dict[str, dict[int, tuple[str, float]]] = {}
    for row in arm.judgments.select(["item", "shown", "responses", "gold"]).to_pylist():
        of_item = seen.setdefault(row["item"], {})
        of_item |= {p: (n, g) for p, n, g in zip(row["shown"], row["responses"], row["gold"], strict=True)}
    found = {}
    for item, places in seen.items():
        pairs = [places.get(place, ("?", None)) for place in range(max(places, default=-1) + 1)]
        found[item] = ([name for name, _ in pairs], [gold for _, gold in pairs])
    return found


def name_unit_items(arm: ExportedArm) -> dict[str, list[str]]:
    """Name the judged items of every unit: most often itself; several where they are only scored together."""
    judged: dict[str, tuple[str, str]] = {}
    for row in arm.judgments.select(["item", "subset", "cluster"]).to_pylist():
        judged[row["item"]] = (row["subset"], row["cluster"])
    together: dict[tuple[str, str], list[str]] = {}
    for item, key in judged.items():
        together.setdefault(key, []).append(item)
    return {
        unit["item"]: [unit["item"]] if unit["item"] in judged else together.get((unit["subset"], unit["cluster"]), [])
        for unit in arm.units
    }


def mark_best(gold: Sequence[float | None]) -> str | list[str]:
    """Mark the right responses, as letters in the set's order; of a lone one, whether it has what is asked."""
    known = [value for value in gold if value is not None]
    if len(gold) == 1:
        return "" if not known else "yes" if known[0] >= 1 else "no"
    best = [name_place(p, len(gold)) for p, v in enumerate(gold) if v is not None and 0 < v == max(known)]
    return best[0] if len(best) == 1 else best or ""


def name_place(place: int, of: int) -> str:
    """Name a response by its place: a letter, as most tools have, or a number from 1 where these run out."""
    return chr(ord("A") + place) if of <= 26 else str(place + 1)


def find_standard_error(estimate: Estimate) -> float | None:
    """Find the standard error that an estimate's interval stands for: half its width in 1.96; None without one."""
    if estimate.ci is None or not all(map(isfinite, estimate.ci)):
        return None
    return (estimate.ci[1] - estimate.ci[0]) / (2 * Z)


def split_thought(text: str) -> tuple[str, str]:
    """Split what a model wrote into its thought and its answer; a thought without an end is all there is."""
    if not text.lstrip().startswith("<think>") and "</think>" not in text:
        return "", text
    found = THOUGHT.match(text)
    assert found  # every part of it may be empty
    return found[1], text[found.end() :].lstrip()


def read_date(run: FinishedRun) -> datetime:
    """Read when a run ended; when its summary was written where it does not say."""
    if run.date:
        date = datetime.fromisoformat(run.date)
    else:
        date = datetime.fromtimestamp((run.folder / "summary.json").stat().st_mtime, UTC)
    return date if date.tzinfo else date.replace(tzinfo=UTC)
