"""`judgescale export`: the command, and lm-eval's files; what needs the tools themselves is in the lane."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import conftest
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from finished.runs import Compose, evaluate, finish

from judgescale.harness import command, exports, runner
from judgescale.harness.exports import Format, _arms
from judgescale.harness.exports.__main__ import main
from judgescale.harness.exports._arms import list_exported_arms, split_thought
from judgescale.harness.finished import run as finished_run
from judgescale.harness.finished.run import read_run
from judgescale.harness.plan import plan_arms
from judgescale.harness.runner import evaluate_all
from judgescale.harness.types import JudgescaleError

say = partial(conftest.say, main)
refuse = partial(conftest.refuse, main)
EVIL = "<think>a\x00</think><script>alert(1)</script>\u202e\x1b[2J\r\n{{7*7}}"


@pytest.fixture(scope="module")
def live(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live run with its texts."""
    folder = tmp_path_factory.mktemp("runs") / "live"
    store = f"run.store={folder.parent / 's.sqlite'}"
    runner.run([composed("task=sanity", "judge=random", "strategy.k=3", "run.limit=8", store)], folder, show=False)
    return folder


@pytest.fixture(scope="module")
def recorded(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run whose ties are scored several items together, of two judges."""
    return evaluate(
        composed, tmp_path_factory.mktemp("runs") / "ties", "experiment=rewardbench2_scalar", "run.limit=60"
    )


def spoil(run: Path, to: Path, **columns: object) -> Path:
    """Copy a run with other values in columns of judgments.parquet, in every row."""
    shutil.copytree(run, to)
    table = pq.read_table(to / "judgments.parquet")
    rows = [row | columns for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), to / "judgments.parquet")
    return to


def read_exported(folder: Path) -> tuple[dict, dict[str, list[dict]]]:
    """Read the one results file in a folder, and the samples by task."""
    (results,) = folder.rglob("results_*.json")
    samples = {}
    for path in results.parent.glob("samples_*.jsonl"):
        samples[path.name[8:].rpartition("_")[0]] = list(map(json.loads, path.read_text().splitlines()))
    return json.loads(results.read_text(), parse_constant=pytest.fail), samples


def test_lm_eval_files_of_a_live_run(live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.run_command(["export", "lm_eval", str(live), "--out", str(tmp_path)])
    printed = capsys.readouterr().out.split("\n")[:-1]
    assert {Path(line) for line in printed} == {path for path in tmp_path.rglob("*") if path.is_file()}
    found, samples = read_exported(tmp_path)
    summary = json.loads((live / "summary.json").read_text())
    headline, (low, high) = summary["headline"], summary["headline"]["ci"]
    group = found["groups"]["sanity"]
    assert group["acc,voting"] == headline["value"]
    assert group["acc_stderr,voting"] == pytest.approx((high - low) / 3.92, rel=1e-4)
    for section, task in zip(summary["sections"], found["group_subtasks"]["sanity"], strict=True):
        assert found["results"][task]["acc,voting"] == summary["sections"][section]["value"]
        assert found["results"][task]["alias"] == section
        assert found["results"][task]["sample_len"] == len(samples[task]) == found["n-samples"][task]["effective"]
    every = [sample for task in samples.values() for sample in task]
    assert sum(s["doc"]["weight"] * s["acc"] for s in every) == pytest.approx(headline["value"])
    texts = {}
    for row in pq.read_table(live / "judgments.parquet").to_pylist():
        texts.setdefault(row["item"], []).append(row["text"])
    assert all(sample["resps"] == [texts[sample["doc"]["id"]]] for sample in every)
    for sample in every:
        (item,) = sample["doc"]["items"]
        right = sample["filtered_resps"] == [sample["target"]]
        assert len(item["responses"]) == 2 and right == (sample["acc"] == 1)
        assert "user: " in sample["arguments"]["gen_args_0"]["arg_0"]


def test_arms_of_one_judge_are_filters(composed: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ("experiment=rewardbench2_samples", "run.limit=8", "run.draws=20", "judge.names=[GPT-5.4]")
    plans = [("strategy=voting",), ("strategy=elo",), ("strategy=elo", "strategy.passes=2")]
    arms = [arm for more in plans for arm in plan_arms(composed(*base, *more, "strategy.k=3"))]
    run = finish(evaluate_all(arms), tmp_path / "run")
    say(capsys, "lm_eval", str(run))
    found, samples = read_exported(run / "export" / "lm_eval")
    values = [arm["headline"]["value"] for arm in json.loads((run / "summary.json").read_text())["arms"]]
    names = ["voting", "elo-2", "elo-3"]
    assert [found["groups"]["rewardbench2"][f"acc,{name}"] for name in names] == values
    assert sorted({s["filter"] for task in samples.values() for s in task}) == sorted(names)
    assert found["model_name"].startswith("GPT-5.4")


def test_a_recorded_run_without_texts(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say(capsys, "lm_eval", str(recorded), "--out", str(tmp_path))
    (results, _) = sorted(tmp_path.rglob("results_*.json"))
    ties = json.loads(next(results.parent.glob("samples_*_ties_*")).read_text().splitlines()[0])
    assert len(ties["doc"]["items"]) == 2 and len(ties["resps"]) == 2 and set(ties["arguments"]) == {
        "gen_args_0", "gen_args_1"}  # fmt: skip
    assert "its texts are not here: recorded by name only" in ties["arguments"]["gen_args_0"]["arg_0"]
    assert json.loads(ties["resps"][0][0])["scores"]


def test_what_a_judgment_earns_alone(live: Path, recorded: Path) -> None:
    (arm,) = list_exported_arms(read_run(live))
    rows = arm.judgments.to_pylist()
    assert list(arm.own) == [float(r["gold"][r["scores"].index(max(r["scores"]))] == 1) for r in rows]
    two = list_exported_arms(read_run(recorded))
    assert [set(arm.judgments["judge"].to_pylist()) for arm in two] == [{arm.result.judge} for arm in two]
    ties = [own for arm in two for row, own in zip(arm.judgments.to_pylist(), arm.own) if row["subset"] == "Ties"]
    assert ties and set(ties) == {None}  # scored together: a judgment has no credit of its own


def test_credits_that_are_not_what_the_item_earned_are_not_told(live: Path) -> None:
    (arm,) = list_exported_arms(read_run(live))
    items = sorted(set(arm.judgments["item"].to_pylist()))
    wrong = {item: [2.0] for item in items[1:]}
    own = _arms.credit_alone(arm.judgments, arm.result.signature, wrong)
    assert set(own) == {None}


def test_hostile_and_unusable_judgments(live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = spoil(live, tmp_path / "evil", text=EVIL, status="refused", scores=None)
    arms = json.loads((evil / "summary.json").read_text())
    arms["arms"][0]["judge"] = "../../\x1b[2J\u202e/etc"
    arms["arms"][0]["sections"] = {"../up": arms["headline"], "NaN": {**arms["headline"], "value": None, "ci": None}}
    (evil / "summary.json").write_text(json.dumps(arms))
    out = tmp_path / "out"
    printed = say(capsys, "lm_eval", str(evil), "--out", str(out))
    assert "\x1b" not in printed and "\u202e" not in printed
    found, _ = read_exported(out)
    assert all(path.resolve().is_relative_to(out) for path in tmp_path.rglob("results_*"))
    assert "acc,voting" in found["results"]["sanity_up"] and "acc,voting" not in found["results"]["sanity_nan"]
    arms["arms"][0]["headline"]["value"] = None
    (evil / "summary.json").write_text(json.dumps(arms))
    assert "no arm of this run has a headline that is a number" in refuse(
        capsys, "lm_eval", str(evil), "--out", str(tmp_path / "none" / "deep")
    )
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("<think>a</think>\n\nb", ("a", "b")),
        ("a</think>b", ("a", "b")),
        ("<think>cut", ("cut", "")),
        ("only this", ("", "only this")),
        ("", ("", "")),
    ],
)
def test_thoughts(text: str, split: tuple[str, str]) -> None:
    assert split_thought(text) == split


def test_the_command_lists_formats_and_refuses_others(
    live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert stopped.value.code == 0
    assert all(" ".join(exports.load_format(name).explain.split()) in told for name in exports.list_formats())
    assert "did you mean inspect?" in refuse(capsys, "inspekt", str(live))
    assert "give options of the task" in refuse(capsys, "lm_eval", str(live), "--texts", "seed=1")
    for place in ("a/0", "b/0"):
        shutil.copytree(live, tmp_path / place)
    twins = refuse(capsys, "lm_eval", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out"))
    assert "one name" in twins and not (tmp_path / "out").exists()
    lacking = Format("x", lambda *given: pytest.fail("written"), needs=("no_such_package_",), extra="inspect")
    monkeypatch.setattr(exports, "load_format", lambda name: lacking)
    assert "needs no_such_package_, which is not installed: pip install" in (
        line := refuse(capsys, "inspect", str(live))
    )
    assert "[inspect]" in line and not (live / "export").exists()


def test_texts_of_another_benchmark_are_not_shown(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = read_run(live)
    (arm,) = list_exported_arms(run)
    items, name = dict(run.items["sanity"]), arm.judgments["item"][0].as_py()
    items[name] = next(item for item in items.values() if item.gold != items[name].gold)
    monkeypatch.setattr(finished_run, "read_items", lambda *given: (items, ""))
    (shown,) = list_exported_arms(read_run(live))
    assert arm.items and not shown.items and "have other labels" in shown.no_texts and name in shown.no_texts


def test_a_damaged_run_is_refused(live: Path, tmp_path: Path) -> None:
    shutil.copytree(live, tmp_path / "x")
    (tmp_path / "x" / "judgments.parquet").write_bytes(b"no")
    with pytest.raises(JudgescaleError, match="judgments.parquet"):
        read_run(tmp_path / "x")
