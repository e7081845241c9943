"""Suites: members with their own protocols, one judge, and the mean that a paper prints."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, run
from fakes import arm, recorded_set
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from shapes import GPT4, REWARDBENCH, answers, best_of, mistake, pair, put, vote

from judgescale.harness.command import main
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.options import build
from judgescale.harness.plan.common import FOR_HARNESS
from judgescale.harness.plan.overrides import drop_given, replace_overrides
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.scorecard.card import fill_from_results
from judgescale.harness.scorecard.layout import lay_out
from judgescale.harness.strategies.single import Single
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.suite import Evaluation, average_headlines, read_suite
from judgescale.harness.types import JudgescaleError, Judgment, Record, Rules, Task
from judgescale.tasks.rewardbench import FOUR

SUITES = sorted(p.stem for p in (ROOT / "conf/task").glob("*_suite.yaml"))


def grm_files(folder: Path) -> dict[str, Path]:
    """A few made-up rows of each member's documented shape: no owner's text, and no Hub."""
    subsets = [subset for subsets in FOUR.values() for subset in subsets]
    put(
        folder / "rb.jsonl",
        [REWARDBENCH | {"id": i, "subset": subset, "prompt": f"q{i}"} for i, subset in enumerate(subsets)],
    )
    winners = ("model_a", "model_b", "tie") * 4
    put(folder / "pref.jsonl", [vote(w, question_id=f"{i}", prompt=f"q{i}") for i, w in enumerate(winners)])
    for name in ("MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval"):
        put(
            folder / f"ppe/{name}.jsonl",
            [answers([True, False], [[0, 1]], question_id=f"{i}", prompt=f"{name} {i}") for i in range(4)],
        )
    for kind in ("Helpfulness", "Harmlessness"):
        asked = [[{"role": "user", "content": f"q{i}"}] for i in range(4)]
        put(
            folder / f"rmb/Pairwise_set/{kind}.jsonl",
            [pair(i, f"Pairwise_set/{kind}/X", conversation_input=said) for i, said in enumerate(asked)],
        )
        put(folder / f"rmb/BoN_set/{kind}.jsonl", [best_of(i, 2, f"BoN_set/{kind}/X") for i in range(4)])
    for task in ("math_word_problem_generation", "finegrained_fact_verification", "answerability_classification"):
        put(
            folder / f"errors/{task}/{GPT4}.jsonl",
            [
                mistake(i, label=label, metadata={"id": f"{task}_{i}", "llm_response_model": GPT4})
                for i, label in enumerate(("error", "no_error") * 2)
            ],
        )
    return {
        "rewardbench": folder / "rb.jsonl",
        "ppe_preference": folder / "pref.jsonl",
        "ppe_correctness": folder / "ppe",
        "rmb": folder / "rmb",
        "realmistake": folder / "errors",
    }


@pytest.mark.parametrize("name", SUITES)
def test_every_member_is_a_task_with_a_protocol_and_a_place_for_a_local_copy(composed, name):
    cfg = composed(f"task={name}")
    chosen = read_suite(cfg)
    assert chosen.name == name and set(chosen.metrics) | set(chosen.mean) <= set(cfg.task.paths)
    tasks = []
    for member in chosen.members:
        own = composed(*member, "engine.path=x")
        assert isinstance(build(own.task, "task", drop=FOR_HARNESS), Task) and own.protocol.tie
        tasks.append(build(own.task, "task", drop=FOR_HARNESS).name)
    assert list(cfg.task.paths) == list(cfg.task.sets) == list(dict.fromkeys(tasks))


def test_the_command_line_wins_over_a_member_and_paths_reach_theirs(composed):
    cfg = composed("task=rrm_suite", "task.paths.pandalm=/a folder/x", "task.sets.pandalm=y")
    member = next(m for m in read_suite(cfg).members if m[0] == "task=pandalm")
    assert member[-2:] == ("task.path='/a folder/x'", "engine.path='y'")
    given = ["judge=random", "task=rrm_suite", "strategy.k=2", "task.paths.pandalm=x", "protocol=common"]
    assert replace_overrides(given, drop_given(given, member)) == [
        "judge=random",
        "strategy.k=2",
        "protocol=common",
        "task=pandalm",
        "strategy=voting",
        *member[-2:],
    ]
    assert read_suite(composed("task=rmb")) is None
    with pytest.raises(JudgescaleError, match="task.paths.rmb: the suite has rewardbench, pandalm"):
        read_suite(composed("task=rrm_suite", "+task.paths.rmb=x"))


def judge_members(composed, judge, samples=1, **about):
    """Three pairs of each member stand in for all of them."""
    shape = {"rewardbench": FOUR["Chat"], "ppe_preference": [""], "ppe_correctness": ["MATH/m"], "rmb": ["Helpfulness"]}
    found = []
    for name, subsets in shape.items():
        rows = [
            Record(
                prompt=f"{s}/{i}",
                cluster=f"{s}/{i}",
                subset=s,
                responses=("a", "b"),
                gold=(1.0, 0.0),
                judgment=Judgment(judge="j", shown=(0, 1), scores=(float(i + at % 2), 1.0), sample=at),
            )
            for s in subsets
            for i in range(3)
            for at in range(samples)
        ]
        cfg = composed(f"task={name}", "engine.path=x")
        task, rules = build(cfg.task, "task", drop=FOR_HARNESS), Rules(**cfg.protocol)
        whole = Counter(task.section(item) for item in task.load(recorded_set(rows)))
        task = replace(task, sizes=dict(whole), rollups={})
        rules = replace(rules, rollup=rules.rollup if name != "rewardbench" else "sections")
        strategy, ks = (Single(), [1]) if samples == 1 else (Voting(), [1, samples])
        judgments = RecordedJudgments(recorded_set(rows, **about), ("j",))
        mine = replace(arm(rows, strategy, ks, task, rules), judge=judge, judgments=judgments)
        found.append(Evaluation(mine, *evaluate(mine)))
    return found


def test_a_mean_of_other_quantities_is_not_held_against_the_published_one(composed):
    found = judge_members(composed, "Skywork-Reward-Gemma-2-27B")
    own = read_suite(composed("task=grm_suite"))

    def average(found):
        (result,) = average_headlines(own, found)
        return [p.value for p in result.published if p.delta is not None], {p.reason for p in result.published}

    assert average(found)[0] == [0.669]
    for change in ({"limit": 2}, {"rules": replace(found[1].arm.rules, tie="half")}):
        other = replace(found[1].arm, **change)
        assert average([found[0], Evaluation(other, *evaluate(other)), *found[2:]])[0] == []
    grm = [replace(e.arm, judge="DeepSeek-GRM-27B") for e in found]
    deltas, reasons = average([Evaluation(each, *evaluate(each)) for each in grm])
    assert deltas == [] and "same model, list protocol" in reasons  # that of its RMB figures


def test_a_mean_is_a_cell_of_its_papers_table_and_so_are_its_members(composed):
    own = read_suite(composed("task=grm_suite"))

    def fill(judge):
        found = judge_members(composed, judge, samples=8, temperature=0.5)
        results = [*average_headlines(own, found), *(e.result for e in found)]
        table = lay_out({"judge": [judge], "source": ["arXiv 2504.02495v3 Tables 3/6"], "strategy": ["voting"]})
        entries = fill_from_results(table, results, "run").entries
        return {(e.column, e.printed[0].k): e for e in entries}, results[0]

    filled, mean = fill("CLoud-Gemma-2-27B")
    assert {column for column, _ in filled} == {"RewardBench", "PPE-Preference", "PPE-Correctness", "RMB", "MEAN4"}
    assert all(e.measured and e.difference is not None for e in filled.values())
    of_mean = {point.k: point.estimate.value for point in mean.curve}
    assert {k: e.measured.candidate.value for (column, k), e in filled.items() if column == "MEAN4"} == of_mean
    ours = filled["MEAN4", 1].measured.candidate
    members = [e.measured.candidate for (column, k), e in filled.items() if column != "MEAN4" and k == 1]
    halves = [(c.again[1] - c.again[0]) / 2 for c in members]  # none is cut off at 0 or 1
    independently = sum(half**2 for half in halves) ** 0.5 / 4
    assert ours.again == pytest.approx((ours.value - independently, ours.value + independently))
    assert ours.guess == sum(c.guess for c in members) / 4
    other, _ = fill("DeepSeek-GRM-27B")  # whose paper judged RMB in lists
    assert {str(other[column, 8].verdict) for column in ("RMB", "MEAN4")} == {"not comparable: list protocol"}
    assert other["RewardBench", 8].difference is not None


def test_the_whole_grm_suite_from_local_files(tmp_path):
    """Its shapes only: made-up files stand in for the owners', and the Hub was not reached."""
    paths = [f"task.paths.{name}={path}" for name, path in grm_files(tmp_path / "data").items()]
    done = run(
        "judge=random",
        "task=grm_suite",
        "strategy.k=2",
        *paths,
        f"run.store={tmp_path}/store.sqlite",
        f"hydra.run.dir={tmp_path}/out",
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    whole, *members = summary["arms"]
    assert whole["task"] == "grm_suite" and whole["headline"]["metric"] == "mean accuracy"
    values = {arm["task"]: arm["headline"]["value"] for arm in members}
    counted = ["rewardbench", "ppe_preference", "ppe_correctness", "rmb"]
    assert list(values) == [*counted, "realmistake"]
    assert whole["headline"]["value"] == pytest.approx(sum(values[name] for name in counted) / 4)
    low, high = whole["headline"]["ci"]
    assert low < whole["headline"]["value"] < high
    assert list(whole["sections"]) == [*counted, "realmistake roc_auc"]
    assert whole["sections"]["realmistake roc_auc"] == members[-1]["sections"]["roc_auc"]
    assert whole["items"] == sum(arm["items"] for arm in members)
    protocols = [arm["signature"].split("|protocol:")[1].split("(")[0] for arm in members]
    assert protocols == list(values)  # every benchmark by its owner's rule
    assert "|protocol:each|" in whole["signature"]
    (bought,) = [note for note in whole["notes"] if " answers" in note]
    assert all(bought in arm["notes"] for arm in members) and done.stdout.count(bought) == 1
    curve = (tmp_path / "out/curve.csv").read_text()
    assert curve.count(",grm_suite,overall,") == 2  # k = 1 and 2


COUNTED = ["rewardbench", "ppe_preference", "ppe_correctness", "rmb"]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """ask("rmb", …, option=value): the suite from local files of these members alone, without any Hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no cache"))
    monkeypatch.setenv("COLUMNS", "120")
    files = grm_files(tmp_path / "data")

    def run_suite(*members: str, more: tuple[str, ...] = (), judge: str = "judge=random") -> str:
        monkeypatch.delitem(Singleton._instances, GlobalHydra, raising=False)
        paths = [f"task.paths.{name}={files[name]}" for name in members]
        where = [f"run.store={tmp_path}/store.sqlite", f"hydra.run.dir={tmp_path}/out"]
        main(["task=grm_suite", judge, *paths, *where, *more])
        return capsys.readouterr().out

    return run_suite


def read_arms(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "out/summary.json").read_text())["arms"]


def test_a_suite_runs_what_is_here_and_lists_what_is_missing_before_and_after(ask, tmp_path):
    told = ask("rmb", "ppe_preference", more=("strategy.k=2",))
    arms = read_arms(tmp_path)
    assert [arm["task"] for arm in arms] == ["ppe_preference", "rmb"]  # no mean
    lines = [f"grm_suite: {name} is missing: give task.paths.{name}=FILE_OR_FOLDER" for name in COUNTED[::2]]
    for line in [*lines, "grm_suite: no mean of rewardbench, ppe_preference, ppe_correctness, rmb without rewardbench"]:
        assert all(sum(note.startswith(line) for note in arm["notes"]) == 1 for arm in arms)
        assert told.count(line) == 2 and told.index(line) < told.index("95 % interval") < told.rindex(line)
    assert not any(" rmb is missing" in note for arm in arms for note in arm["notes"])


def test_the_mean_is_made_where_all_that_it_averages_are_here(ask, tmp_path):
    ask(*COUNTED)
    whole, *members = read_arms(tmp_path)
    assert whole["task"] == "grm_suite" and [arm["task"] for arm in members] == COUNTED
    (note,) = [note for note in whole["notes"] if "is missing" in note]
    assert note.startswith("grm_suite: realmistake is missing") and not any("no mean" in n for n in whole["notes"])


def test_every_arm_of_a_comparison_lacks_the_same_and_says_so_once(ask, tmp_path):
    told = ask("rmb", "realmistake", more=("compare=[['strategy=single'],['judge=random','judge.label=other']]",))
    assert Counter(arm["task"] for arm in read_arms(tmp_path)) == {"rmb": 3, "realmistake": 3}
    assert told.count("ppe_preference is missing") == 2  # before and after


def test_a_price_is_told_of_what_is_here(ask, tmp_path):
    told = ask("rmb", more=("--dry",))
    assert [line.split()[:3] for line in told.splitlines() if "voting" in line] == [["random", "voting@1", "rmb"]]
    assert told.count("is missing: give") == 4 and not (tmp_path / "out").exists()


def test_recorded_sets_may_lack_too(ask, tmp_path):
    ask(judge="judge=recorded")  # two members have shipped sets
    arms = read_arms(tmp_path)
    assert {arm["task"] for arm in arms} == {"rmb", "realmistake"}
    assert any("rewardbench is missing: give task.sets.rewardbench=SET.parquet" in note for note in arms[0]["notes"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "task=grm_suite: the data of no member are here; give task.paths.rewardbench=FILE_OR_FOLDER, task.paths."),
        (("task.paths.rmb=typo",), "task.path=typo: there is no such file or folder"),
        (("task.paths.rbm=data",), "task.paths.rbm: no such option; did you mean task.paths.rmb?"),
        ((f"task.paths.rmb={ROOT}/harness",), f"task.path={ROOT}/harness: no data file"),
        (("judge=recorded", "task.sets.rewardbench=typo.parquet"), "typo.parquet does not exist"),
    ],
)
def test_what_is_wrong_is_no_gap(ask, more, says):
    with pytest.raises(SystemExit) as stopped:
        ask(more=more, judge="seed=0" if "judge=recorded" in more else "judge=random")
    assert str(stopped.value).startswith(f"error: {says}") and "\n" not in str(stopped.value)


def test_one_broken_file_stops_the_others_before_anything_is_bought(ask, tmp_path):
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(SystemExit, match="broken.jsonl"):
        ask("realmistake", more=(f"task.paths.rmb={tmp_path}/broken.jsonl",))
    assert not (tmp_path / "store.sqlite").exists()
