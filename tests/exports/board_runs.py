"""Finished runs and their exports for the tests of boards."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from judgescale.harness.exports import load_format
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.plan import plan_arms
from judgescale.harness.report import files
from judgescale.harness.runner import evaluate_all

Compose = Callable[..., DictConfig]


def evaluate(folder: Path, *configs: DictConfig) -> Path:
    """Evaluate configs of recorded sets into one folder, as a sweep does, without figures."""
    folder.mkdir(parents=True)
    results = [result for cfg in configs for result in evaluate_all(list(plan_arms(cfg)))]
    files.write_credits(results, folder / "credits.parquet")
    files.write_judgments(results, folder / "judgments.parquet")
    made = {"date": "2026-11-29T00:33:33+00:00", "command": "judgescale task=x"}
    (folder / "summary.json").write_text(json.dumps(files.make_summary(results) | made), encoding="utf-8")
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(configs[0], resolve=True), encoding="utf-8")
    return folder


def write(format: str, run: FinishedRun, folder: Path, *options: str) -> list[Path]:
    """Export a run with options of the format's own."""
    kind, parser = load_format(format), argparse.ArgumentParser()
    kind.add_arguments(parser)
    folder.mkdir(parents=True, exist_ok=True)
    return list(kind.write(run, folder, parser.parse_args(options)))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
