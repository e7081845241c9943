"""From ten thousand to a million judgments: python benchmarks/million.py [--sizes N …] [--scores rating] [--elo N].

Each row makes a Parquet file of N judgments of two responses (the fields of `recorded import jsonl` as columns: 32
samples an item, both orders, one judge, clusters of two items, five subsets), and runs the very commands on it in
processes of their own: the import, and a run that evaluates voting at every k, with intervals, health and all files.
With --elo it ends with games: N items of 32 answers that a judge scored alone, all 496 pairs of them played by Elo.
Times are on the clock and of the processor, start-up included; memory is the most that the process had.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = 32  # judgments of an item
ANSWERS = 32  # of an item of games


class Cost(NamedTuple):
    """Hold what a command took."""

    wall: float  # seconds
    cpu: float  # seconds
    peak: float  # MB


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [10**power for power in range(4, 7)]
    parser.add_argument("--sizes", nargs="*", type=int, default=sizes, metavar="N", help="judgments of each row")
    parser.add_argument(
        "--scores", choices=("verdict", "rating"), default="verdict", help="a winner, or marks of 1 to 10"
    )
    parser.add_argument("--elo", type=int, default=0, metavar="N", help="items of 32 answers (PPE has 2,555 a run)")
    options = parser.parse_args()
    print(f"{'judgments':>12} {'command':10} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'judgments/s':>12}")
    # Files are made elsewhere: what Linux calls a command's peak is never less than what the one that started it held.
    elsewhere = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    with tempfile.TemporaryDirectory() as folder, elsewhere:
        for size in options.sizes:
            given, made = Path(folder) / f"{size}.parquet", Path(folder) / f"{size}-set.parquet"
            count = elsewhere.submit(write_pairs, given, size, options.scores).result()
            tell(count, "import", import_set(given, made))
            tell(count, "evaluate", evaluate(made, "voting", Path(folder) / "run"))
        if options.elo:
            given, made = Path(folder) / "elo.parquet", Path(folder) / "elo-set.parquet"
            count = elsewhere.submit(write_scored_alone, given, options.elo).result()
            tell(count, "import", import_set(given, made))
            tell(count, "elo", evaluate(made, "elo", Path(folder) / "run"))


def write_pairs(path: Path, size: int, kind: str) -> int:
    """Write about so many judgments of two responses each, and return how many."""
    rng = np.random.default_rng(0)
    items = max(1, round(size / SAMPLES))
    size = items * SAMPLES
    item, sample = np.repeat(np.arange(items), SAMPLES), np.tile(np.arange(SAMPLES), items)
    gold = rng.integers(0, 2, items)
    won = np.where(rng.random(size) < rng.beta(5, 2, items)[item], gold[item], 1 - gold[item])
    shown = np.where(sample[:, None] % 2 == 0, [[0, 1]], [[1, 0]])
    marks = rng.integers(1, 11, (size, 2)) if kind == "rating" else np.tile([0, 1], (size, 1))
    scores = np.where(shown == won[:, None], marks.max(axis=1, keepdims=True), marks.min(axis=1, keepdims=True))
    names = pa.array(["a", "b"])
    columns = {
        **name_items(item),
        "responses": pair_up(names.take(pa.array(np.tile([0, 1], size)))),
        "best": names.take(pa.array(gold[item])),
        "shown": pair_up(names.take(pa.array(shown.ravel()))),
        "scores": pair_up(pa.array(scores.ravel().astype(float))),
        "completion_tokens": pa.array(rng.integers(100, 900, size), pa.int32()),
    }
    pq.write_table(pa.table(columns), path)
    return size


def name_items(item: np.ndarray) -> dict[str, pa.Array]:
    """Name the item, its cluster and subset of every judgment, and the judge."""
    number = range(int(item.max()) + 1)
    words = {"prompt": [f"q{i:07}" for i in number], "cluster": [f"c{i // 2:07}" for i in number]}
    words["subset"] = [f"s{i % 5}" for i in number]
    named = {name: pa.array(of_items).take(pa.array(item)) for name, of_items in words.items()}
    return {**named, "judge": pa.array(["maker"]).take(pa.array(np.zeros(len(item), np.int8)))}


def pair_up(values: pa.Array, width: int = 2) -> pa.ListArray:
    """Make lists of so many values each."""
    return pa.ListArray.from_arrays(pa.array(np.arange(0, len(values) + 1, width), pa.int32()), values)


def write_scored_alone(path: Path, items: int) -> int:
    """Write one judgment of each item's 32 answers, of which about half are right, scored one by one."""
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, (items, ANSWERS))
    gold[:, 0] = 1
    columns = {
        **name_items(np.arange(items)),
        "responses": pair_up(pa.array([f"a{i:02}" for i in range(ANSWERS)] * items), ANSWERS),
        "gold": pair_up(pa.array(gold.ravel().astype(float)), ANSWERS),
        "scores": pair_up(pa.array((gold + rng.normal(0, 1, gold.shape)).ravel()), ANSWERS),
        "pointwise": pa.array([True] * items),
    }
    pq.write_table(pa.table(columns), path)
    return items


def import_set(given: Path, made: Path) -> Cost:
    """Import a file as a set."""
    return measure(["-m", "judgescale", "recorded", "import", "jsonl", str(given), "--out", str(made)])


def evaluate(made: Path, strategy: str, folder: Path) -> Cost:
    """Evaluate a set at every k."""
    options = ["engine=recorded", f"engine.path={made}", "task=custom", f"strategy={strategy}"]
    return measure(["run.py", *options, f"hydra.run.dir={folder}"])


def measure(arguments: list[str]) -> Cost:
    """Run a command of ours in a process of its own, and measure it. Raises SystemExit where it fails."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    return Cost(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def tell(count: int, name: str, cost: Cost) -> None:
    """Print a row."""
    speed = count / cost.cpu
    print(f"{count:12,} {name:10} {cost.wall:8.1f} {cost.cpu:8.1f} {cost.peak:8,.0f} {speed:12,.0f}", flush=True)


if __name__ == "__main__":
    main()
