"""The shipped recorded judgments give the numbers that their owners printed or stored."""

from __future__ import annotations

import pytest

# Every ReaLMistake self-consistency accuracy and F1 that the owners stored (50 items each).
REALMISTAKE = {
    "Mixtral-8x7B-Instruct-v0.1": {"math": (0.58, 0.641509), "fact": (0.64, 0.753623), "answer": (0.40, 0.423077)},
    "gpt-3.5-turbo-0125": {"math": (0.76, 0.823529), "fact": (0.58, 0.618182), "answer": (0.58, 0.511628)},
    "gpt-4-0125-preview": {"math": (0.82, 0.830189), "fact": (0.48, 0.277778), "answer": (0.46, 0.181818)},
}
TASKS = {
    "math": "math_word_problem_generation",
    "fact": "finegrained_fact_verification",
    "answer": "answerability_classification",
}


def test_rewardbench2_scalar(evaluated):
    found = evaluated("experiment=rewardbench2_scalar")
    llama, qwen = (found[f"Skywork/Skywork-Reward-V2-{name}"] for name in ("Llama-3.1-8B", "Qwen3-8B"))
    assert llama.items == qwen.items == 1865
    assert llama.headline.value == pytest.approx(0.8402, abs=5e-5)
    assert qwen.headline.value == pytest.approx(0.7832, abs=5e-5)
    assert llama.sections["Ties"].value == pytest.approx(0.8124, abs=5e-5)
    assert qwen.sections["Ties"].value == pytest.approx(0.7294, abs=5e-5)
    theirs = {(p.name, p.section): p for p in llama.published}
    ours = next(p for p in llama.published if p.section == "overall" and p.delta is not None)
    assert ours.value == pytest.approx(0.8413) and ours.delta == pytest.approx(-0.0011, abs=1e-4), theirs


def test_judgebench_two_games(evaluated):
    found = evaluated("experiment=judgebench")
    assert {name: round(r.headline.value, 4) for name, r in found.items()} == {
        "o1-mini-2024-09-12": 0.6571,
        "Skywork/Skywork-Reward-Gemma-2-27B": 0.6429,
    }
    assert all(r.items == 350 and r.k == 2 for r in found.values())


def test_pandalm_three_classes(evaluated):
    (r,) = evaluated("experiment=pandalm").values()
    assert r.items == 999
    assert r.headline.value == pytest.approx(0.6677, abs=5e-5)
    assert r.sections["macro_f1"].value == pytest.approx(0.5743, abs=5e-5)


def test_rmb_counts_ties_as_wrong(evaluated):
    (r,) = evaluated("experiment=rmb_armorm").values()
    assert r.headline.value == pytest.approx(675 / 849) and round(r.headline.value, 4) == 0.7951
    assert r.health["ties"] == 12


def test_realmistake_self_consistency(evaluated):
    found = evaluated("experiment=realmistake")
    assert set(found) == set(REALMISTAKE)
    for judge, by_task in REALMISTAKE.items():
        for short, (accuracy, f1) in by_task.items():
            assert found[judge].sections[TASKS[short]].value == pytest.approx(accuracy, abs=1e-9)
            assert found[judge].subsets[f"{TASKS[short]}: f1"].value == pytest.approx(f1, abs=1e-6)
        assert found[judge].headline.value == pytest.approx(sum(a for a, _ in by_task.values()) / 3)


@pytest.mark.parametrize(
    ("judge", "subset", "shown", "swapped", "both", "agree"),
    [  # from the evaluators' stored statistics
        ("GPT-4/Vanilla", "Natural", 95 / 100, 96 / 100, 93 / 100, 95 / 100),
        ("GPT-4/Vanilla", "Neighbor", 104 / 134, 107 / 134, 101 / 134, 125 / 134),
        ("ChatGPT/CoT", "Natural", 70 / 100, 78 / 100, 56 / 100, 64 / 100),  # one verdict missing
        ("ChatGPT/Vanilla", "Neighbor", 30 / 134, 22 / 134, 7 / 134, 96 / 134),
        ("ChatGPT/Metrics", "Neighbor", 36 / 134, 40 / 134, 11 / 134, 80 / 134),  # two verdicts missing
        ("GPT-4/Swap", "Neighbor", 104 / 134, 104 / 134, 102 / 134, 130 / 134),
    ],
)
def test_llmbar_statistics(evaluated, judge, subset, shown, swapped, both, agree):
    r = evaluated("experiment=llmbar")[judge]
    assert r.sections[subset].value == pytest.approx((shown + swapped) / 2)
    assert r.subsets[f"{subset}: accuracy as shown"].value == pytest.approx(shown)
    assert r.subsets[f"{subset}: accuracy swapped"].value == pytest.approx(swapped)
    assert r.subsets[f"{subset}: right in both orders"].value == pytest.approx(both)
    assert r.subsets[f"{subset}: orders agree"].value == pytest.approx(agree)


def test_voting_amplifies_a_systematic_error(evaluated):
    """ChatGPT prefers the wrong answer of most Neighbor pairs: a vote of both orders is no better than one."""
    judge = "judge.names=[ChatGPT/Vanilla,ChatGPT/CoT,ChatGPT/Metrics,ChatGPT/Reference,ChatGPT/Swap]"
    (r,) = evaluated("task=llmbar", "strategy=voting", "strategy.tie=half", judge, "judge.pool=true").values()
    at = {p.k: p.estimate.value for p in r.curve if p.section == "Neighbor"}
    assert at[9] < at[3] < at[1] < 0.25


def test_vicuna80_votes_rise(evaluated):
    (voting,) = evaluated("task=vicuna80_pairs").values()
    at = {p.k: p.estimate.value for p in voting.curve if p.section == "overall"}
    assert voting.items == 685 and voting.k == 10
    assert [round(at[k], 3) for k in (1, 2, 4, 6, 10)] == pytest.approx([0.689, 0.697, 0.751, 0.773, 0.788], abs=0.003)
    assert list(at.values()) == sorted(at.values())
    (single,) = evaluated("task=vicuna80_pairs", "strategy=single").values()
    assert single.headline.value == pytest.approx(at[1])


def test_vicuna80_meta_rm_is_honest(evaluated):
    (r,) = evaluated("task=vicuna80_pairs", "strategy=meta_voting").values()
    details = dict(r.details)
    assert 0.60 < details["logistic meta RM, ROC-AUC"] < 0.70
    random, oracle = (
        details[f"{name} at k=10"] for name in ("random meta RM (knows nothing)", "oracle meta RM (knows the label)")
    )
    assert random < r.headline.value < oracle
    assert random == pytest.approx(0.7655, abs=5e-5)  # keeping any 5 of 10 is a vote of 5
    assert any("meta_voting - voting, both at k=10" in note and "not told apart" in note for note in r.notes)
    assert any("logistic - random meta RM, both at k=10" in note and "above" in note for note in r.notes)


@pytest.mark.parametrize("experiment", ["rewardbench2_generative", "rmb_armorm"])
def test_the_meta_rm_cannot_read_the_label_off_the_place(evaluated, experiment):
    """These sets show the right answer in a place that the arrangement, or the file, fixes."""
    for r in evaluated(f"experiment={experiment}", "strategy=meta_voting").values():
        details = dict(r.details)
        assert details["logistic meta RM, ROC-AUC"] < 0.75
        assert r.headline.value <= details[f"oracle meta RM (knows the label) at k={r.k}"] + 1e-9
        assert any("they would give it away" in note for note in r.notes)
        assert not any(note.endswith(": above") for note in r.notes)


def test_published_figures_of_another_strategy_are_shown_without_a_difference(evaluated):
    same = evaluated("experiment=judgebench")["o1-mini-2024-09-12"]
    other = evaluated("experiment=judgebench", "strategy=single")["o1-mini-2024-09-12"]
    assert any(p.delta is not None and abs(p.delta) < 1e-4 for p in same.published)
    assert other.published and all(p.delta is None for p in other.published)
    assert any(note.endswith("published figures: 65.7 (same model, voting@2).") for note in other.notes)


def test_a_part_of_a_benchmark_is_said_to_be_one(evaluated):
    (math,) = evaluated("experiment=realmistake_math", "run.ks=[1]").values()
    assert any(note.startswith("No published figure is set beside what") for note in math.notes)
    assert not math.published


def test_items_of_a_section_are_items_not_units(evaluated):
    llama = evaluated("experiment=rewardbench2_scalar")["Skywork/Skywork-Reward-V2-Llama-3.1-8B"]
    assert llama.sections["Ties"].items == 102 and sum(s.items for s in llama.sections.values()) == 1865


@pytest.mark.parametrize("strategy", ["elo", "knockout"])
def test_vicuna80_best_of_5_tournaments(evaluated, strategy):
    (r,) = evaluated("task=vicuna80_best_of_5", f"strategy={strategy}").values()
    at = {p.k: p for p in r.curve if p.section == "overall"}
    assert r.items == 80 and at[10].judgments_per_item == {"elo": 100, "knockout": 40}[strategy]
    assert at[10].estimate.value > at[1].estimate.value > 0.3  # a random pick is right in about a fifth
    assert 0 < at[1].estimate.mc_error < 0.01
