"""Finished runs for tests: what the commands read of a run's folder, without its figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.plan import plan_arms
from judgescale.harness.report import files
from judgescale.harness.runner import evaluate_all
from judgescale.harness.types import Result

Compose = Callable[..., DictConfig]


def finish(results: Sequence[Result], folder: Path) -> Path:
    """Write the files of a run that the commands read."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_credits(results, folder / "credits.parquet")
    files.write_judgments(results, folder / "judgments.parquet")
    (folder / "summary.json").write_text(json.dumps(files.make_summary(results)), encoding="utf-8")
    return folder


def evaluate(composed: Compose, folder: Path, *overrides: str) -> Path:
    """Evaluate a config into a folder."""
    cfg = composed(*overrides)
    finish(evaluate_all(list(plan_arms(cfg))), folder)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True), encoding="utf-8")
    return folder


def change_credits(folder: Path, change: Callable[[list[dict[str, object]]], object]) -> Path:
    """Change the rows of a run's credits.parquet in place."""
    table = pq.read_table(folder / "credits.parquet")
    change(rows := table.to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / "credits.parquet")
    return folder
