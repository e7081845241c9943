"""Inspect logs, read back by Inspect itself: logs, data frames, its own command line and its bundle of the viewer."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from math import isnan
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai")

from finished.runs import Compose, evaluate
from inspect_ai.analysis import evals_df, samples_df
from inspect_ai.log import EvalLog, headline_metric, list_eval_logs, read_eval_log, read_eval_log_sample_summaries

from judgescale.harness import runner
from judgescale.harness.exports.__main__ import main

pytestmark = [pytest.mark.inspect, pytest.mark.filterwarnings("ignore")]  # their own
EVIL = "<think>why\x00</think><img src=x onerror=alert(1)>\u202e\x1b[2J"


def export(run: Path, capsys: pytest.CaptureFixture[str]) -> list[Path]:
    main(["inspect", str(run)])
    return [Path(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def live(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live run of which some judgments are unusable in every way, and whose texts are hostile."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("runs") / "live"
    store = f"run.store={folder.parent / 's.sqlite'}"
    runner.run([composed("task=sanity", "judge=random", "strategy.k=3", "run.limit=8", store)], folder, show=False)
    table = pq.read_table(folder / "judgments.parquet")
    rows = [row | {"text": EVIL, "prompt_tokens": 7, "completion_tokens": 5} for row in table.to_pylist()]
    for row, status in zip(rows, ("unparsed", "truncated", "refused", "failed")):
        row |= {"status": status, "scores": None, "text": None if status == "failed" else EVIL}
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / "judgments.parquet")
    return folder


def read_one(run: Path, capsys: pytest.CaptureFixture[str]) -> EvalLog:
    (path,) = export(run, capsys)
    return read_eval_log(path.as_posix())


def test_a_live_run_is_all_there(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = read_one(live, capsys)
    arm = json.loads((live / "summary.json").read_text())["arms"][0]
    assert (log.version, log.status, log.eval.model, log.eval.task) == (2, "success", "random", "sanity")
    assert (log.eval.config.epochs, log.eval.config.epochs_reducer) == (3, ["voting"])
    assert log.eval.metadata["signature"] == arm["signature"] and log.eval.metadata["k"] == 3
    resolved = headline_metric(log)
    assert resolved.metric.value == arm["headline"]["value"] and resolved.score.reducer == "voting"
    metrics = log.results.scores[0].metrics
    sections = {m.name: m.value for m in metrics.values() if m.group == "accuracy"}
    assert sections == {name: section["value"] for name, section in arm["sections"].items()}
    low, high = arm["headline"]["ci"]
    assert metrics["stderr"].value == pytest.approx((high - low) / 3.92, rel=1e-4)
    (reduced,) = log.reductions
    assert reduced.reducer == "voting" and len(reduced.samples) == 8
    ours = sum(s.metadata["weight"] * s.value for s in reduced.samples)
    assert ours == pytest.approx(arm["headline"]["value"])
    assert len(log.samples) == 24 and {s.epoch for s in log.samples} == {1, 2, 3}
    assert log.stats.model_usage["random"].total_tokens == 24 * 12


def test_how_a_judgment_looks(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = read_one(live, capsys)
    by_status = {sample.metadata["status"]: sample for sample in log.samples}
    stops = {name: s.output.choices and s.output.stop_reason for name, s in by_status.items()}
    assert stops == {
        "ok": "stop",
        "unparsed": "stop",
        "truncated": "max_tokens",
        "refused": "content_filter",
        "failed": [],
    }
    assert by_status["failed"].error.message.startswith("the engine gave up")
    assert by_status["unparsed"].scores["judgescale"].reason == "invalid_response_format"
    assert log.results.completed_samples == 23
    fine = by_status["ok"]
    reasoning, text = fine.output.message.content
    assert reasoning.reasoning == "why\x00" and text.text == EVIL.partition("</think>")[2]
    assert fine.messages[0].role == "user" and len(fine.choices) == 2 and fine.target in ("A", "B")
    score = fine.scores["judgescale"]
    assert isnan(score.value) or (score.answer == fine.target) == (score.value == 1)
    known = [s for s in log.samples if not isnan(s.scores["judgescale"].value)]
    assert known and all((s.scores["judgescale"].answer == s.target) == s.scores["judgescale"].value for s in known)


def test_a_recorded_run_of_two_arms(composed: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = evaluate(composed, tmp_path / "ties", "experiment=rewardbench2_scalar", "run.limit=60")
    paths = export(run, capsys)
    arms = json.loads((run / "summary.json").read_text())["arms"]
    assert len(list_eval_logs((run / "export" / "inspect").as_posix())) == len(arms) == 2
    for path, arm in zip(paths, arms, strict=True):
        log = read_eval_log(path.as_posix())
        assert headline_metric(log).metric.value == arm["headline"]["value"] and log.eval.model == arm["judge"]
        assert "recorded by name only" in log.samples[0].input and not log.samples[0].output.completion
        units = log.reductions[0].samples
        assert sum(len(unit.metadata.get("items", [0])) for unit in units) == arm["items"] == log.eval.dataset.samples
        assert (
            log.results.scores[0].metadata["mean_of_reduced_scores"] != arm["headline"]["value"]
        )  # sections count alike


def test_data_frames(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = export(live, capsys)
    frame = samples_df(path.as_posix())
    assert len(frame) == 24 and frame["sample_id"].is_unique and sum(map(bool, frame["error"])) == 1
    (row,) = evals_df(path.as_posix()).to_dict("records")
    value = json.loads((live / "summary.json").read_text())["headline"]["value"]
    assert row["score_headline_value"] == pytest.approx(value) and row["model"] == "random"
    assert len(read_eval_log_sample_summaries(path.as_posix())) == 24


def test_inspect_itself_dumps_converts_and_bundles(
    live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = export(live, capsys)
    inspect = [sys.executable, "-m", "inspect_ai"]
    dumped = subprocess.run([*inspect, "log", "dump", str(path)], capture_output=True, text=True, timeout=120)
    assert dumped.returncode == 0 and len(json.loads(dumped.stdout)["samples"]) == 24, dumped.stderr
    bundle = ["view", "bundle", "--log-dir", str(path.parent), "--output-dir", str(tmp_path / "site")]
    done = subprocess.run([*inspect, *bundle], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    assert [log.name for log in (tmp_path / "site").rglob("*.eval")] == [path.name]


def test_an_export_again_is_the_same_log(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = export(live, capsys)
    names = sorted(zipfile.ZipFile(first).namelist())
    (second,) = export(live, capsys)
    assert first == second and sorted(zipfile.ZipFile(second).namelist()) == names
    assert [found.name for found in first.parent.iterdir()] == [first.name]
