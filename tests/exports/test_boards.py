"""Exports for boards: what stands in their files, by the runs they are made of. The owners' readers are in a lane."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import uuid
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import conftest
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from board_runs import Compose, evaluate, read_json, read_lines, write
from shapes import REWARDBENCH, put

from judgescale.harness import runner
from judgescale.harness.exports.__main__ import main
from judgescale.harness.exports._boards import list_arms, read_models
from judgescale.harness.finished.run import FinishedRun, read_run
from judgescale.harness.types import JudgescaleError

refuse = partial(conftest.refuse, main)
SCALAR = "Skywork/Skywork-Reward-V2-Llama-3.1-8B"


@pytest.fixture(scope="module")
def live(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Four judgments an item, with their texts, by a judge that guesses."""
    folder = tmp_path_factory.mktemp("boards") / "live"
    store = f"run.store={folder.parent / 's.sqlite'}"
    cfg = composed("task=sanity", "judge=random", "strategy=voting", "strategy.k=4", "run.limit=6", store)
    runner.run([cfg], folder, show=False)
    return read_run(folder)


@pytest.fixture(scope="module")
def scalar(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """RewardBench 2 by two scalar reward models, named as on the Hub."""
    return read_run(evaluate(tmp_path_factory.mktemp("boards") / "r", composed("experiment=rewardbench2_scalar")))


@pytest.fixture(scope="module")
def sweep(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """One generative judge on a part of RewardBench 2, at two k."""
    asked = ("experiment=rewardbench2_generative", "judge.names=[Skywork/Skywork-Critic-Llama-3.1-8B]")
    configs = [composed(*asked, f"strategy.k={k}") for k in (2, 6)]
    return read_run(evaluate(tmp_path_factory.mktemp("boards") / "sweep", *configs))


def test_every_eval_ever_has_every_judgment_of_a_live_run(live: FinishedRun, tmp_path: Path) -> None:
    record_path, samples_path = write("every_eval_ever", live, tmp_path, "--model", "me/guess")
    record, lines, result = read_json(record_path), read_lines(samples_path), live.results[0]
    assert record_path.parent == tmp_path / "data/sanity/me/guess"
    assert uuid.UUID(record_path.stem).version == 4 and samples_path.name == f"{record_path.stem}_samples.jsonl"
    detailed = record["detailed_evaluation_results"]
    assert detailed["file_path"] == samples_path.relative_to(tmp_path).as_posix() and detailed["total_rows"] == 6
    assert detailed["checksum"] == hashlib.sha256(samples_path.read_bytes()).hexdigest()
    first = record["evaluation_results"][0]
    assert first["score_details"]["score"] == result.headline.value
    assert first["generation_config"]["generation_args"]["temperature"] == 1.0
    assert first["generation_config"]["additional_details"]["strategy"] == "voting"
    assert first["source_data"]["source_type"] == "other"  # generated: on no Hub
    assert "llm_scoring" not in first["metric_config"] and record["eval_library"]["name"] == "judgescale"
    rows = live.judgments.to_pylist()
    for line in lines:
        own = [row for row in rows if row["item"] == line["sample_id"]]
        assert line["output"]["raw"] == [row["text"] for row in own] and len(own) == 4
        assert (line["evaluation_id"], line["model_id"]) == (record["evaluation_id"], "me/guess")
        item = live.items["sanity"][line["sample_id"]]
        assert line["input"]["reference"] == [text for text, gold in zip(item.texts, item.gold) if gold]
        assert line["input"]["raw"].endswith(item.conversation[-1][1])
        assert line["answer_attribution"][-1]["extraction_method"] == "voting@4"
        assert len(line["sample_hash"]) == 64 and "error" not in line


def test_every_eval_ever_again_writes_the_same_files(live: FinishedRun, tmp_path: Path) -> None:
    one, other = (write("every_eval_ever", live, tmp_path, "--model", "me/guess") for _ in range(2))
    assert one == other and len(list(tmp_path.rglob("*.json*"))) == 2


def test_every_eval_ever_without_texts_has_none(live: FinishedRun, tmp_path: Path) -> None:
    _, samples = write("every_eval_ever", live, tmp_path, "--model", "me/guess", "--no-texts")
    said = samples.read_text(encoding="utf-8")
    for item in live.items["sanity"].values():
        assert not any(json.dumps(text)[1:-1] in said for text in (item.conversation[-1][1], *item.texts))
    assert all(
        json.loads(raw) in ([0.0, 1.0], [1.0, 0.0]) for line in read_lines(samples) for raw in line["output"]["raw"]
    )


def test_every_eval_ever_takes_whatever_texts_hold(live: FinishedRun, tmp_path: Path) -> None:
    hostile = "half \ud800, line\u2028end\x85, \x00, \u202etxt"
    items = {
        name: dataclasses.replace(item, texts=tuple(hostile for _ in item.texts))
        for name, item in live.items["sanity"].items()
    }
    run = dataclasses.replace(live, items={"sanity": items})
    _, samples = write("every_eval_ever", run, tmp_path, "--model", "me/guess")
    lines = read_lines(samples)
    assert len(lines) == 6 and lines[0]["input"]["choices"][0] == hostile.replace("\ud800", "\\ud800")


def test_every_eval_ever_scores_are_made_of_its_lines(scalar: FinishedRun, tmp_path: Path) -> None:
    record_path, samples, other, _ = write("every_eval_ever", scalar, tmp_path)
    assert [path.parent.name for path in (record_path, other)] == [r.judge.split("/")[1] for r in scalar.results]
    record, of_result = read_json(record_path), defaultdict(list)
    lines = read_lines(samples)
    for line in lines:
        of_result[line["evaluation_result_id"]].append(line["evaluation"]["score"])
    assert len(lines) == 1763 + 51 and len({line["sample_id"] for line in lines}) == len(lines)
    result, found = scalar.results[0], {r["evaluation_result_id"]: r for r in record["evaluation_results"]}
    assert set(found) == {"overall", *(f"section:{name}" for name in result.sections)}
    for name, estimate in result.sections.items():
        one = found[f"section:{name}"]
        assert np.mean(of_result[f"section:{name}"]) == pytest.approx(estimate.value)
        assert one["source_data"]["hf_repo"] == "allenai/reward-bench-2"
        assert one["metric_config"]["min_score"] <= estimate.value <= one["metric_config"]["max_score"]
        uncertainty = one["score_details"]["uncertainty"]
        assert uncertainty["num_samples"] == estimate.items
        ci = uncertainty["confidence_interval"]
        assert (ci["lower"], ci["upper"]) == estimate.ci
        assert 3 < (ci["upper"] - ci["lower"]) / uncertainty["standard_error"]["value"] < 5
    error = found["section:Factuality"]["score_details"]["uncertainty"]["standard_error"]["value"]
    value = result.sections["Factuality"].value
    assert error == pytest.approx(np.sqrt(value * (1 - value) / 475), rel=0.01)
    assert found["section:Ties"]["metric_config"]["max_score"] == 1.01
    assert found["section:Ties"]["metric_config"]["metric_id"] == "rewardbench2.ties"
    assert found["section:Math"]["metric_config"]["metric_id"] == "accuracy"


def test_arms_of_one_model_have_files_of_their_own(sweep: FinishedRun, tmp_path: Path) -> None:
    records = [read_json(p) for p in write("every_eval_ever", sweep, tmp_path) if p.suffix == ".json"]
    assert len({record["evaluation_id"] for record in records}) == 2
    ks = [record["evaluation_results"][0]["metric_config"]["metric_parameters"]["k"] for record in records]
    assert ks == [2, 6]
    assert [arm.variant for arm in list_arms(sweep, [])] == ["voting_k2", "voting_k6"]
    made = write("rewardbench", sweep, tmp_path)
    assert [path.name for path in made[::2]] == [f"Skywork-Critic-Llama-3.1-8B-voting_k{k}.json" for k in (2, 6)]
    made = write("hub", sweep, tmp_path, "--task-id", "default", "--partial")
    assert [path.name for path in made] == ["rewardbench2_voting_k2.yaml", "rewardbench2_voting_k6.yaml"]


def test_hub_entries(scalar: FinishedRun, tmp_path: Path) -> None:
    page = ("--source-url", "https://example.org/run", "--source-name", "a run")
    made = write("hub", scalar, tmp_path, "--task-id", "default", "--task-id", "Math=math", *page)
    assert made[0] == tmp_path / SCALAR / ".eval_results/rewardbench2.yaml"
    whole, math = yaml.safe_load(made[0].read_text(encoding="utf-8"))
    assert whole["dataset"] == {"id": "allenai/reward-bench-2", "task_id": "default"}
    assert math["dataset"]["task_id"] == "math" and math["value"] == 77.6
    assert whole["value"] == 84.02 and whole["date"] == "2026-11-29T00:33:33+00:00"
    assert whole["source"] == {"url": "https://example.org/run", "name": "a run"}
    result = scalar.results[0]
    low, high = (100 * end for end in result.headline.ci or ())
    assert whole["notes"].startswith(
        f"95 % interval [{low:.2f}, {high:.2f}]; 1865 items; single, k=1; protocol rewardbench2"
    )
    assert whole["notes"].endswith(f"signature {result.signature}")
    share = yaml.safe_load(write("hub", scalar, tmp_path, "--task-id", "x", "--unit", "fraction")[0].read_text())
    assert share[0]["value"] == 0.8402


def test_the_hub_asks_for_what_it_does_not_know(
    live: FinishedRun, sweep: FinishedRun, scalar: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run, part, whole = (str(one.folder) for one in (live, sweep, scalar))
    assert "judge random: which model is it? Add --model 'random=OWNER/NAME'" in refuse(capsys, "hub", run)
    named = ("--model", "me/guess")
    assert "sanity: no data set of the Hub is known for it; add --dataset OWNER/NAME" in refuse(
        capsys, "hub", run, *named
    )
    named = (*named, "--dataset", "me/sanity")
    assert "--task-id: say under which id" in refuse(capsys, "hub", run, *named)
    assert "not the whole benchmark (limit=6" in refuse(capsys, "hub", run, *named, "--task-id", "x")
    assert "(not of all official items); --partial" in refuse(capsys, "hub", part, "--task-id", "x")
    assert "Maths=x: no such section; the run has Factuality" in refuse(capsys, "hub", whole, "--task-id", "Maths=x")
    assert "--dataset ../x: give OWNER/NAME" in refuse(capsys, "hub", whole, "--task-id", "x", "--dataset", "../x")
    assert "needs --source-url" in refuse(capsys, "hub", whole, "--task-id", "x", "--source-name", "n")


@pytest.mark.parametrize("name", ["random", "../x", "a/..", "a/b/c", "a/b ", "/b", "a/", "a/b.", ".a/b", "a/b\n"])
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(JudgescaleError, match="give OWNER/NAME"):
        read_models([f"j={name}"], ["j"])


def test_a_model_is_named_for_a_judge_of_the_run() -> None:
    assert read_models(["a=b=x/y"], ["a=b"]) == {"a=b": "x/y"} and read_models(["x/y"], ["a", "a"]) == {"": "x/y"}
    with pytest.raises(JudgescaleError, match=re.escape("--model c=x/y: no such judge in the run, which has a, b")):
        read_models(["c=x/y"], ["a", "b"])
    with pytest.raises(JudgescaleError, match="the run has 2 judges; say whose it is: JUDGE=x/y"):
        read_models(["x/y"], ["a", "b"])


def test_rewardbench_refuses_other_benchmarks(live: FinishedRun, capsys: pytest.CaptureFixture[str]) -> None:
    line = refuse(capsys, "rewardbench", str(live.folder))
    assert line.endswith("a run of sanity; this format is for rewardbench and rewardbench2")


def test_rewardbench2_has_the_scores_of_every_item(scalar: FinishedRun, tmp_path: Path) -> None:
    numbers, items = map(read_json, write("rewardbench", scalar, tmp_path, "--model-type", "Seq. Classifier")[:2])
    result = scalar.results[0]
    assert numbers == {name: e.value for name, e in result.subsets.items()} | {
        "model": SCALAR, "model_type": "Seq. Classifier", "chat_template": None
    }  # fmt: skip
    rows = {row["item"]: row for row in scalar.judgments.to_pylist() if row["judge"] == SCALAR}
    assert len(items["id"]) == len(rows) == 1865
    for name, subset, scores, count in zip(items["id"], items["subset"], items["scores"], items["num_correct"]):
        row = rows[f"{subset}/{name}"]
        assert count == sum(row["gold"]) and sorted(scores) == sorted(row["scores"])
        assert sorted(scores[:count]) == sorted(s for s, g in zip(row["scores"], row["gold"]) if g)
    of_ties = [r for r, subset in zip(items["results"], items["subset"]) if subset == "Ties"]
    assert of_ties == [None] * 102 and not any(r is None for r in items["results"][: -len(of_ties)])


def test_rewardbench_puts_the_chosen_answer_first_whatever_was_shown_first(composed: Compose, tmp_path: Path) -> None:
    rows = [REWARDBENCH | {"id": i, "prompt": f"q{i}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(8)]
    asked = (
        "task=rewardbench",
        f"task.path={put(tmp_path / 'filtered.jsonl', rows)}",
        "judge=random",
        "strategy=voting",
    )
    cfg = composed(*asked, "strategy.k=2", f"run.store={tmp_path / 's.sqlite'}")
    runner.run([cfg], tmp_path / "run", show=False)
    run = read_run(tmp_path / "run")
    numbers, items = map(read_json, write("rewardbench", run, tmp_path / "out", "--model", "me/guess"))
    assert numbers["model_type"] == items["model_type"] == "Generative"
    for name, *turns in zip(items["id"], items["text_chosen"], items["text_rejected"]):
        assert [t[-1]["content"] for t in turns] == [f"good {name}", f"bad {name}"]
        assert all(t[:-1] == [{"role": "user", "content": f"q{name}"}] for t in turns)
    credits = {
        r["item"]: r["credit"] for r in pq.read_table(tmp_path / "run/credits.parquet").to_pylist() if r["k"] == 2
    }
    for name, chosen, rejected, earned in zip(
        *(items[c] for c in ("id", "scores_chosen", "scores_rejected", "results"))
    ):
        assert earned == credits[f"math-prm/{name}"] == (0.5 if chosen == rejected else float(chosen > rejected))
    assert np.mean(items["results"]) == pytest.approx(numbers["math-prm"])


def test_one_file_a_model_by_the_command(
    scalar: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: Any = conftest.say(main, capsys, "rewardbench", str(scalar.folder), "--out", str(tmp_path))
    assert [Path(line).relative_to(tmp_path).as_posix() for line in said.split()] == [
        f"{kind}/{result.judge}.json" for result in scalar.results for kind in ("eval-set", "eval-set-scores")
    ]
