"""Preference pairs: what a judge of known accuracy prefers, in the shapes of trainers."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import refuse
from hypothesis import given, settings
from hypothesis import strategies as st
from live_judge import LiveJudge, draw, export, pick

from judgescale.harness.exports.__main__ import main
from judgescale.harness.exports.preferences import choose_pairs
from judgescale.harness.runner import run


@pytest.fixture(scope="module")
def pairs(composed, tmp_path_factory):
    judge = LiveJudge(pick(0.7), size=80)
    folder = judge.run(composed, tmp_path_factory.mktemp("pairs") / "run", "judge=pairwise", "strategy.k=3")
    return judge, folder


@pytest.fixture(scope="module")
def trios(composed, tmp_path_factory):
    """Three responses: the first scores 9, one of the others 5, 1 or the same as the first."""

    def say(item, shown, seed):
        others = {1: 5, 2: 9} if draw(item.id) < 0.25 else {1: 5, 2: 1}
        scores = [{0: 9, **others}[place] for place in shown]
        return rf"\boxed{{{', '.join(map(str, scores))}}}"

    judge = LiveJudge(say, size=40, responses=3)
    folder = judge.run(composed, tmp_path_factory.mktemp("trios") / "run", "judge=pointwise", "strategy.k=2")
    return judge, folder


def test_pairs_agree_with_gold_as_often_as_the_judge_does(pairs, tmp_path):
    judge, folder = pairs
    rows, about = export("preferences", folder, tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    credits = pq.read_table(folder / "credits.parquet").to_pylist()
    right = sum(row["credit"] for row in credits if row["k"] == 3)
    assert len(rows) == 80 and about["counts"]["as gold says"] == right
    assert sum(row["agrees_with_gold"] for row in rows) == right
    expected = 0.7**3 + 3 * 0.7**2 * 0.3  # two of three
    assert abs(right / 80 - expected) < 3 * np.sqrt(expected * (1 - expected) / 80)
    for row in rows:
        item = judge.items[row["item"]]
        assert row["prompt"] == [{"role": role, "content": text} for role, text in item.conversation]
        chosen = item.responses.index(row["chosen_response"])
        assert row["chosen"] == [{"role": "assistant", "content": item.texts[chosen]}]
        assert row["rejected"] == [{"role": "assistant", "content": item.texts[1 - chosen]}]
        assert row["agrees_with_gold"] == (item.gold[chosen] == 1) and row["votes"] == 3
        assert row["confidence"] in (pytest.approx(2 / 3), 1.0) and row["chance"] == 1.0
        assert row["margin"] == pytest.approx(2 * row["confidence"] - 1)  # picks are 1 and 0
        assert row["task"] == "sanity" and row["signature"] == summary["signature"]


def test_surer_pairs_are_right_more_often_and_gold_can_choose(pairs, tmp_path):
    rows, _ = export("preferences", pairs[1], tmp_path)
    sure, about = export("preferences", pairs[1], tmp_path, "--min-confidence", "0.9")
    assert len(sure) == sum(row["confidence"] == 1 for row in rows)
    assert about["counts"]["small confidence"] == len(rows) - len(sure)
    share = sum(row["agrees_with_gold"] for row in sure) / len(sure)
    assert share > sum(row["agrees_with_gold"] for row in rows) / len(rows)
    assert export("preferences", pairs[1], tmp_path, "--min-margin", "0.9")[0] == sure
    gold, about = export("preferences", pairs[1], tmp_path, "--by", "gold")
    assert gold == [row for row in rows if row["agrees_with_gold"]]
    assert about["counts"]["other than gold"] == len(rows) - len(gold) > 0


def test_shapes_hold_the_same_pairs(pairs, tmp_path):
    rows, _ = export("preferences", pairs[1], tmp_path)
    texts, about = export("preferences", pairs[1], tmp_path, "--shape", "trl_text")
    whole, _ = export("preferences", pairs[1], tmp_path, "--shape", "openrlhf")
    single = [row for row in rows if len(row["prompt"]) == 1]  # plain texts have no place for several turns
    assert 0 < about["counts"]["several turns"] == len(rows) - len(single)
    for row, text in zip(single, texts, strict=True):
        assert [{"role": "user", "content": text["prompt"]}] == row["prompt"]
        assert text["chosen"] == row["chosen"][0]["content"] and text["rejected"] == row["rejected"][0]["content"]
    for row, conversation in zip(rows, whole, strict=True):
        assert conversation["chosen"] == row["prompt"] + row["chosen"] and "prompt" not in conversation
        assert conversation["margin"] == row["margin"]
    main(["preferences", str(pairs[1]), "--out", str(tmp_path), "--as", "parquet"])
    assert pq.read_table(tmp_path / "train.parquet").to_pylist() == rows
    assert not (tmp_path / "train.jsonl").exists()  # of the export before


def test_the_best_and_the_others_of_three(trios, tmp_path):
    judge, folder = trios
    tied = sum(draw(name) < 0.25 for name in judge.items)
    assert 0 < tied < 40
    every, about = export("preferences", folder, tmp_path)
    assert len(every) == 3 * 40 - tied and about["counts"]["ties"] == tied
    assert {(r["chosen_response"], r["rejected_response"]) for r in every} == {
        ("1", "2"), ("1", "3"), ("2", "3"), ("3", "2")
    }  # fmt: skip
    assert {row["margin"] for row in every} == {4.0, 8.0} and {row["confidence"] for row in every} == {1.0}
    worst, about = export("preferences", folder, tmp_path, "--pairs", "best_worst")
    assert len(worst) == 40 - tied and about["counts"]["ties"] == tied
    assert all((row["chosen_response"], row["rejected_response"]) == ("1", "3") for row in worst)
    rest, _ = export("preferences", folder, tmp_path, "--pairs", "best_rest")
    assert len(rest) == 2 * 40 - tied


def test_clusters_are_held_out_whole_and_the_split_is_nested(pairs, tmp_path, capsys):
    rows, _ = export("preferences", pairs[1], tmp_path)
    held = {}
    for share in ("0.1", "0.3"):
        train, about = export("preferences", pairs[1], tmp_path, "--hold-out", share)
        lines = (tmp_path / "held_out.jsonl").read_text(encoding="utf-8").splitlines()
        held[share] = {json.loads(line)["cluster"] for line in lines}
        assert about["rows"] == {"train": len(train), "held_out": len(lines)} and len(train) + len(lines) == len(rows)
        assert not held[share] & {row["cluster"] for row in train}
    assert held["0.1"] < held["0.3"] and 0.1 < len(held["0.3"]) / 80 < 0.5
    export("preferences", pairs[1], tmp_path)
    assert not (tmp_path / "held_out.jsonl").exists()
    told = capsys.readouterr()
    assert "warning: these rows are test items of sanity: a model trained on them must not be" in told.err
    assert told.out.splitlines()[-1] == str(tmp_path / "about.json")


def test_recorded_runs_without_texts_are_refused_with_the_way_out(composed, tmp_path, capsys):
    folder = tmp_path / "run"
    run([composed("task=judgebench", "judge.names=[o1-mini-2024-09-12]", "run.limit=20")], folder, show=False)
    line = refuse(main, capsys, "preferences", str(folder))
    assert "trainers need the texts of task=judgebench" in line and "--texts task.path=FILE_OR_FOLDER" in line
    assert not list(folder.rglob("train.*"))


def test_what_does_not_fit_is_one_line(pairs, tmp_path, capsys):
    _, folder = pairs
    for arguments, said in (
        (("--arm", "2"), "has the arms 1 to 1"),
        (("--hold-out", "1"), "below 1"),
        (("--min-margin", "5"), "no row is left to train on (items 80, small margin 80)"),
    ):
        assert said in refuse(main, capsys, "preferences", str(folder), "--out", str(tmp_path), *arguments)


def test_several_arms_are_chosen_from(pairs, tmp_path, capsys):
    both = double(pairs[1], tmp_path / "both")
    assert "several arms judged the same items" in refuse(main, capsys, "preferences", str(both))
    rows, about = export("preferences", both, tmp_path / "out", "--arm", "2")
    assert len(rows) == 80 and [arm["number"] for arm in about["arms"]] == [2]


def double(folder, into):
    """A run with the arm of another one twice."""
    into.mkdir()
    for name in ("config.yaml", "judgments.parquet"):
        (into / name).write_bytes((folder / name).read_bytes())
    summary = json.loads((folder / "summary.json").read_text())
    (into / "summary.json").write_text(json.dumps(summary | {"arms": summary["arms"] * 2}))
    table = pq.read_table(folder / "credits.parquet")
    twice = pa.Table.from_pylist([row | {"number": n} for n in (1, 2) for row in table.to_pylist()], table.schema)
    pq.write_table(twice, into / "credits.parquet")
    return into


scores = st.lists(
    st.lists(st.one_of(st.integers(1, 4).map(float), st.just(np.nan)), min_size=4, max_size=4), min_size=1, max_size=6
)


@settings(deadline=None)
@given(scores=scores, which=st.sampled_from(["all", "best_worst", "best_rest"]), decides=st.booleans())
def test_pairs_never_contradict_each_other(scores, which, decides):
    given_scores, counts = np.array(scores), Counter()
    means = [column[~np.isnan(column)].mean() if (~np.isnan(column)).any() else 0.0 for column in given_scores.T]
    decided = None
    if decides:  # as a vote that everything was asked of
        best = np.isclose(means, max(means))
        decided = (best / best.sum()).tolist()
    found = list(choose_pairs(decided, given_scores, which, counts))
    assert len({frozenset(pair[:2]) for pair in found}) == len(found)
    most = {"all": 6, "best_worst": 1, "best_rest": 3}[which]
    assert len(found) + counts["ties"] + counts["never compared"] == most
    for pair in found:
        both = ~np.isnan(given_scores[:, pair.chosen] + given_scores[:, pair.rejected])
        assert pair.votes == both.sum() > 0 and 0 <= pair.confidence <= 1
        assert means[pair.chosen] > means[pair.rejected]
        if which != "all":
            assert np.isclose(means[pair.chosen], max(means))
