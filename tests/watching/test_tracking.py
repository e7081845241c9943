"""Trackers are told what the docs say and no more, and whatever happens to them, the run goes on."""

from __future__ import annotations

import json
import sys
import time

import pytest

from judgescale.harness.runner import run
from judgescale.harness.types import JudgescaleError

TRACKERS = ("wandb", "mlflow", "trackio")


@pytest.fixture
def go(composed, tmp_path, capsys):
    """go("trouble") -> (the results, what the tracker was told, what was printed on stderr, the log)."""

    def go(trouble: str = "null", *more: str, sweep: str | None = None):
        told = tmp_path / "told.jsonl"
        cfg = composed(
            "judge=random", "task=sanity", "task.size=6", "strategy.k=2", f"run.store={tmp_path}/s.sqlite",
            "+tracker._target_=fake_tracker.FakeTracker", f"+tracker.file={told}", f"+tracker.trouble={trouble}", *more,
        )  # fmt: skip
        results = run([cfg], tmp_path / "out", show=False, command="judgescale …", sweep=sweep)
        said = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        return results, said, capsys.readouterr().err, (tmp_path / "out" / "run.log").read_text()

    return go


def test_a_tracker_is_told_config_progress_curves_and_files_and_no_text(go, tmp_path):
    (result,), said, err, _ = go(sweep="a-sweep")
    kinds = [kind for kind, *_ in said]
    assert kinds == ["open", "progress", "progress", "point", "point", "facts", "finish"]
    about = said[0][1]
    assert (about["name"], about["group"]) == ("out", "a-sweep") and about["facts"]["command"] == "judgescale …"
    assert about["config"]["strategy"]["k"] == 2 and "tracker" not in about["config"]
    assert said[2][2]["judgments"] == 12 and said[2][2]["answers_bought"] == 12
    assert [point[1:3] for point in said if point[0] == "point"] == [["random, voting", 1], ["random, voting", 2]]
    assert said[4][3]["accuracy"] == result.headline.value and said[4][3]["judgments_per_item"] == 2
    assert said[5][1]["signature/random, voting"] == result.signature
    assert said[5][1]["headline/random, voting/low"] == result.headline.ci[0]
    assert said[6][1:] == [["summary.json", "config.yaml", "curve.csv", "curve.png", "table.md", "table.csv"], False]
    assert err.count("\n") == 1 and err.startswith("out: judged in")  # what it prints goes nowhere
    texts = [judgment["text"] for judgment in result.judgments if judgment.get("text")]
    assert not any(text in json.dumps(said) for text in texts if len(text) > 20)


@pytest.mark.parametrize(
    ("trouble", "more", "warning"),
    [
        ("open", (), "tracker=fake: RuntimeError: no network at all, Bearer ***; the run goes on without it"),
        ("calls", (), "tracker=fake: OSError: connection lost; the run goes on without it"),
        ("hang", ("+tracker.patience=0.3",), "tracker=fake: was not done 0.3 s after the run (tracker.patience)"),
    ],
)
def test_a_tracker_in_trouble_is_one_warning_and_the_run_goes_on(go, tmp_path, trouble, more, warning):
    begun = time.monotonic()
    (result,), said, err, log = go(trouble, *more)
    assert result.items == 6 and (tmp_path / "out" / "summary.json").is_file()
    assert [line for line in err.splitlines() if line.startswith("tracker")] == [
        next(line for line in err.splitlines() if line.startswith(warning))
    ]
    assert warning in log and time.monotonic() - begun < 30
    if trouble == "calls":  # other calls may still get through
        assert [kind for kind, *_ in said] == ["open", "point", "point", "facts", "finish"]


def test_a_run_that_fails_is_one_that_failed_there_too(go, tmp_path):
    with pytest.raises(JudgescaleError, match="run.budget.tokens"):
        go("null", "run.budget.tokens=1", "run.store=" + str(tmp_path / "other.sqlite"))
    said = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert said[0][0] == "open" and said[-1] == ["finish", [], True]


def test_none_is_imported_where_none_is_asked_for(composed, tmp_path):
    before = {*sys.modules}
    run([composed()], tmp_path / "out", show=False)
    assert not {name for name in {*sys.modules} - before if "harness.trackers" in name or name in TRACKERS}
    assert not (tmp_path / "out" / "run.log").exists()  # nothing was bought


def test_a_tracker_that_is_not_installed_is_refused_before_any_work(composed, tmp_path, monkeypatch):
    monkeypatch.setattr("judgescale.harness.watching.tracking.find_spec", lambda name: None)
    with pytest.raises(JudgescaleError, match=r"^tracker=mlflow needs mlflow: pip install -e '\.\[mlflow\]'$"):
        run([composed("tracker=mlflow")], tmp_path / "out", show=False)
    with pytest.raises(JudgescaleError, match="must name a Tracker"):
        run([composed("+tracker._target_=judgescale.harness.strategies.single.Single")], tmp_path / "out", show=False)
    assert not list(tmp_path.iterdir())


def test_a_tracker_makes_no_other_run_of_a_sweep(composed):
    from judgescale.harness.resume import describe_origins
    from judgescale.harness.sweep import name_folder, name_sweep

    assert describe_origins([composed()])["config"] == describe_origins([composed("tracker=wandb")])["config"]
    words = ["-m", "strategy=elo,voting"]
    assert name_sweep(words) == name_sweep([*words, "tracker=wandb", "tracker.project=mine"])
    assert name_folder("strategy=elo,tracker=wandb") == name_folder("strategy=elo")
