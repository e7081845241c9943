"""What report.html costs as runs grow: its size, the time to write it, and how fast a real Chromium shows it.

    python benchmarks/page.py [--sizes 3125x32 100000x1] [--texts 0 1] [--repeats 5]

Each size is items x judgments of each: a made-up recorded set of two responses an item, evaluated by voting at every k
with the very commands, and then given texts of a few hundred characters (prompt, responses and judgments). Each page is
opened afresh in a headless Chromium, which needs the packages that the browser tests need (CONTRIBUTING.md). *write*
is in seconds of the processor, all others are medians on the clock. *shown* is the first paint, counted from the start
of navigation; *ready* is when the items can be filtered; *filter* is the slowest of three (verdict changes with k,
wrong, sorted by margin); it and *next item* last until the second frame after what they drew.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from judgescale.harness.finished.run import FinishedRun, read_run
from judgescale.harness.types import Item

ROOT = Path(__file__).resolve().parents[1]
FLAGS = (  # a browser that asks nobody anything
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WORDS = 2_000  # of the made-up language
TIMED = """at => new Promise((done) => {
    const begun = performance.now();
    const told = document.getElementById("items");
    const watch = new MutationObserver(() => {
        watch.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
    });
    watch.observe(told, {childList: true, subtree: true});
    location.hash = at;
})"""


class Shown(NamedTuple):
    """Hold how fast a page was, in milliseconds."""

    paint: float
    ready: float
    filter: float
    next: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=["300x8", "3125x32", "100000x1"], metavar="ITEMSxJUDGMENTS")
    parser.add_argument("--texts", nargs="*", type=int, choices=(0, 1), default=(0, 1), help="without, with texts")
    parser.add_argument("--repeats", type=int, default=5, help="times that each page is opened")
    options = parser.parse_args()
    print("| items × samples | texts | write, CPU s | size, MB | shown, ms | ready, ms | filter, ms | next item, ms |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, open_chromium() as chromium:
        for size in options.sizes:
            items, samples = map(int, size.split("x"))
            plain = make_run(Path(folder) / size, items, samples)
            for texts in options.texts:
                run, path = add_texts(plain) if texts else plain, Path(folder) / f"{size}-{texts}.html"
                took = write(run, path)
                seen = [measure(chromium, path) for _ in range(options.repeats)]
                times = " | ".join(f"{statistics.median(column):,.0f}" for column in zip(*seen))
                megabytes = path.stat().st_size / 1e6
                cells = f"{items:,} × {samples} | {'yes' if texts else 'no'} | {took:.1f} | {megabytes:.1f} | {times}"
                print(f"| {cells} |", flush=True)


def make_run(folder: Path, items: int, samples: int) -> FinishedRun:
    """Evaluate a made-up set of so many items, with so many judgments each, and read the finished run."""
    folder.mkdir(parents=True)
    write_pairs(folder / "given.parquet", items, samples)
    run = ["run.py", "engine=recorded", f"engine.path={folder}/set.parquet", "task=custom", f"hydra.run.dir={folder}"]
    arms = "compare=[['strategy.k=4']]" if samples > 1 else "compare=[]"
    bring = [
        "-m",
        "judgescale",
        "recorded",
        "import",
        "jsonl",
        f"{folder}/given.parquet",
        "--out",
        f"{folder}/set.parquet",
    ]
    for arguments in (bring, [*run, arms]):
        subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return read_run(folder)


def write_pairs(path: Path, items: int, samples: int) -> None:
    """Write a file of judgments of two responses each, of which a judge prefers the right one more often than not."""
    rng = np.random.default_rng(0)
    item, sample = np.repeat(np.arange(items), samples), np.tile(np.arange(samples), items)
    gold = rng.integers(0, 2, items)
    won = np.where(rng.random(len(item)) < rng.beta(5, 2, items)[item], gold[item], 1 - gold[item])
    shown = np.where(sample[:, None] % 2 == 0, [[0, 1]], [[1, 0]])
    names = pa.array(["a", "b"])
    columns = {
        **{name: pa.array(words).take(pa.array(item)) for name, words in name_items(items).items()},
        "judge": pa.array(["maker"]).take(pa.array(np.zeros(len(item), np.int8))),
        "responses": pair_up(names.take(pa.array(np.tile([0, 1], len(item))))),
        "best": names.take(pa.array(gold[item])),
        "shown": pair_up(names.take(pa.array(shown.ravel()))),
        "scores": pair_up(pa.array((shown == won[:, None]).ravel().astype(float))),
        "completion_tokens": pa.array(rng.integers(100, 900, len(item)), pa.int32()),
    }
    pq.write_table(pa.table(columns), path)


def name_items(items: int) -> dict[str, list[str]]:
    """Name each item, its cluster and its subset."""
    number = range(items)
    return {
        "prompt": [f"q{i:07}" for i in number],
        "cluster": [f"c{i // 2:07}" for i in number],
        "subset": [f"s{i % 5}" for i in number],
    }


def pair_up(values: pa.Array) -> pa.ListArray:
    """Make lists of two values each."""
    return pa.ListArray.from_arrays(pa.array(np.arange(0, len(values) + 1, 2), pa.int32()), values)


def add_texts(run: FinishedRun) -> FinishedRun:
    """Give a run texts: prompts of about 200 characters, responses of 400, judgments of 300."""
    rng = np.random.default_rng(1)
    ids = list(dict.fromkeys(run.judgments.column("item").to_pylist()))
    prompts, rest = say(rng, len(ids), 40), say(rng, 2 * len(ids), 80)
    items = {
        name: Item(
            id=name,
            prompt=name,
            cluster=name,
            responses=("a", "b"),
            gold=(1.0, 0.0),
            conversation=(("user", prompts[i]),),
            texts=(rest[2 * i], rest[2 * i + 1]),
        )
        for i, name in enumerate(ids)
    }
    place = run.judgments.column_names.index("text")
    texts = pa.array(say(rng, len(run.judgments), 60), pa.string())
    task = run.results[0].task
    return replace(run, judgments=run.judgments.set_column(place, "text", texts), items={task: items}, missing={})


def say(rng: np.random.Generator, count: int, length: int) -> list[str]:
    """Make up so many texts of so many words; few words are frequent, as in any language."""
    letters = rng.choice(list("etaoinshrdlu"), (WORDS, 10))
    words = ["".join(row[:size]) for row, size in zip(letters, rng.integers(1, 10, WORDS))]
    chosen = rng.zipf(1.3, (count, length)) % WORDS
    return [" ".join(map(words.__getitem__, row)) for row in chosen.tolist()]


def write(run: FinishedRun, path: Path, texts: bool = True) -> float:
    """Write a run's page, and return the seconds of the processor that took."""
    from judgescale.harness.page.write import write_page

    begun = time.process_time()
    write_page([run], path, texts)
    return time.process_time() - begun


@contextmanager
def open_chromium() -> Iterator[Any]:
    """Start the machine's Chromium. Raises SystemExit where there is none."""
    from playwright.sync_api import sync_playwright

    if (program := shutil.which("chromium")) is None:
        raise SystemExit("chromium: not found; on Debian, apt-get install chromium")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield chromium
        finally:
            chromium.close()


def measure(chromium: Any, path: Path) -> Shown:
    """Open a page afresh, filter its items and go to the next item, and tell how long each took."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.goto(path.resolve().as_uri(), wait_until="commit")
        page.locator("#items-body tr").first.wait_for()
        ready = page.evaluate("performance.now()")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        found = [page.evaluate(TIMED, at) for at in ("#/items?changes=1", "#/items?show=wrong", "#/items?sort=margin")]
        page.locator("#items-body .item-link").first.click()
        page.locator("#item-heading").wait_for()
        links = "[...document.querySelectorAll('#item [data-go=j]')].at(-1).getAttribute('href')"
        return Shown(paint, ready, max(found), page.evaluate(TIMED, page.evaluate(links)))
    finally:
        context.close()


if __name__ == "__main__":
    main()
