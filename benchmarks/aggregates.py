"""What each way to put k judgments together is worth on real repeated samples: five judges, k=8, and all five pooled.

    python benchmarks/aggregates.py FOLDER

FOLDER holds raw results of criteria ensembling (arXiv 2604.13717; base_both_k8, base_nano_k8 and base_claude_both_k8,
.jsonl or .jsonl.gz): RewardBench 2 without Ties, each of 4 responses scored alone. Writes two Markdown tables: accuracy
in percent, a tie between m responses earning 1/m, and the share of decisions that are tied. Items without a missing
score; for the pool, without one of any judge.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.evaluation.scales import measure_scale
from judgescale.harness.stats.aggregate import AGGREGATES, aggregate_scores

K, RESPONSES = 8, 4
JUDGES = {
    "GPT-5.4": ("base_both_k8", "full"),
    "GPT-5.4 mini": ("base_both_k8", "mini"),
    "GPT-5.4 nano": ("base_nano_k8", "nano"),
    "Sonnet 4.6": ("base_claude_both_k8", "full"),
    "Haiku 4.5": ("base_claude_both_k8", "mini"),
}

Samples = Mapping[tuple[str, str], np.ndarray]  # an item's subset and id to scores (k, responses)


def read_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Read a file of rows, packed or not."""
    path = next(path for path in (folder / f"{name}.jsonl.gz", folder / f"{name}.jsonl") if path.exists())
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def read_samples(rows: list[dict[str, Any]], judge: str) -> dict[tuple[str, str], np.ndarray]:
    """Read the items of which a judge scored every response k times. The first response is the right one."""
    found = {}
    for row in rows:
        scores = row.get(f"{judge}_scores") or []
        if len(scores) == RESPONSES and all(len(of) == K and None not in of for of in scores):
            found[row["subset"], row["id"]] = np.array(scores, float).T
    return found


def measure(scores: np.ndarray, how: str) -> tuple[float, float]:
    """Measure accuracy and the share of ties, in percent: (items, k, responses) scores."""
    decisions = aggregate_scores(scores, how)
    top = decisions == decisions.max(axis=1, keepdims=True)
    tied = top.sum(axis=1)
    return 100 * float((top[:, 0] / tied).mean()), 100 * float((tied > 1).mean())


def pool_judges(judges: Mapping[str, Samples], one_scale: bool) -> np.ndarray:
    """Put the judgments of all judges about the items that all of them scored into one array, (items, judges k, m)."""
    common = sorted(set.intersection(*(set(samples) for samples in judges.values())))
    of_judges = []
    for samples in judges.values():
        scores = np.array([samples[item] for item in common])
        scale = measure_scale(scores)
        of_judges.append((scores - scale.mean) / scale.deviation if one_scale else scores)
    return np.concatenate(of_judges, axis=1)


def main() -> None:
    """Measure all aggregates and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    judges = {name: read_samples(read_rows(folder, file), who) for name, (file, who) in JUDGES.items()}
    alone = {name: np.array(list(samples.values())) for name, samples in judges.items()}
    columns = [f"{name} ({len(scores):,})" for name, scores in alone.items()]
    columns.append(f"all five, k={K * len(JUDGES)} ({len(pool_judges(judges, False)):,})")
    cells = {
        how: [*(measure(s, how) for s in alone.values()), measure(pool_judges(judges, how == "zscore"), how)]
        for how in AGGREGATES
    }
    for part, what in enumerate(("accuracy, %", "tied, %")):
        print(f"| {what} | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
        for how, found in cells.items():
            print(f"| `{how}` | {' | '.join(f'{cell[part]:.2f}' for cell in found)} |")
        print()


if __name__ == "__main__":
    main()
