"""The files a run leaves behind, which other programs read: their columns and keys are a contract."""

from __future__ import annotations

import csv
import json
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import metadata
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from judgescale.harness import ROOT
from judgescale.harness.long_columns import Cut, JudgmentRows, Repeated, join_keys
from judgescale.harness.plain_text import defuse_formula
from judgescale.harness.redaction import redact_yaml
from judgescale.harness.report import tables
from judgescale.harness.report.readings import group_by_task, name_arms
from judgescale.harness.types import CurvePoint, Estimate, Published, Result

if TYPE_CHECKING:
    import pyarrow as pa

CURVE_HEADER = (
    "judge", "strategy", "task", "section", "k", "accuracy", "ci_low", "ci_high", "judgments_per_item",
    "tokens_per_item", "flops_per_item",
)  # fmt: skip
COMPUTE = ("judgments", "prompt_tokens", "completion_tokens", "flops", "seconds", "run_seconds", "dollars")
HEALTH = (
    "unparseable",
    "ties",
    "order_flips",
    "failed",
    "tied_decisions",
    "order",
    "length",
    "agreement",
    "calibration",
)
JUDGMENT = {  # columns of judgments.parquet
    "task": "str", "item": "str", "subset": "str", "cluster": "str", "weight": "float", "tie_credit": "float",
    "judge": "str", "variant": "str", "sample": "int", "shown": "list", "responses": "list", "scores": "list",
    "gold": "list", "status": "str", "meta": "float", "prompt_tokens": "int", "completion_tokens": "int",
    "chars": "int", "text": "str",
}  # fmt: skip
CREDIT = {  # columns of credits.parquet: a row a unit (what is scored at once, most often an item) and k of every arm
    "task": "str",
    "arm": "str",  # a name of its own within the task
    "number": "int",  # its place in summary.json's "arms", from 1
    "signature": "str",  # of the arm; its k is the headline's
    "item": "str",
    "subset": "str",
    "section": "str",
    "cluster": "str",
    "weight": "float",  # the unit's share in the headline; they sum to 1
    "subset_weight": "float",  # what its subset counts within the section; empty = each unit counts as one
    "section_weight": "float",  # what its section counts in the headline; empty = the headline is a mean over units
    "gold": "list",  # of each response, in the set's order; of a unit of several items, one item after the other
    "k": "int",
    "credit": "float",  # expected over all choices of k judgments
    "credit_by_lot": "float",  # if every tie were broken by lot, and both labels of lone responses weighed alike
    "judgments": "float",  # that the decision took, on average
    "decision": "chances",  # how likely each response is the one chosen, m tied ones 1/m each; empty = nothing usable
}  # fmt: skip
GAME = {  # columns of games.parquet: a row a game of one course of each item's tournament, at the headline's k
    "task": "str",
    "arm": "str",  # as in credits.parquet
    "number": "int",
    "signature": "str",
    "item": "str",
    "k": "int",
    "replays": "int",  # of which this is the first; 1 = it was played so, and not replayed
    "round": "int",  # from 1: games that were asked together
    "game": "int",  # from 1 within the item
    "first": "int",  # index of a response, from 0
    "second": "int",
    "judgments": "int",  # that the game was given
    "won_first": "int",  # how many of them score the first one higher; what is neither won nor tied was unusable
    "won_second": "int",
    "tied": "int",
    "score_first": "float",  # summed over usable judgments
    "score_second": "float",
    "winner": "int",  # index of a response; empty = tied
    "final": "list",  # the decision's score of each response, in the item's first row; empty elsewhere
    "score_name": "str",  # what that score is
    "start": "float",  # the score of who has played nothing
    "lives": "int",  # after so many lost games a response is out; empty = nobody drops out
    "by_verdicts": "bool",  # whether the count of judgments decides a game, and not the sum of scores
}
BATCH = 2_000  # rows of judgments.parquet in memory with their texts
WHOLE = 2**16  # rows of a group of rows, where there are no texts
PACKAGES = ("numpy", "scipy", "scikit-learn", "pyarrow", "hydra-core")
DRAFT = ".draft-"  # how the names of folders begin in which files are written; a killed run leaves one behind


def write_files(
    results: Sequence[Result],
    folder: Path,
    config_yaml: str,
    command: str | None = None,
    more: Mapping[str, str] | None = None,
    made_of: Mapping[str, Any] | None = None,
    judgments: bool = True,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Write every file of a run into a folder. Files appear whole or not at all; summary.json comes last.

    command: the command line that made them, where there was one. more: texts of further files, by name. made_of:
    digests of what went in (harness/resume.py). judgments: whether to write judgments.parquet too. finish: writes what
    is made of the other files, into the folder in which they stand until all do.
    """
    from judgescale.harness.report import figure, reliability

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=DRAFT) as scratch:
        draft = Path(scratch)
        _write_curve(results, draft / "curve.csv")
        if judgments:
            write_judgments(results, draft / "judgments.parquet")
        write_credits(results, draft / "credits.parquet")
        write_games(results, draft / "games.parquet")
        (draft / "table.md").write_text(tables.render_markdown(results), encoding="utf-8")
        (draft / "table.tex").write_text(tables.render_latex(results), encoding="utf-8")
        (draft / "table.csv").write_text(tables.render_csv(results), encoding="utf-8", newline="")
        figure.draw_figure(results, draft)
        reliability.draw_reliability(results, draft)
        for name, content in (more or {}).items():
            (draft / name).write_text(content, encoding="utf-8", newline="")
        (draft / "config.yaml").write_text(redact_yaml(config_yaml), encoding="utf-8")
        made: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "command": command}
        made |= {"made_of": dict(made_of)} if made_of else {}
        text = json.dumps(make_summary(results) | made, indent=2, allow_nan=False, ensure_ascii=False)
        (draft / "summary.json").write_text(text + "\n", encoding="utf-8")
        if finish:
            finish(draft)
        if not (draft / "games.parquet").exists():
            (folder / "games.parquet").unlink(missing_ok=True)  # of a run before that played some
        for path in sorted(draft.iterdir(), key=lambda p: p.name == "summary.json"):
            path.replace(folder / path.name)


def make_summary(results: Sequence[Result]) -> dict[str, Any]:
    """Make the contents of summary.json: the first arm at the top level, every arm under "arms"."""
    versions = list_versions()
    arms = [_summarise_arm(result, versions) for result in results]
    return {**arms[0], "arms": arms}


def list_versions() -> dict[str, str | None]:
    """List the versions of what computed the numbers, by package; None where one is not installed."""
    own = _find_package_version("judgescale") or _read_checkout_version()
    found = {"judgescale": own, "python": platform.python_version()}
    return found | {name: _find_package_version(name) for name in PACKAGES}


def merge_judgments(results: Sequence[Result]) -> tuple[pa.Table, list[tuple[Path | None, Any]]]:
    """Merge the arms' judgments so that each is there once: arms that drew from one pool share its rows.

    Returns their table, in which `text` is empty, and of each row the store that has its texts and the keys and ranks
    they are there under; nothing of these where no store has any.
    """
    import pyarrow as pa

    schema = _make_judgment_schema()
    tables = [_read_rows(result.judgments, schema) for result in results]
    table = pa.concat_tables(tables)
    answers: list[tuple[Path | None, Any]] = []
    if any(result.store for result in results):
        answers = [(result.store, row.get("calls")) for result in results for row in result.judgments]
    meta = table.column("meta").to_numpy()
    if len(results) > 1:
        key = _identify(table)
        _, first, which = np.unique(key, return_index=True, return_inverse=True)
        scored = np.flatnonzero(np.isfinite(meta))[::-1]
        found = np.full(len(first), np.nan)
        found[which.reshape(-1)[scored]] = meta[scored]  # the first that there is
        in_turn = np.argsort(first)
        table, meta = table.take(pa.array(first[in_turn])), found[in_turn]
        answers = [answers[row] for row in first[in_turn].tolist()] if answers else []
    meta = pa.array(meta, mask=~np.isfinite(meta))
    return table.set_column(table.column_names.index("meta"), schema.field("meta"), meta), answers


def _make_judgment_schema() -> pa.Schema:
    import pyarrow as pa

    lists = {"shown": pa.list_(pa.int64()), "responses": pa.list_(pa.string())}
    lists |= dict.fromkeys(("scores", "gold"), pa.list_(pa.float64()))
    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    return pa.schema([(name, lists.get(name) or kinds[kind]) for name, kind in JUDGMENT.items()])


def _read_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table of these columns, texts as words and their numbers; a column that they lack is empty."""
    import pyarrow as pa

    if not isinstance(rows, JudgmentRows):
        table = pa.Table.from_pylist(list(rows), schema=schema)
        texts = [name for name, kind in JUDGMENT.items() if kind == "str" and name != "text"]
        for name in texts:
            place = table.column_names.index(name)
            table = table.set_column(place, name, table.column(name).dictionary_encode())
        return table
    lacking = [name for name in JUDGMENT if name not in rows.table.column_names]
    table = rows.table
    for name in lacking:
        table = table.append_column(name, pa.nulls(len(rows), schema.field(name).type))
    return table.select(list(JUDGMENT))


def _identify(table: pa.Table) -> np.ndarray:
    """Number the judgments of a table, (N,): the same one has the same number wherever it stands."""
    shown = table.column("shown").combine_chunks()
    ends, values = shown.offsets.to_numpy(), shown.values.to_numpy()
    sizes = np.diff(ends)
    places = np.zeros((len(table), int(sizes.max(initial=0))), dtype=np.int64)
    places[np.arange(places.shape[1]) < sizes[:, None]] = values[ends[0] : ends[-1]] + 1
    texts = [
        table.column(name).unify_dictionaries().combine_chunks().indices.to_numpy()
        for name in ("task", "item", "subset", "judge", "variant")
    ]
    return join_keys(*texts, table.column("sample").to_numpy(), *places.T)


def _summarise_arm(r: Result, versions: Mapping[str, str | None]) -> dict[str, Any]:
    """Make an arm's entry of summary.json."""
    arm = {
        "judge": r.judge,
        "engine": r.engine,
        "strategy": r.strategy,
        "task": r.task,
        "seed": r.seed,
        "items": r.items,
        "headline": _summarise_estimate(r.headline) | {"items": r.headline.items},
        "sections": _summarise_estimates(r.sections),
        "subsets": _summarise_estimates(r.subsets),
        "compute": dict.fromkeys(COMPUTE) | dict(r.compute),
        "health": dict.fromkeys(HEALTH) | dict(r.health),
        "ceiling": dict(r.ceiling) or None,
        "published": [_summarise_published(p) for p in r.published],
        "versions": dict(versions),
        "k": r.k,
        "signature": r.signature,
        "notes": list(r.notes),
        "details": dict(r.details),
        "judging": dict(r.judging) or None,
        "data": dict(r.data),
        **({"comparable": dict(r.comparable)} if r.comparable else {}),  # judgescale scorecard reads it
        "differences": list(r.differences),
        "curve": [_summarise_point(p) for p in r.curve],
        **({"stops": True} if r.stops else {}),  # k is then the most that it may take
        **({"thinking_budget": r.thinking_budget} if r.thinking_budget else {}),
    }
    entry: dict[str, Any] = _to_json(arm)
    return entry


def _summarise_published(p: Published) -> dict[str, Any]:
    return {
        "name": p.name,
        "section": p.section,
        "value": p.value,
        "source": p.source,
        "delta": p.delta,
        "status": p.status,
        "reason": p.reason,
        "how": p.how,
        "strategy": p.strategy,
        "k": p.k,
        "k_meta": p.k_meta,
        "temperature": p.temperature,
        "prompt": p.prompt,
        "protocol": p.protocol,
        "inside_judging_again": p.inside_judging_again,
    }


def _summarise_point(p: CurvePoint) -> dict[str, Any]:
    """Make the entry of a point of the curve: what stands in curve.csv, and what a figure needs besides."""
    point = {"section": p.section, "k": p.k, **_summarise_estimate(p.estimate), "items": p.estimate.items}
    point |= {name: getattr(p, f"{name}_per_item") for name in ("judgments", "tokens", "flops", "dollars")}
    point |= {"can_split": True} if p.can_split else {}
    return point | ({"thinking_budget": p.thinking_budget} if p.thinking_budget else {})


def _summarise_estimates(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: _summarise_estimate(e) | {"items": e.items} for name, e in estimates.items()}


def _summarise_estimate(e: Estimate) -> dict[str, Any]:
    """Make the entry of a number; what was counted has no Monte Carlo error."""
    return {"metric": e.metric, "value": e.value, "ci": e.ci} | ({"mc_error": e.mc_error} if e.mc_error else {})


def _to_json(value: Any) -> Any:
    """Turn a value into JSON's own types; None for NaN and infinities."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) + 0.0 if isfinite(value) else None  # -0.0 + 0.0 is 0.0
    if isinstance(value, Mapping):
        return {str(k): _to_json(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _to_json(value.tolist())
    if isinstance(value, Iterable):
        return [_to_json(v) for v in value]
    return str(value)


def _write_curve(results: Sequence[Result], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(CURVE_HEADER)
        for r in results:
            for p in r.curve:
                low, high = p.estimate.ci or (None, None)
                numbers = (p.estimate.value, low, high, p.judgments_per_item, p.tokens_per_item, p.flops_per_item)
                cells = ("" if (n := _to_json(number)) is None else n for number in numbers)
                rows.writerow([*map(defuse_formula, (r.judge, r.strategy, r.task, p.section)), p.k, *cells])


def write_judgments(results: Sequence[Result], path: Path) -> None:
    """Write judgments.parquet. Texts, which may be far larger than memory, pass through a batch at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from judgescale.harness.store import Store

    (table, answers), schema = merge_judgments(results), _make_judgment_schema()
    with ExitStack() as open_, pq.ParquetWriter(path, schema, compression="zstd") as file:
        if not answers:
            for start in range(0, len(table), WHOLE):
                file.write_table(table.slice(start, WHOLE).cast(schema))
            return
        stores = {p: open_.enter_context(Store(p, readonly=True)) for p in {r.store for r in results} if p}
        for start in range(0, len(table), BATCH):
            texts = [
                "\n\n".join(t for t in (stores[store].read_text(key, rank) for key, rank in calls) if t) or None
                if store and calls
                else None
                for store, calls in answers[start : start + BATCH]
            ]
            batch = table.slice(start, BATCH).cast(schema)
            file.write_table(batch.set_column(len(JUDGMENT) - 1, schema.field("text"), pa.array(texts, pa.string())))


def write_credits(results: Sequence[Result], path: Path) -> None:
    """Write credits.parquet: what every unit earned at every k of every arm."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"str": pa.string(), "int": pa.int32(), "float": pa.float64()}
    kinds |= {"list": pa.list_(pa.float64()), "chances": pa.list_(pa.float32())}
    schema = pa.schema([(name, kinds[kind]) for name, kind in CREDIT.items()])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for (number, result), name in zip(enumerate(results, 1), _name_every_arm(results), strict=True):
            rows = len(result.credits.get("item", ()))
            of_arm = {
                "task": result.task,
                "arm": name,
                "number": number,
                "signature": result.signature,
            }
            if rows:
                columns = {name: Repeated([value], rows) for name, value in of_arm.items()} | dict(result.credits)
                readers = [_read_column(columns[name], schema.field(name).type) for name in CREDIT]
                for start in range(0, rows, WHOLE):
                    some = slice(start, min(start + WHOLE, rows))
                    file.write_table(pa.table([read(some) for read in readers], schema=schema))


def write_games(results: Sequence[Result], path: Path) -> None:
    """Write games.parquet: the games of every arm that played some; no file where none did."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if all(result.games is None for result in results):
        return
    kinds = {"str": pa.string(), "int": pa.int32(), "float": pa.float64(), "bool": pa.bool_()}
    kinds["list"] = pa.list_(pa.float64())
    schema = pa.schema([(name, kinds[kind]) for name, kind in GAME.items()])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for (number, result), name in zip(enumerate(results, 1), _name_every_arm(results), strict=True):
            of_arm = {"task": result.task, "arm": name, "number": number, "signature": result.signature}
            games = schema.empty_table() if result.games is None else result.games
            for start in range(0, len(games), WHOLE):
                some = games.slice(start, WHOLE)
                for column, value in of_arm.items():
                    some = some.append_column(column, pa.array([value] * len(some), schema.field(column).type))
                file.write_table(some.select(schema.names).cast(schema))


def _name_every_arm(results: Sequence[Result]) -> list[str]:
    """Name the arms, each apart from the others of its task."""
    names = {task: iter(name_arms(of_task)) for task, of_task in group_by_task(results).items()}
    return [next(names[result.task]) for result in results]


def _read_column(values: Sequence[Any], kind: pa.DataType) -> Callable[[slice], pa.Array]:
    """Return what makes some rows of a column an array; NaN in a list of chances is empty."""
    import pyarrow as pa

    if isinstance(values, Repeated):
        once = pa.array(values.values, kind)
        return lambda some: once.take(pa.array(np.arange(some.start, some.stop) % len(once)))
    if kind != pa.list_(pa.float32()):
        return lambda some: pa.array(values[some], kind)
    cut = values if isinstance(values, Cut) else Cut(np.concatenate(values), np.cumsum(list(map(len, values))))
    ends = np.r_[0, cut.ends]

    def read(some: slice) -> pa.Array:
        """Make rows of chances."""
        own = ends[some.start : some.stop + 1]
        said = cut.values[own[0] : own[-1]]
        return pa.ListArray.from_arrays(
            (own - own[0]).astype(np.int32), pa.array(said, pa.float32(), mask=np.isnan(said))
        )

    return read


def _find_package_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read_checkout_version() -> str | None:
    """Read our version from pyproject.toml, for a checkout that nobody installed."""
    import tomllib

    path = ROOT / "pyproject.toml"
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except OSError:
        return None
    version = project.get("version")
    return str(version) if version is not None else None
