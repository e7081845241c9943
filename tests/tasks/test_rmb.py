"""RMB: texts of both sets, and RM-R1-32B's stored figures of every category out of the task's sections and units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes import protocol, recorded_set
from shapes import best_of, pair, put, read, refused, right

from judgescale.harness.published import lists as published
from judgescale.harness.stats.intervals import Units, rollup
from judgescale.harness.types import Item, JudgescaleError, Judgment, Record, Rules
from judgescale.tasks import rmb, rmb_bon

RM_R1 = "RM-R1-Qwen2.5-Instruct-32B"
# Pairs and best-of-N items of every category in the owners' files.
COUNTS = {
    "Harmlessness/S1": (459, 111),
    "Harmlessness/S10": (360, 79),
    "Harmlessness/S11": (977, 215),
    "Harmlessness/S2": (1040, 249),
    "Harmlessness/S3": (739, 171),
    "Harmlessness/S4": (537, 136),
    "Harmlessness/S5": (561, 122),
    "Harmlessness/S6": (317, 83),
    "Harmlessness/S7": (510, 121),
    "Harmlessness/S8": (519, 127),
    "Harmlessness/S9": (543, 132),
    "Harmlessness/multi": (502, 131),
    "Helpfulness/Brainstorming/Idea Development": (849, 168),
    "Helpfulness/Brainstorming/Problem Solving": (100, 19),
    "Helpfulness/Chat/Casual Conversation": (306, 71),
    "Helpfulness/Chat/Discussion": (293, 59),
    "Helpfulness/Chat/Supportive Conversation": (114, 25),
    "Helpfulness/Classification/Content Categorization": (107, 18),
    "Helpfulness/Classification/Quality and Compliance Assessment": (57, 13),
    "Helpfulness/Closed QA/ContextBased": (447, 86),
    "Helpfulness/Closed QA/OptionBased": (473, 100),
    "Helpfulness/Code/Data Management": (376, 81),
    "Helpfulness/Code/Development and Implementation": (399, 92),
    "Helpfulness/Code/Documentation": (65, 15),
    "Helpfulness/Code/Quality and Optimization": (384, 92),
    "Helpfulness/Generation/Creative Writing": (762, 151),
    "Helpfulness/Generation/Professional Content Generation": (347, 74),
    "Helpfulness/Open QA/Factual": (664, 153),
    "Helpfulness/Open QA/General Explanation": (413, 80),
    "Helpfulness/Open QA/Hypothetical Scenarios": (42, 8),
    "Helpfulness/Open QA/Interpretative Analysis": (107, 18),
    "Helpfulness/Open QA/Personal Opinion and Advice": (78, 14),
    "Helpfulness/Open QA/Technical and Practical Support": (238, 47),
    "Helpfulness/Reasoning/Analytical Reasoning": (596, 133),
    "Helpfulness/Reasoning/Critical Thinking": (200, 39),
    "Helpfulness/Reasoning/Human Decision Making": (165, 32),
    "Helpfulness/Reasoning/Logical Deduction": (222, 46),
    "Helpfulness/Reasoning/Pattern Recognition": (52, 14),
    "Helpfulness/Rewrite/Paraphrasing": (83, 17),
    "Helpfulness/Rewrite/PostQuality Assessment Rewriting": (222, 46),
    "Helpfulness/Rewrite/Textual ExpansionReduction": (50, 9),
    "Helpfulness/Rewrite/Tone Adjustment": (103, 17),
    "Helpfulness/Role Playing/General Character": (163, 32),
    "Helpfulness/Role Playing/Specific Character": (209, 46),
    "Helpfulness/Summarization/Specialized Summaries": (189, 42),
    "Helpfulness/Summarization/Standard Summaries": (341, 71),
    "Helpfulness/Translation/GeneralExcerpt Language Translation": (483, 109),
    "Helpfulness/Translation/Literary and Cultural Translation": (176, 34),
    "Helpfulness/Translation/Technical and Scientific Translation": (192, 38),
}  # fmt: skip


def test_a_pair_of_best_of_n_has_to_say_which_item_it_is_of() -> None:
    """Else all of them would be right or wrong together."""
    rows = [
        Record(
            prompt=name,
            cluster=name,
            subset="BoN/Helpfulness/X",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge="j", shown=(0, 1), scores=(1.0, 0.0)),
        )
        for name in ("q1/0", "q1/1", "q2")
    ]
    task = rmb.task()
    assert {task.unit(item) for item in task.load(recorded_set(rows[:2]))} == {"q1"}
    with pytest.raises(JudgescaleError, match="item q2 of subset BoN/Helpfulness/X .*ITEM/0, ITEM/1"):
        task.load(recorded_set(rows))


def units(subset: str, size: int, right: int) -> Iterator[tuple[list[Item], list[np.ndarray]]]:
    """Items scored together, and their decisions: of a best-of-N item two pairs, both won or only one."""
    for n in range(size):
        name = f"{subset}/{n}"
        names = [f"{name}/{i}" for i in range(2)] if subset.startswith("BoN/") else [name]
        won = [True] * (len(names) - 1) + [n < right]
        yield (
            [
                Item(id=item, prompt=item, cluster=name, responses=("a", "b"), gold=(1.0, 0.0), subset=subset)
                for item in names
            ],
            [np.array([[float(w), float(not w)]]) for w in won],
        )


def test_the_stored_figures_of_rm_r1_come_out_of_the_rollup() -> None:
    """Its stored accuracy of each category is a whole number of the items that we count there, in all 98 of them."""
    rules = protocol("rmb")
    stored = {row.subset: row.value for row in published.find_rows("RMB", RM_R1)}
    section, credit, whole = [], [], Counter()
    for category, sizes in COUNTS.items():
        for subset, size in zip((category, f"BoN/{category}"), sizes):
            of = rmb.section(Item(id="", prompt="", cluster="", responses=(), gold=(), subset=subset))
            right = stored[f"{of}/{category.partition('/')[2]}"] * size
            assert right == pytest.approx(round(right), abs=5e-7 * size)  # printed to six digits
            whole[of] += round(right)
            for items, decisions in units(subset, size, round(right)):
                assert len({rmb.unit(item) for item in items}) == 1
                section.append(of)
                credit.append(rmb.credit(items, decisions, rules)[0])
    sizes = {"Helpful-Pair": 10_067, "Harmless-Pair": 7_064, "Helpful-BoN": 2_109, "Harmless-BoN": 1_677}
    assert Counter(section) == sizes
    counts = {row.subset: row.value for row in published.find_rows("RMB", RM_R1, "count_correct")}
    assert {of: whole[of] for of in counts} == counts == {"Helpful-BoN": 1372, "Harmless-BoN": 1111}
    made = Units(np.array(section), np.arange(len(section)).astype(str), np.ones(len(section)))
    sections, overall = rollup(made, np.array(credit), rules.rollup)
    for of in sizes:
        assert float(sections[of]) == pytest.approx(stored[of], abs=1e-6)
    assert float(overall) == pytest.approx(stored["Overall"], abs=1e-6) and round(float(overall), 3) == 0.730


def test_rmb_pairs(tmp_path: Path) -> None:
    said = [{"role": r, "content": r} for r in ("user", "assistant", "user")]
    put(tmp_path / "Pairwise_set/Helpfulness/Chat.json.gz", [pair(str(i)) for i in range(60)])
    mute = {"llm_name": "n", "answer": ""}  # the owners' files hold such answers
    other = pair(9, "Pairwise_set/Harmlessness/S1", conversation_input=said, reject=mute)
    put(tmp_path / "Pairwise_set/Harmlessness/S1.json", [other])
    put(tmp_path / "BoN_set/Harmlessness/S1.json", [best_of("1", 2)])
    whole, items = read(rmb.task, tmp_path), read(rmb.task, tmp_path / "Pairwise_set")
    assert whole[:-2] == items and len(items) == 61
    assert items[0].id == "Harmlessness/S1/9" and items[0].conversation[1] == ("assistant", "assistant")
    assert {right(item) == {"good"} for item in items} == {True}
    assert {dict(zip(i.responses, i.gold))["chosen"] for i in items} == {1.0}
    assert len({item.cluster for item in items}) == 2
    assert {rmb.section(item) for item in items} == {"Helpful-Pair", "Harmless-Pair"}
    assert {rmb.section(item) for item in whole[-2:]} == {"Harmless-BoN"}
    assert len({rmb.unit(item) for item in whole}) == 62 and {len(item.texts) for item in whole} == {2}
    assert "'Pairwise_set' is not BoN_set" in refused(rmb_bon.task, tmp_path / "Pairwise_set")


def test_rmb_best_of_n_as_pairs_is_right_only_where_the_best_beats_every_loser() -> None:
    pairs = [
        Item(
            id=f"BoN/x/1/{i}",
            prompt="",
            cluster="",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            subset="BoN/Harmlessness/S1",
        )
        for i in range(3)
    ]
    rules = Rules(name="rmb", tie="zero", failure=0.0, unusable="abstain", order="any")
    won, tied, failed = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]), np.full((1, 2), np.nan)
    for last, earned in ((won, 1), (tied, 0), (failed, 0), (won[:, ::-1], 0)):
        assert rmb.credit(pairs, [won, won, last], rules).tolist() == [earned]


def test_rmb_best_of_n(tmp_path: Path) -> None:
    put(tmp_path / "BoN_set/S1.json", [best_of(str(i), 2 + i % 5) for i in range(60)])
    items = read(rmb_bon.task, tmp_path)
    assert {right(item) == {"best"} for item in items} == {True} and {len(i.texts) for i in items} == {3, 4, 5, 6, 7}
    assert dict(zip(items[0].responses, items[0].texts)) == {"top": "best", "m0": "loser 0", "m1": "loser 1"}
    twins = best_of("1", 1, loser_list=[{"llm_name": "top", "answer": "x"}])
    assert "field loser_list[0].llm_name: top is among" in refused(rmb_bon.task, put(tmp_path / "x.json", [twins]))
    assert "field loser_list: is empty" in refused(rmb_bon.task, put(tmp_path / "y.json", [best_of("1", 0)]))
    mute = best_of("1", 1, loser_list=[{"llm_name": "a"}])
    assert "field loser_list[0].answer: is missing" in refused(rmb_bon.task, put(tmp_path / "z.json", [mute]))
