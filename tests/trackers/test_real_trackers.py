"""The trackers themselves, on this machine: what was written is read back. One that is not installed is skipped."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.trackers
SWEEP = "results/sweeps/mine"


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not importlib.util.find_spec(module), reason=f"{module} is not installed")


@pytest.fixture
def go(tmp_path, monkeypatch):
    """go("wandb", …): a sweep of one job in a folder of its own; returns the summary of the job."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789abcdef")

    def go(tracker: str, *more: str):
        live = ("judge=random", "task=sanity", "task.size=20", "strategy.k=3", f"run.store={tmp_path}/s.sqlite")
        command = [sys.executable, str(ROOT / "run.py"), "-m", *live, f"tracker={tracker}", "hydra.job.name=mine"]
        done = subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and "tracker" not in done.stderr, done.stderr
        (job,) = (path.parent for path in (tmp_path / SWEEP).glob("*/summary.json"))
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not any(b"planted-0123456789" in path.read_bytes() for path in files)
        return json.loads((job / "summary.json").read_text()), job.name

    return go


@needs("mlflow")
@pytest.mark.filterwarnings("ignore")  # its own, of SQLAlchemy
def test_mlflow_holds_config_curve_headline_and_files(go, tmp_path):
    from mlflow import MlflowClient

    summary, job = go("mlflow")
    client = MlflowClient(f"sqlite:///{tmp_path}/results/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("judgescale").experiment_id])
    metrics, name = run.data.metrics, "random_ voting"
    assert (run.info.status, run.info.run_name, run.data.tags["judgescale.sweep"]) == ("FINISHED", job, "mine")
    assert run.data.params["strategy.k"] == "3" and run.data.tags[f"signature/{name}"] == summary["signature"]
    points = client.get_metric_history(run.info.run_id, f"curve/{name}/accuracy")
    curve = [(p["k"], p["value"]) for p in summary["curve"] if p["section"] == "overall"]
    assert [(p.step, p.value) for p in points] == curve
    assert metrics[f"headline/{name}/low"] == summary["headline"]["ci"][0]
    assert metrics["progress/judgments"] == 60
    assert {"summary.json", "curve.png"} <= {file.path for file in client.list_artifacts(run.info.run_id)}


@needs("trackio")
def test_trackio_holds_config_curve_headline_and_files(go, tmp_path, monkeypatch):
    import sqlite3

    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    summary, job = go("trackio")
    with sqlite3.connect(tmp_path / "trackio" / "judgescale.db") as base:
        rows = base.execute("select run_name, step, metrics from metrics order by id").fetchall()
        (config,) = base.execute("select config from configs").fetchone()
    base.close()
    assert {name for name, _, _ in rows} == {job} and json.loads(config)["_Group"] == "mine"
    assert json.loads(config)["strategy"]["k"] == 3
    logged = [(step, json.loads(values)) for _, step, values in rows]
    curve = [(p["k"], p["value"]) for p in summary["curve"] if p["section"] == "overall"]
    name = "curve/random, voting/accuracy"
    assert [(step, values[name]) for step, values in logged if name in values] == curve
    merged = {key: value for _, values in logged for key, value in values.items()}
    assert merged["progress/judgments"] == 60 and merged["signature/random, voting"] == summary["signature"]
    assert merged["failed"] == 0 and "curve" in merged
    assert any((tmp_path / "trackio" / "artifacts").rglob("*"))


@needs("wandb")
def test_wandb_holds_config_curve_headline_and_files(go, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    summary, job = go("wandb")
    (path,) = (tmp_path / "results" / "wandb").glob("offline-run-*/*.wandb")
    records = read_records(path)
    run = next(record.run for record in records if record.HasField("run"))
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert (run.display_name, run.run_group, run.project) == (job, "mine", "judgescale")
    assert config["strategy"]["k"] == 3 and not run.host and not run.git.remote_url
    history = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    curve = [(p["k"], p["value"]) for p in summary["curve"] if p["section"] == "overall"]
    name = "curve/random, voting/accuracy"
    assert [(row["k"], row[name]) for row in history if name in row] == curve
    assert [row["progress/judgments"] for row in history if "progress/judgments" in row][-1] == 60
    last = {
        item.key or "/".join(item.nested_key): json.loads(item.value_json)
        for record in records
        if record.HasField("summary")
        for item in record.summary.update
    }
    assert last["signature/random, voting"] == summary["signature"]
    assert not any(word in file.name for word in ("requirements", "metadata") for file in path.parent.rglob("*"))


def read_records(path: Path) -> list:
    """The records of a .wandb file: LevelDB's log format, blocks of 32 KiB, with a header of 7 bytes of their own."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole, records = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if (room := 32768 - at % 32768) < 7:
            at += room
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole = (b"" if kind in (1, 2) else whole) + data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            records.append(wandb_internal_pb2.Record.FromString(whole))
    return records
