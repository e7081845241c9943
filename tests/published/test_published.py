"""Numbers somebody printed, and ours beside them."""

from __future__ import annotations

import csv
import hashlib
import re

import pytest

from judgescale.harness.published import lists as published
from judgescale.harness.published.lists import compare_with_published, find_rows, is_same_judge
from judgescale.harness.published.setting import COMPARED, DOUBTS, Setting

GRM = "DeepSeek-GRM-27B"
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
    assert {(row.k, row.value) for row in find_rows("ReaLMistake", GRM, "roc_auc")} == {(1, 0.722), (8, 0.744)}


def test_names_are_normalised_never_guessed() -> None:
    assert is_same_judge("Skywork/Skywork-Reward-Gemma-2-27B", "skywork_reward_gemma-2-27b")
    assert not is_same_judge("Skywork-Reward-Gemma-2-27B", "Skywork-Reward-Gemma-2-27B-v0.2")
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


def test_best_trusted_first() -> None:
    judgebench = [
        row.status for row in find_rows("JudgeBench", "Skywork-Reward-Gemma-2-27B") if row.subset == "Overall"
    ]
    assert judgebench == ["confirmed", "recomputed"]


def test_nothing_published() -> None:
    assert find_rows("Vicuna80") == [] and compare_with_published("Vicuna80", "anyone", {"overall": 0.7}) == []


def test_the_lists_are_well_formed() -> None:
    for path in published.FOLDER.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        columns = list(published.Row._fields)  # the last one where a number is over other items than the official ones
        assert list(lines[0]) in (columns, columns[:-1]) and columns[-1] == "items", path
        for line in lines:
            assert line["model"] and line["benchmark"] and line["source"], line
            assert line["status"].split(",")[0] in (*COMPARED, *DOUBTS), line
            assert line["owner"] in ("yes", "no") and (line["strategy"] or line["model"].startswith("R1-Distill")), line
            assert not re.search(r"@\d|greedy|[Pp]rompt\)", line["model"]), f"a column of its own: {line}"
            number = float(line["value"])
            assert line["metric"] in published.RAW or -1 <= number <= 100, line  # -1: the floor of RewardBench 2's Ties
    assert len({(r.model, r.subset, r.metric) for r in find_rows("RewardBench2", metric=None)}) > 1379


NUMBERS = {  # rows and a digest of their numbers, before strategy, k, prompt and protocol became columns
    "counts_rewardbench1.csv": (92, "7bd85b8cf3c6"),
    "fine_grained_rmr1_gram.csv": (492, "b35dcf4b0a84"),
    "leaderboard_ppe.csv": (503, "1f8ec2e17f0f"),
    "leaderboard_rewardbench1.csv": (1137, "ae0c02f572ea"),
    "leaderboard_rewardbench2.csv": (1379, "8d9f5ab2fe53"),
    "leaderboard_rmbench_skyworkv2.csv": (524, "df7a22d49f58"),
    "other_published.csv": (607, "3d4b9110a51e"),
    "owners_judgebench.csv": (170, "c43d6e663a27"),
    "owners_stored.csv": (156, "95e88936d0fc"),
    "paperA_deepseek_grm.csv": (489, "c3a5b3386bd4"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_was_lost_or_changed(name: str) -> None:
    with (published.FOLDER / name).open(encoding="utf-8", newline="") as file:
        rows = sorted(
            ",".join(row[n] for n in ("benchmark", "subset", "metric", "value")) for row in csv.DictReader(file)
        )
    assert (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]) == NUMBERS[name]


def find_deltas(benchmark: str, judge: str, setting: Setting, metric: str = "accuracy") -> list[float]:
    """The published numbers that a difference to our overall one is taken from."""
    rows = compare_with_published(benchmark, judge, {"overall": 0.7}, metric, setting)
    return sorted({p.value for p in rows if p.delta is not None})


def find_reasons(benchmark: str, judge: str, setting: Setting, metric: str = "accuracy") -> dict[str, set[float]]:
    """Why the others of the same judge are not compared, each with the numbers."""
    found: dict[str, set[float]] = {}
    for p in compare_with_published(benchmark, judge, {"overall": 0.7}, metric, setting):
        if p.reason:
            assert p.delta is None
            found.setdefault(p.reason, set()).add(p.value)
    return found


@pytest.mark.parametrize(
    ("setting", "rewardbench", "preference", "correctness"),
    [
        (Setting("single", 1, temperature=0.0), 0.86, 0.647, 0.598),
        (Setting("single", 1, temperature=0.5), 0.852, 0.624, 0.595),
        (Setting("voting", 1), 0.852, 0.624, 0.595),
        (Setting("voting", 8, temperature=0.5), 0.877, 0.649, 0.603),
        (Setting("voting", 32), 0.885, 0.653, 0.604),
        (Setting("meta_voting", 8, 4), 0.898, 0.664, 0.63),
        (Setting("meta_voting", 32, 16, temperature=0.5), 0.904, 0.672, 0.632),
        (Setting("meta_voting", 32, 1), 0.885, 0.671, 0.652),
    ],
)
def test_deepseek_grm_is_compared_at_its_own_strategy_and_k(setting, rewardbench, preference, correctness) -> None:
    for benchmark, theirs in (
        ("RewardBench", rewardbench),
        ("PPE-Preference", preference),
        ("PPE-Correctness", correctness),
    ):
        assert find_deltas(benchmark, GRM, setting) == [theirs]


def test_a_number_made_otherwise_has_a_reason() -> None:
    reasons = find_reasons("RewardBench", GRM, Setting("single", 1, temperature=0.5))
    assert reasons["same model, voting@32"] == {0.885} and reasons["same model, greedy"] == {0.86}
    assert reasons["same model, meta voting@32 (16 vote)"] == {0.904}
    assert "same model, temperature 0.5" in find_reasons("RewardBench", GRM, Setting("voting", 8, temperature=0.6))
    guessed = find_reasons("RewardBench", GRM, Setting("meta_voting", 8, 4, meta_rm=False))
    assert guessed["same model, another meta RM"] == {0.898}


def test_rmb_in_its_list_form_is_not_held_against_pairs() -> None:
    greedy = Setting("single", 1, temperature=0.0)
    assert find_deltas("RMB", GRM, greedy) == []
    assert find_reasons("RMB", GRM, greedy)["same model, list protocol"] == {0.69}
    both = compare_with_published("RMB", GRM, {"Helpful-BoN": 0.6, "Helpful-Pair": 0.8}, setting=greedy)
    assert {(p.section, p.value) for p in both if p.delta is not None} == {
        ("Helpful-BoN", 0.621),  # Table 11, pair input
        ("Helpful-Pair", 0.805),
    }
    assert not any(p.name == GRM for p in compare_with_published("RMB", "another", {"overall": 0.69}))
    assert find_deltas("MEAN4", GRM, greedy) == []  # one of the four is RMB


def test_another_prompt_is_another_judge() -> None:
    ours = Setting("voting", 2, temperature=0.0)
    for judge in ("gpt-4o", "o1-mini-2024-09-12"):
        assert find_deltas("JudgeBench", judge, ours) == []
        assert "same model, another prompt (Arena-Hard)" in find_reasons("JudgeBench", judge, ours)
    theirs = ours._replace(prompt="arena_hard")
    assert find_deltas("JudgeBench", "o1-mini-2024-09-12", theirs) == [0.6571]
    assert find_deltas("JudgeBench", "gpt-4o", theirs) == [0.5657]
    nobody_says = find_reasons("JudgeBench", "o1-mini-2024-09-12", ours._replace(prompt=None))
    assert set(nobody_says) == {"same model, another prompt for all we know (Arena-Hard)"}
    for benchmark in ("RewardBench", "RewardBench2", "PPE-Preference"):
        assert find_deltas(benchmark, "gpt-4o-2024-08-06", Setting()) == []


def test_rrm_as_checked() -> None:
    once, voted = Setting("single", 1, temperature=0.6), Setting("voting", 16, temperature=0.6)
    assert find_deltas("RewardBench", "RRM-7B", once) == [0.822]
    assert find_deltas("RewardBench", "RRM-7B", voted) == [0.848]
    assert find_deltas("RewardBench", "RRM-32B", voted) == [0.919]
    assert find_deltas("PandaLM", "RRM-7B", once) == []
    assert find_reasons("PandaLM", "RRM-7B", once)["same model, from memory"] == {0.729}
    assert find_deltas("PandaLM", "JudgeLM-7B", once) == [0.651]  # recalled once, confirmed since
    assert find_rows("PandaLM", "GPT-4-0125-preview") == [] and find_rows("PandaLM", "GPT-4")[0].value == 0.665
    chat = compare_with_published("RewardBench", "RRM-7B", {"Chat": 0.88}, setting=once)
    assert {p.value: p.reason for p in chat if p.section == "Chat"} == {
        0.877: "same model, from memory",
        0.921: "same model, voting@16, from memory",
        0.777: "same model, rerun by another paper",
        0.88: "same model, rerun by another paper",
    }
    gpqa = compare_with_published("PPE-Correctness", "RRM-32B", {"GPQA": 0.67}, setting=once)
    assert {(p.value, p.reason) for p in gpqa if p.section == "GPQA"} == {
        (0.674, "same model, derived from other figures"),
        (0.684, "same model, voting@5, derived from other figures"),
        (0.684, "same model, rerun by another paper"),
    }


def test_what_was_read_off_a_figure_is_never_compared() -> None:
    budget = compare_with_published("RewardBench", "RRM-32B", {"thinking_budget_8k": 0.9})
    assert [p.reason for p in budget if p.section != "overall"] == ["same model, read off a figure"]
    assert "same model, meta voting@4 (2 vote), read off a figure" in find_reasons("RewardBench", GRM, Setting())
    assert find_deltas("RewardBench", GRM, Setting("meta_voting", 4, 2)) == []
