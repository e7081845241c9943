"""Judgments for fine-tuning and for meta RMs: what the rule keeps, and that it is what the judge was asked and said."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import pyarrow.parquet as pq
import pytest
from conftest import refuse
from live_judge import LiveJudge, draw, export, pick

from judgescale.harness.exports.__main__ import main
from judgescale.harness.runner import run

K = 4


def say(item, shown, seed):
    """A GRM's answer of known quality: a fifth of the items is easy, a fifth hopeless; some tie, or say nothing."""
    kind, luck = draw("kind", item.id), draw("luck", item.id, seed, tuple(shown))
    right = kind < 0.2 or (kind < 0.8 and luck < 0.5)
    if kind >= 0.2 and luck > 0.9:
        return f"Sample {seed}: both have merits."
    if kind >= 0.2 and 0.8 < luck <= 0.9:
        return rf"Sample {seed}. \boxed{{7, 7}}"
    scores = [9 if (item.gold[place] >= 1) == right else 4 for place in shown]
    return rf"Sample {seed}. \boxed{{{scores[0]}, {scores[1]}}}"


@pytest.fixture(scope="module")
def grm(composed, tmp_path_factory):
    judge = LiveJudge(say, size=60)
    folder = tmp_path_factory.mktemp("grm") / "run"
    judge.run(composed, folder, "judge=pointwise", f"strategy.k={K}")
    return judge, folder


@pytest.fixture(scope="module")
def judged(grm):
    """What the store says: the judgments of every item, (right, text, status) each."""
    found = defaultdict(list)
    for row in pq.read_table(grm[1] / "judgments.parquet").to_pylist():
        right = row["scores"] is not None and row["scores"][row["gold"].index(1)] > row["scores"][row["gold"].index(0)]
        found[row["item"]].append((right, row["text"], row["status"]))
    return found


def asked_of(row):
    return tuple((turn["role"], turn["content"]) for turn in row)


def test_the_rule_keeps_right_samples_of_items_that_are_neither_too_easy_nor_all_wrong(grm, judged, tmp_path):
    rows, about = export("sampled_judgments", grm[1], tmp_path)
    kept = Counter((row["item"], row["completion"][0]["content"]) for row in rows)
    expected = Counter()
    for item, samples in judged.items():
        if 0 < sum(right for right, *_ in samples) < K:
            expected.update((item, text) for right, text, _ in samples if right)
    assert kept == expected and set(kept.values()) == {1}
    easy = sum(all(right for right, *_ in samples) for samples in judged.values())
    hopeless = sum(not any(right for right, *_ in samples) for samples in judged.values())
    assert about["counts"]["questions all right"] == easy > 0 and about["counts"]["questions all wrong"] == hopeless > 0
    assert about["counts"]["samples"] == 60 * K and about["counts"]["questions"] == 60
    for row in rows:
        assert row["scores"][row["gold"].index(1)] == 9 and not draw("kind", row["item"]) < 0.2


def test_rows_hold_what_the_judge_was_asked_and_what_it_said(grm, judged, tmp_path):
    rows, _ = export("sampled_judgments", grm[1], tmp_path)
    assert {asked_of(row["prompt"]) for row in rows} <= grm[0].asked
    everything, _ = export("meta_rm", grm[1], tmp_path)
    assert {asked_of(row["messages"][:-1]) for row in everything} == grm[0].asked
    for row in rows:
        (answer,) = row["completion"]
        places = [row["prompt"][-1]["content"].index(grm[0].items[row["item"]].texts[place]) for place in row["shown"]]
        assert places == sorted(places)  # in the order shown
        assert answer["role"] == "assistant" and f"{row['scores'][0]:g}, {row['scores'][1]:g}" in answer["content"]


def test_shapes_and_the_most_of_an_item(grm, tmp_path):
    rows, _ = export("sampled_judgments", grm[1], tmp_path)
    messages, _ = export("sampled_judgments", grm[1], tmp_path, "--shape", "messages")
    openrlhf, _ = export("sampled_judgments", grm[1], tmp_path, "--shape", "openrlhf")
    for row, one, two in zip(rows, messages, openrlhf, strict=True):
        assert one["messages"] == row["prompt"] + row["completion"]
        assert (two["input"], two["output"]) == (row["prompt"], row["completion"])
    one, about = export("sampled_judgments", grm[1], tmp_path, "--at-most", "1")
    assert len(one) == len({row["item"] for row in rows}) < len(rows)
    assert about["counts"]["beyond --at-most"] == len(rows) - len(one)
    first = {row["item"]: row for row in reversed(rows)}
    assert all(row == first[row["item"]] for row in one)


def test_unparsed_samples_are_wrong_unless_left_out(grm, judged, tmp_path):
    rows, about = export("sampled_judgments", grm[1], tmp_path)
    left, _ = export("sampled_judgments", grm[1], tmp_path, "--unparsed", "leave_out")
    unparsed = sum(status != "ok" for samples in judged.values() for *_, status in samples)
    assert about["counts"]["without a verdict"] == unparsed > 0
    # an item that only its unparsed samples kept from being all right is now too easy
    only = {
        item
        for item, samples in judged.items()
        if any(right for right, *_ in samples) and all(right or status != "ok" for right, _, status in samples)
    }
    assert {row["item"] for row in rows} - {row["item"] for row in left} == only & {row["item"] for row in rows}


def test_meta_rm_rows_are_labelled_by_the_same_rule(grm, judged, tmp_path):
    rows, about = export("meta_rm", grm[1], tmp_path)
    found = Counter((row["item"], row["messages"][-1]["content"], row["label"]) for row in rows)
    expected = Counter((item, text, int(right)) for item, samples in judged.items() for right, text, _ in samples)
    assert found == expected and len(rows) == 60 * K
    assert about["counts"]["right"] == sum(row["label"] for row in rows)
    assert about["counts"]["right"] + about["counts"]["wrong"] == len(rows)
    unpaired, _ = export("meta_rm", grm[1], tmp_path, "--shape", "unpaired")
    for row, other in zip(rows, unpaired, strict=True):
        assert other["prompt"] + other["completion"] == row["messages"] and other["label"] is bool(row["label"])
    parsed, _ = export("meta_rm", grm[1], tmp_path, "--unparsed", "leave_out")
    assert len(parsed) == sum(row["status"] == "ok" for row in rows) < len(rows)


def test_a_guessing_pairwise_judge_keeps_half_of_what_it_is_split_on(composed, tmp_path):
    folder = LiveJudge(pick(0.5), size=60).run(composed, tmp_path / "run", "judge=pairwise", "strategy.k=2")
    rows, about = export("sampled_judgments", folder, tmp_path / "out")
    split = 60 - about["counts"]["questions all right"] - about["counts"]["questions all wrong"]
    assert len(rows) == split and abs(split / 60 - 0.5) < 3 * 0.5 / 60**0.5  # one right of two, with chance 1/2
    for row in rows:
        assert row["scores"] == row["gold"]


def test_runs_that_cannot_be_trained_on_are_refused(composed, grm, tmp_path, capsys):
    recorded = tmp_path / "recorded"
    run([composed("task=judgebench", "judge.names=[o1-mini-2024-09-12]", "run.limit=20")], recorded, show=False)
    for name in ("sampled_judgments", "meta_rm"):
        line = refuse(main, capsys, name, str(recorded))
        assert "replays recorded judgments, which have no texts to train on; buy judgments with a live engine" in line
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in grm[1].iterdir():
        if path.is_file():
            (changed / path.name).write_bytes(path.read_bytes())
    config = (grm[1] / "config.yaml").read_text()
    for old, new, said in (
        ("scale: 1-10", "scale: 1-5", "its judge asks by pointwise@"),
        ("judgescale.harness.judges.pointwise.Pointwise", "os.system", "judge._target_=os.system: not a format"),
    ):
        assert old in config
        (changed / "config.yaml").write_text(config.replace(old, new))
        assert said in refuse(main, capsys, "meta_rm", str(changed))
    summary = json.loads((grm[1] / "summary.json").read_text())
    assert summary["signature"].startswith("judge:local|engine:openai|format:pointwise@")


def test_an_answer_for_each_response_is_no_single_text(composed, tmp_path, capsys):
    folder = tmp_path / "run"
    options = ("judge=pointwise", "judge.each=true", "judge.verdict_only=true", "judge.model=m", "engine=random")
    run([composed(*options, "task=sanity", "task.size=8", f"run.store={folder}.sqlite")], folder, show=False)
    assert "asks for 2 answers of kind text a judgment" in refuse(main, capsys, "sampled_judgments", str(folder))
