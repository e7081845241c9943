"""An arm that may stop before its k, beside one that takes all: both show what they are right in and what they took."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from judgescale.harness.runner import run

Compose = Callable[..., DictConfig]


def test_accuracy_and_judgments_stand_side_by_side(composed: Compose, tmp_path: Path, capsys) -> None:
    common = ("run.limit=60", "run.ks=[9]", "run.draws=20", "strategy.k=9")
    arms = [composed("strategy=voting", *common), composed("strategy=stopping", "strategy.lead=2", *common)]
    fixed, stopping = run(arms, tmp_path, show=True)
    took = stopping.compute["judgments"] / 60
    assert 2 < took < 9 and fixed.compute["judgments"] == 9 * 60
    (told,) = stopping.differences
    assert re.match(r"stopping at k≤9(, .*)? - voting at k=9: [+-]?\d", told)
    assert told.endswith(f"; {took:.2f} and 9 judgments an item")

    shown = capsys.readouterr().out
    assert re.search(rf"stopping +≤9 .* {took:.2f}\n", shown) and re.search(r"voting +9 .* 9\n", shown)
    table = (tmp_path / "table.md").read_text()
    assert "| ≤9 | " in table and f" {took:.2f} |" in table
    points = {row["strategy"]: row for row in csv.DictReader((tmp_path / "curve.csv").read_text().splitlines())}
    assert float(points["stopping"]["judgments_per_item"]) == pytest.approx(took) and points["stopping"]["k"] == "9"
    told_of = {arm["strategy"]: arm for arm in json.loads((tmp_path / "summary.json").read_text())["arms"]}
    assert told_of["stopping"]["stops"] is True and "stops" not in told_of["voting"]
