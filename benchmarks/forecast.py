"""How forecasts from a pilot of 2, 3 or 4 judgments an item hold against what more judgments really gave.

    python benchmarks/forecast.py [--data FOLDER] [--trials 60] [--clusters 300] [--only NAME] [--pilots 2 3 4]

Sets of real repeated samples: five judges of criteria_ensembling (8 samples; FOLDER holds criteria_ensembling/, the
results of arXiv 2604.13717), as sums of scores over four responses (ties shared, or wrong as the paper has it) and as
verdicts on pairs; ReaLMistake (5 samples) and Vicuna80 (10 votes of a panel), which ship with the program. The truth is
voting@k over all subsets of all samples of all items. A pilot draws clusters with replacement, and k0 of each item's
samples without. Simulated sets draw both anew, from mixtures whose voting@k is known. Errors are against voting@k of
the pilot's very items; an interval covers where it holds that of the whole set, of which these are a sample.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from judgescale.harness import ROOT
from judgescale.harness.forecast.pilots import read_pilots
from judgescale.harness.stats.forecast import Pilot, ScorePilot, VotePilot, forecast, measure_pilot, vote_at
from judgescale.harness.stats.moments import bound_votes

PILOTS = (2, 3, 4)
JUDGES = {  # file and field of each judge
    "GPT-5.4": ("base_both_k8", "full"),
    "GPT-5.4 mini": ("base_both_k8", "mini"),
    "GPT-5.4 nano": ("base_nano_k8", "nano"),
    "Sonnet 4.6": ("base_claude_both_k8", "full"),
    "Haiku 4.5": ("base_claude_both_k8", "mini"),
}
MIXTURES = {  # chances to be right, tied and wrong, and how many of the items have them
    "voting gets worse: half of .4, half of .8": ([(0.4, 0, 0.6), (0.8, 0, 0.2)], [0.5, 0.5], 8),
    "and cancels: .3, .45, .55, .7": ([(0.3, 0, 0.7), (0.45, 0, 0.55), (0.55, 0, 0.45), (0.7, 0, 0.3)], [0.25] * 4, 8),
    "saturated: .02 and .98": ([(0.02, 0, 0.98), (0.98, 0, 0.02)], [0.2, 0.8], 8),
    "all items alike: .6": ([(0.6, 0, 0.4)], [1.0], 8),
    "the same, k=32": ([(0.6, 0, 0.4)], [1.0], 32),
    "ties: .3 right, .5 tied": ([(0.3, 0.5, 0.2), (0.9, 0.1, 0)], [0.5, 0.5], 8),
}


class Drawn(NamedTuple):
    """Hold a pilot, and what its very items give at k."""

    pilot: Pilot
    truth: float


@dataclass(frozen=True)
class Known:
    """Hold a set whose voting@k is known, and a way to draw a pilot of k0 judgments from it."""

    name: str
    k: int
    truth: Callable[[int], float]
    draw: Callable[[int, np.random.Generator], Drawn]


def read_scores(data: Path, judge: str) -> np.ndarray:
    """Read a judge's samples of the items where none is missing: (N, 8, 4)."""
    file, field = JUDGES[judge]
    with gzip.open(data / "criteria_ensembling" / f"{file}.jsonl.gz", "rt") as rows:
        found = [json.loads(row).get(f"{field}_scores") for row in rows]
    whole = [s for s in found if s and len(s) == 4 and all(len(r) == 8 and None not in r for r in s)]
    return np.array(whole, dtype=float).transpose(0, 2, 1)


def know_scores(name: str, scores: np.ndarray, tie: float, clusters: int) -> Known:
    """Know a set of scores of which the first response is right."""
    right = np.zeros(scores.shape[::2], dtype=bool)
    right[:, 0] = True
    count, size = scores.shape[:2]
    whole = ScorePilot(scores, right, np.full(count, tie), np.ones(count), np.arange(count))
    ends = measure_pilot(whole, [size])[size]

    def draw(k0: int, rng: np.random.Generator) -> Drawn:
        rows = rng.integers(count, size=clusters)
        columns = rng.random((clusters, size)).argsort(axis=1)[:, :k0]
        taken = np.take_along_axis(scores[rows], columns[..., None], axis=1)
        pilot = ScorePilot(taken, right[rows], whole.tie[rows], np.ones(clusters), np.arange(clusters))
        return Drawn(pilot, float(ends[rows].mean()))

    return Known(name, size, lambda k: float(measure_pilot(whole, [k])[k].mean()), draw)


def know_votes(name: str, whole: VotePilot, clusters: int) -> Known:
    """Know a set of verdicts, each item with all of its samples."""
    ends = measure_pilot(whole, [whole.size])[whole.size]
    members = [np.flatnonzero(whole.cluster == c) for c in np.unique(whole.cluster)]

    def draw(k0: int, rng: np.random.Generator) -> Drawn:
        picked = rng.integers(len(members), size=min(clusters, len(members)))
        rows = np.concatenate([members[c] for c in picked])
        number = np.repeat(np.arange(len(picked)), [len(members[c]) for c in picked])
        counts = np.array([rng.multivariate_hypergeometric(whole.counts[row], k0) for row in rows])
        pilot = VotePilot(counts, whole.tie[rows], whole.weight[rows], number)
        return Drawn(pilot, float(np.average(ends[rows], weights=whole.weight[rows])))

    def find_truth(k: int) -> float:
        return float(np.average(measure_pilot(whole, [k])[k], weights=whole.weight))

    return Known(name, whole.size, find_truth, draw)


def know_mixture(name: str, clusters: int) -> Known:
    """Know a simulated set."""
    points, share, k = MIXTURES[name]
    chances = np.array(points, dtype=float)

    def credit(k: int) -> np.ndarray:
        right, tied = vote_at(chances, k)
        return right + tied / 2

    def draw(k0: int, rng: np.random.Generator) -> Drawn:
        kind = rng.choice(len(points), size=clusters, p=share)
        counts = np.array([rng.multinomial(k0, chances[i]) for i in kind])
        pilot = VotePilot(counts, np.full(clusters, 0.5), np.ones(clusters), np.arange(clusters))
        return Drawn(pilot, float(credit(k)[kind].mean()))

    return Known(name, k, lambda k: float(np.array(share) @ credit(k)), draw)


def know_shipped(overrides: Sequence[str], clusters: int) -> Iterator[Known]:
    """Know the sets of a run on shipped judgments, read from what it leaves, as `judgescale plan` reads it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "run.py"), *overrides, f"hydra.run.dir={folder}"]
        subprocess.run(command, check=True, capture_output=True)
        for one in read_pilots(Path(folder)):
            assert isinstance(one.pilot, VotePilot)
            yield know_votes(f"{one.task}, {one.judge}", one.pilot, clusters)


def list_known(data: Path | None, clusters: int) -> Iterator[Known]:
    """List the sets, one at a time."""
    for judge in JUDGES if data else ():
        assert data is not None
        scores = read_scores(data, judge)
        yield know_scores(f"{judge}, scores", scores, 0.25, clusters)
        if judge in ("GPT-5.4", "GPT-5.4 nano"):
            yield know_scores(f"{judge}, scores, a tie is wrong", scores, 0.0, clusters)
            best = (scores == scores.max(axis=2, keepdims=True)).astype(float)
            yield know_scores(f"{judge}, picks", best / best.sum(axis=2, keepdims=True), 0.25, clusters)
        ahead = (scores[:, :, :1] - scores[:, :, 1:]).transpose(0, 2, 1).reshape(-1, scores.shape[1])
        counts = np.stack([(ahead > 0).sum(axis=1), (ahead == 0).sum(axis=1), (ahead < 0).sum(axis=1)], axis=1)
        count = len(counts)
        pairs = VotePilot(counts, np.full(count, 0.5), np.ones(count), np.arange(count) // 3)
        yield know_votes(f"{judge}, pairs", pairs, clusters)
    yield from know_shipped(["experiment=realmistake"], clusters)
    yield from know_shipped(["task=vicuna80_pairs", "strategy=voting"], clusters)
    for name in MIXTURES:
        yield know_mixture(name, clusters)


def main() -> int:
    """Print a row for every set and size of pilot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="the folder with criteria_ensembling/; without it, those are left out"
    )
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--clusters", type=int, default=300)
    parser.add_argument("--only", default="", help="sets whose name holds this")
    parser.add_argument("--pilots", type=int, nargs="+", default=PILOTS, metavar="K0")
    options = parser.parse_args()
    columns = ("set", "pilot", "k", "voting@pilot", "voting@k", "mean error", "RMS error", "of no gain", "covers, %",
               "half width", "bounds hold, %")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for known in list_known(options.data, options.clusters):
        if options.only in known.name:
            for k0 in options.pilots:
                print(
                    f"| {known.name} | {k0} | {known.k} | {' | '.join(try_pilots(known, k0, options.trials))} |",
                    flush=True,
                )
    return 0


def try_pilots(known: Known, k0: int, trials: int) -> list[str]:
    """Draw pilots, and return the cells of their row."""
    rng = np.random.default_rng([k0, zlib.crc32(known.name.encode())])
    truth, errors, flat, inside, width, bounded = known.truth(known.k), [], [], [], [], []
    for _ in range(trials):
        pilot, own = known.draw(k0, rng)
        found = forecast(pilot, [k0, known.k])
        errors.append((found.value[1] - own) * 100)
        flat.append((found.value[0] - own) * 100)
        inside.append(found.low[1] <= truth <= found.high[1])
        width.append((found.high[1] - found.low[1]) * 50)
        if isinstance(pilot, VotePilot):
            low, high = bound_votes(pilot, [known.k])[0]
            bounded.append(low <= truth <= high)
    rms = [f"{np.sqrt(np.mean(np.square(found))):.2f}" for found in (errors, flat)]
    holds = f"{np.mean(bounded) * 100:.0f}" if bounded else "-"
    start = [f"{known.truth(k0) * 100:.2f}", f"{truth * 100:.2f}", f"{np.mean(errors):+.2f}", *rms]
    return [*start, f"{np.mean(inside) * 100:.0f}", f"{np.mean(width):.1f}", holds]


if __name__ == "__main__":
    sys.exit(main())
