"""Numbers somebody printed, and ours beside them."""

from __future__ import annotations

import csv

import pytest

from judgescale.harness.published import lists as published
from judgescale.harness.published.lists import compare_with_published, find_rows, is_same_judge

LLAMA, QWEN = "Skywork-Reward-V2-Llama-3.1-8B", "Skywork-Reward-V2-Qwen3-8B"


def value(benchmark: str, judge: str, subset: str = "Overall", metric: str = "accuracy") -> float:
    return next(row.value for row in find_rows(benchmark, judge, metric) if row.subset == subset)


@pytest.mark.parametrize("spelling", ["RewardBench2", "RewardBench 2", "rewardbench_2"])
def test_known_rows(spelling: str) -> None:
    assert value(spelling, LLAMA) == 0.8413
    assert value(spelling, LLAMA, "Ties") == 0.8124
    assert value(spelling, QWEN) == 0.7837
    assert value(spelling, QWEN, "Ties") == 0.7294


def test_known_rows_of_other_benchmarks() -> None:
    assert value("RewardBench", "RLHFlow/ArmoRM-Llama3-8B-v0.1") == 0.9039
    assert value("RewardBench", "RLHFlow/ArmoRM-Llama3-8B-v0.1", metric="score_as_published") == 0.886
    assert value("JudgeBench", "o1-mini-2024-09-12") == 0.6571
    assert value("JudgeBench", "Skywork-Reward-Gemma-2-27B") == 0.6429
    assert value("PandaLM", "PandaLM-7B") == 0.6677
    assert value("PandaLM", "PandaLM-7B", metric="macro_f1") == 0.5743
    assert value("LLMBar", "GPT-4/Vanilla", "Natural") == 0.955
    assert value("ReaLMistake-SC", "gpt-4-0125-preview") == 0.586667
    assert value("ReaLMistake", "DeepSeek-GRM-27B Voting@8", metric="roc_auc") == 0.744


def test_names_are_normalised_never_guessed() -> None:
    assert is_same_judge("Skywork/Skywork-Reward-Gemma-2-27B", "skywork_reward_gemma-2-27b")
    assert not is_same_judge("Skywork-Reward-Gemma-2-27B", "Skywork-Reward-Gemma-2-27B-v0.2")
    assert not is_same_judge("DeepSeek-GRM-27B", "DeepSeek-GRM-27B Voting@32")
    assert not is_same_judge("GPT-4/Vanilla", "ChatGPT/Vanilla")
    assert not is_same_judge("ours/Skywork-Reward-Gemma-2-27B", "Skywork/Skywork-Reward-Gemma-2-27B")


def test_a_bare_name_two_models_answer_to_is_nobodys() -> None:
    assert [p for p in compare_with_published("LLMBar", "Vanilla", {"Natural": 0.9}) if p.delta is not None] == []


def test_beside_compares_each_section_and_adds_context() -> None:
    rows = compare_with_published(
        "RewardBench2", f"Skywork/{QWEN}", {"overall": 0.7832, "Precise IF": 0.51, "Unheard of": 1.0}
    )
    own = {row.section: row for row in reversed(rows) if row.delta is not None}
    assert own["overall"].delta == pytest.approx(-0.0005)
    assert own["Precise IF"].value == 0.5 and own["Precise IF"].delta == pytest.approx(0.01)
    assert "Unheard of" not in own
    context = [row for row in rows if row.delta is None]
    assert 0 < len(context) <= published.CONTEXT
    assert all(row.status == "confirmed" and not is_same_judge(row.name, QWEN) for row in context)
    assert max(row.value for row in context) == max(
        row.value for row in find_rows("RewardBench2") if row.status == "confirmed" and row.subset == "Overall"
    )


def test_best_trusted_first_and_statuses_pass_through() -> None:
    rows = compare_with_published("PandaLM", "RRM-7B", {"overall": 0.7})
    assert [row.status for row in rows if row.delta is not None] == ["recalled"]
    judgebench = [
        row.status for row in find_rows("JudgeBench", "Skywork-Reward-Gemma-2-27B") if row.subset == "Overall"
    ]
    assert judgebench == ["confirmed", "recomputed"]


def test_nothing_published() -> None:
    assert find_rows("Vicuna80") == [] and compare_with_published("Vicuna80", "anyone", {"overall": 0.7}) == []


def test_every_audited_number_is_marked() -> None:
    with (published.FOLDER / "audit" / "audit_internal_inconsistency.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = [r for r in find_rows(row["benchmark"], row["model"]) if r.subset == "Overall"]
            accused = [r for r in found if r.value == pytest.approx(float(row["published_overall"]) / 100)]
            assert any("disputed" in r.status for r in accused), row
    with (published.FOLDER / "audit" / "audit_cross_source_conflict.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = [r for r in find_rows(row["benchmark"], row["model"]) if "disputed" in r.status]
            assert {float(row["min"]), float(row["max"])} <= {round(100 * r.value, 2) for r in found}, row


def test_the_lists_are_well_formed() -> None:
    for path in published.FOLDER.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert list(lines[0]) == list(published.Row._fields), path
        for line in lines:
            assert line["model"] and line["benchmark"] and line["source"], line
            assert line["status"].split(",")[0] in ("confirmed", "confirmed-secondary", "recomputed", "recalled"), line
            number = float(line["value"])
            assert line["metric"] in published.RAW or -1 <= number <= 100, line  # -1: the floor of RewardBench 2's Ties
    assert len({(r.model, r.subset, r.metric) for r in find_rows("RewardBench2", metric=None)}) > 1379
