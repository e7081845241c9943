"""RewardBench and RewardBench 2: the owners' rules give the figures they printed, out of counts and sections.

The Hub was not reached: files and data sets here are made up in the documented shapes.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapes import REWARDBENCH, REWARDBENCH2, put, read, refused, right

from judgescale.harness import recorded
from judgescale.harness.evaluation.credits import make_units
from judgescale.harness.judges.choice import Choice
from judgescale.harness.judges.pointwise import Pointwise
from judgescale.harness.live.buying import digest_prompt
from judgescale.harness.options import build
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.items import note_counts
from judgescale.harness.plan.live import check_widths
from judgescale.harness.published import lists as published
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.runner import evaluate_all
from judgescale.harness.signature import sign
from judgescale.harness.stats.intervals import Units, rollup
from judgescale.harness.strategies.single import Single
from judgescale.harness.types import Item, JudgescaleError, Judgment, Output, Record, Rules
from judgescale.tasks import rewardbench, rewardbench2

TASK = rewardbench.task(prior=True)
FOUR = ("Chat", "Chat Hard", "Safety", "Reasoning")
ARMORM = "RLHFlow/ArmoRM-Llama3-8B-v0.1"
# what is stored with the counts of results/published/counts_rewardbench1.csv
SECTIONS = {
    "OpenAssistant/reward-model-deberta-v3-large-v2": (0.804469273743, 0.440789473684, 0.766216216216, 0.377578163366),
    "Qwen/Qwen1.5-0.5B-Chat(DPO, ref Qwen1.5-0.5B)": (0.365921787709, 0.631578947368, 0.566216216216, 0.606928984558),
    ARMORM: (0.972067039106, 0.763157894737, 0.904054054054, 0.973778441643),
    "HuggingFaceH4/zephyr-7b-beta(DPO, ref mistral-7b)": (
        0.955307262570, 0.589912280702, 0.668918918919, 0.787901729688,
    ),
}  # fmt: skip


def made(subset: str, number: int = 0) -> Item:
    return Item(
        id=f"{subset}/{number}", prompt="", cluster="", responses=("chosen", "rejected"), gold=(1.0, 0.0), subset=subset
    )


def printed(benchmark: str, metric: str = "accuracy") -> dict[str, dict[str, float]]:
    """model -> subset or section -> what somebody printed."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in published.find_rows(benchmark, metric=metric):
        if row.source.endswith("leaderboard snapshot") or metric == "count_correct":
            found[row.model].setdefault(published.keep_letters_and_digits(row.subset), row.value)
    return found


def test_the_owners_counts() -> None:
    assert sum(sum(s.values()) for s in rewardbench.FOUR.values()) == 2985
    assert TASK.sizes == {"Chat": 358, "Chat Hard": 456, "Safety": 740, "Reasoning": 1431, "Prior Sets": 17154}
    items = [made(subset, i) for subset, count in TASK.counts.items() for i in range(count)]
    assert note_counts(TASK, items) == [] and len(items) == 2985 + 17154
    units, weight = make_units(TASK, items), defaultdict[str, float](float)
    for item, of_item in zip(items, units.weight):
        weight[item.subset] += of_item
    assert weight["math-prm"] == pytest.approx(984) and weight["hep-go"] == 164
    assert [weight[name] for name in rewardbench.PRIOR] == pytest.approx([17154 / 4] * 4)
    share = {"anthropic_helpful": 0.7, "anthropic_hhh": 0.9, "shp": 0.5, "summarize": 0.4}
    credit = np.array([share.get(item.subset, 1.0) for item in items])
    sections, headline = rollup(units, credit, TASK.rollups["with_prior_sets"])
    assert sections["Prior Sets"] == pytest.approx(2.5 / 4) and headline == pytest.approx((4 + 2.5 / 8) / 4.5)


def test_right_answers_of_four_reward_models_give_their_stored_sections(composed, tmp_path: Path) -> None:
    counts = printed("RewardBench", "count_correct")
    subsets = {published.keep_letters_and_digits(name): name for name in rewardbench.task().counts}
    records = [
        Record(
            prompt=f"{subset}/{i}",
            cluster=f"{subset}/{i}",
            subset=subset,
            responses=("chosen", "rejected"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge=model, shown=(0, 1), scores=(1.0, 0.0) if i < right else (0.5, 0.5)),
        )
        for model, by_subset in counts.items()
        for plain, right in by_subset.items()
        for subset in [subsets[plain]]
        for i in range(TASK.counts[subset])
    ]
    recorded.write_set(tmp_path / "counts.parquet", records, {"name": "counts", "tasks": ["rewardbench"]})
    asked = ("task=rewardbench", "protocol=rewardbench_scalar", "strategy=single")
    found = {r.judge: r for r in evaluate_all(plan_arms(composed(*asked, f"engine.path={tmp_path}/counts.parquet")))}
    assert set(found) == set(SECTIONS)
    for model, sections in SECTIONS.items():
        result = found[model]
        assert [result.sections[name].value for name in FOUR] == pytest.approx(sections, abs=1e-12)
        assert result.headline.value == pytest.approx(np.mean(sections)) and result.items == 2985
        assert "with_prior_sets" not in result.sections and not any("official" in note for note in result.notes)
    armorm = {p.section: p.delta for p in found[ARMORM].published if p.delta is not None}
    assert set(armorm) == {"overall", *FOUR} and max(map(abs, armorm.values())) < 0.005  # of the leaderboard's run


def test_23_subsets_of_rm_r1_give_its_sections() -> None:
    of_model = published.find_rows("RewardBench", "RM-R1-Qwen2.5-Instruct-32B")
    shown = {published.keep_letters_and_digits(row.subset): row.value for row in of_model if "RM-R1-UIUC" in row.source}
    items = [made(subset, i) for subset, count in rewardbench.task().counts.items() for i in range(count)]
    credit = np.array([shown[published.keep_letters_and_digits(item.subset)] for item in items])
    sections, headline = rollup(make_units(TASK, items), credit, TASK.rollups["four_sections"])
    for name in FOUR:  # printed to 4 decimals of a percent
        assert sections[name] == pytest.approx(shown[published.keep_letters_and_digits(name)], abs=1e-6)
    assert headline == pytest.approx(shown["overall"], abs=1e-6) and round(float(headline) * 100, 1) == 91.4


def total(row: Mapping[str, float], headline: str) -> float:
    """The headline over the sections that a row has. Prior sets are printed as 0.0 where they were not run."""
    named = {
        name: row[published.keep_letters_and_digits(name)]
        for name in TASK.sizes
        if row.get(published.keep_letters_and_digits(name))
    }
    names = np.array([*named])
    return float(rollup(Units(names, names, np.ones(len(names))), [*named.values()], TASK.rollups[headline])[1])


def test_the_rewardbench_leaderboard_adds_up() -> None:
    """Sections and totals are percents of 2 decimals: a total's own rounding and its sections' come to 0.01 at most."""
    old = {model: row["overall"] for model, row in printed("RewardBench", "score_as_published").items()}
    rows = {model: row for model, row in printed("RewardBench").items() if model in old}
    prior = [row.get("priorsets") for row in rows.values()]
    assert (len(rows), prior.count(None), prior.count(0)) == (172, 67, 7)
    for model, row in rows.items():
        assert total(row, "with_prior_sets") == pytest.approx(old[model], abs=1e-4 + 1e-9)
        assert total(row, "four_sections") == pytest.approx(row["overall"], abs=1e-4 + 1e-9)
    armorm = rows[ARMORM]
    assert [round(100 * total(armorm, name), 2) for name in TASK.rollups] == [90.39, 88.60]


def test_the_rewardbench_2_leaderboard_adds_up() -> None:
    rows = printed("RewardBench2")
    names = np.array(rewardbench2.SUBSETS)
    credit = np.array([[row[published.keep_letters_and_digits(name)] for row in rows.values()] for name in names])
    _, headline = rollup(Units(names, names, np.ones(len(names))), credit, "sections")
    assert len(rows) == 197
    assert headline == pytest.approx([row["overall"] for row in rows.values()], abs=1e-4 + 1e-9)


def records(sizes: Mapping[str, int], right: Mapping[str, int]) -> list[Record]:
    return [
        Record(
            prompt=f"{s}/{i}",
            cluster=f"{s}/{i}",
            subset=s,
            responses=("chosen", "rejected"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge="j", shown=(0, 1), scores=(float(i < right[s]), 0.5)),
        )
        for s, size in sizes.items()
        for i in range(size)
    ]


def test_prior_sets_are_a_second_number_and_unknown_subsets_none(composed, tmp_path: Path) -> None:
    sizes = dict.fromkeys([*rewardbench.task().counts, *rewardbench.PRIOR, "mine"], 2)
    right = dict.fromkeys(sizes, 2) | {"shp": 0, "anthropic_hhh": 1, "mine": 0}
    recorded.write_set(tmp_path / "all.parquet", records(sizes, right), {"tasks": ["rewardbench"]})

    def run(*more: str) -> Any:
        asked = ("task=rewardbench", "task.prior=true", f"engine.path={tmp_path}/all.parquet")
        return evaluate_all(plan_arms(composed(*asked, *more)))[0]

    plain, old, common = run(), run("protocol=rewardbench_prior"), run("protocol=common")
    assert list(plain.sections)[:6] == [*FOUR, "Prior Sets", "mine"] and plain.sections["mine"].value == 0
    prior = plain.sections["Prior Sets"].value
    assert plain.headline.value == 1.0 and prior == pytest.approx((1 + 0.5 + 0 + 1) / 4)  # however few of each
    assert (plain.headline.items, plain.sections["with_prior_sets"].items) == (46, 54)
    assert plain.sections["with_prior_sets"].value == old.headline.value == pytest.approx((4 + 0.5 * prior) / 4.5)
    assert (plain.headline.metric, old.headline.metric) == ("accuracy", "with_prior_sets")
    assert old.sections["four_sections"].value == 1.0
    assert common.headline.value == pytest.approx((4 + prior + 0) / 6)
    assert any("'mine'" in note for note in plain.notes)


def test_only_the_owners_headline_is_held_against_theirs(composed, tmp_path: Path) -> None:
    sizes = rewardbench.task().counts
    rows = [replace(r, judgment=replace(r.judgment, judge=ARMORM)) for r in records(sizes, sizes)]
    recorded.write_set(tmp_path / "four.parquet", rows, {"tasks": ["rewardbench"]})

    def compared(*more: str) -> set[str]:
        asked = ("task=rewardbench", f"engine.path={tmp_path}/four.parquet", "strategy=single")
        (result,) = evaluate_all(plan_arms(composed(*asked, *more)))
        return {p.section for p in result.published if p.delta is not None}

    assert compared() == {"overall", *FOUR}
    assert compared("protocol=rewardbench_prior") == set(FOUR)  # which counts prior sets, and there are none
    assert compared("protocol.rollup=items") == set(FOUR)


def test_a_sample_says_what_it_lacks_and_which_it_is(composed, tmp_path: Path) -> None:
    sizes = rewardbench.task().counts
    recorded.write_set(tmp_path / "four.parquet", records(sizes, sizes), {"tasks": ["rewardbench"]})

    def planned(*more: str) -> Any:
        return plan_arms(composed("task=rewardbench", f"engine.path={tmp_path}/four.parquet", "run.limit=2", *more))[0]

    sections = {TASK.section(item) for item in planned().items}
    lost = [name for name in FOUR if name not in sections]
    assert f"The headline counts no {', no '.join(lost)}, of which there are no items here." in planned().about
    drawn = {sign(planned("strategy.seed=0", f"seed={seed}")) for seed in (0, 0, 1)}
    assert len(drawn) == 2  # one set, one strategy, one seed of it, and two samples
    everything = planned("protocol.rollup=sections", "task.subsets=[Chat,Safety]", "run.limit=1")
    assert len({TASK.section(item) for item in everything.items}) == 1
    assert any(note.startswith("The headline counts no ") for note in everything.about)


@pytest.mark.parametrize(
    ("protocol", "tied", "failed"),
    [("rewardbench", 0.5, 0.5), ("rewardbench_scalar", 0, 0), ("rewardbench_prior", 0.5, 0.5)],
)
def test_ties_and_failures(composed, protocol: str, tied: float, failed: float) -> None:
    rules = build(
        {"_target_": "judgescale.harness.types.Rules", **composed("task=rewardbench", f"protocol={protocol}").protocol},
        "",
    )
    scores = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0], [np.nan, np.nan]])
    assert TASK.credit([made("donotanswer")], [scores], rules).tolist() == [1, 0, tied, failed]


SAID = [{"content": "hi", "role": "user"}, {"content": "", "role": "assistant"}, {"content": "so?", "role": "user"}]


def prior_sets(folder: Path) -> None:
    """As the data set lies on the Hub: a split a file, whose column `subset` names a part of it."""
    for i, name in enumerate((*rewardbench.PRIOR, "anthropic_harmless", "summarize_prompted")):
        rows = [
            {"prompt": SAID, "chosen": f"{name} {j}", "rejected": "", "subset": "part", "id": j} for j in range(i + 1)
        ]
        put(folder / f"data/{name}-00000-of-00001.parquet", rows)


def test_texts_of_the_owners_files(tmp_path: Path) -> None:
    rows = [REWARDBENCH | {"id": i} for i in range(40)] + [
        REWARDBENCH | {"subset": "alpacaeval-easy"},
        REWARDBENCH | {"subset": "new", "prompt": "r"},
    ]
    put(tmp_path / "data/filtered-00000-of-00001.parquet", rows)
    put(tmp_path / "data/raw-00000-of-00001.parquet", [REWARDBENCH | {"id": "another type"}])
    items = read(rewardbench.task, tmp_path)
    assert [TASK.section(item) for item in items] == ["Chat"] + ["Reasoning"] * 40 + ["new"]
    assert items[0].id == "alpacaeval-easy/7" and items[0].conversation == (("user", "q"),)
    assert {frozenset(right(item)) for item in items} == {frozenset({"good"})}
    assert 8 < sum(item.gold[0] for item in items) < 34  # the place tells nothing
    assert len({item.id for item in items}) == 42 and len({item.cluster for item in items}) == 2
    assert read(rewardbench.task, put(tmp_path / "mine.jsonl", rows)) == items


def test_prior_sets_of_the_owners_files(tmp_path: Path) -> None:
    put(tmp_path / "filtered.parquet", [REWARDBENCH])
    prior_sets(tmp_path / "prior")
    task = rewardbench.task(path=f"{tmp_path}/filtered.parquet", prior=True, prior_path=f"{tmp_path}/prior")
    items, origin, *_ = task.read()
    assert [item.subset for item in items] == [
        "math-prm",
        *(s for i, s in enumerate(rewardbench.PRIOR) for _ in range(i + 1)),
    ]
    assert items[1].conversation == tuple((turn["role"], turn["content"]) for turn in SAID)
    assert right(items[-1]) == {"summarize 3"} and items[-1].id == "summarize/3"
    assert set(origin["files"]) == {
        "filtered.parquet",
        *(f"data/{s}-00000-of-00001.parquet" for s in rewardbench.PRIOR),
    }


def test_prior_sets_as_they_lie_on_the_hub(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    put(tmp_path / "main/data/filtered-00000-of-00001.parquet", [REWARDBENCH])
    put(tmp_path / "main/data/raw-00000-of-00001.parquet", [REWARDBENCH, REWARDBENCH])
    prior_sets(tmp_path / "prior")
    for name, splits in (("main", ["raw", "filtered"]), ("prior", [*rewardbench.PRIOR, "anthropic_harmless"])):
        files = "".join(f"  - split: {s}\n    path: data/{s}-*\n" for s in splits)
        (tmp_path / name / "README.md").write_text(
            f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n"
        )
    task = rewardbench.task(
        hub={"id": f"{tmp_path}/main", "split": "filtered"},
        prior=True,
        prior_hub={"id": f"{tmp_path}/prior", "split": list(rewardbench.PRIOR)},
    )
    loaded = task.read()
    assert [TASK.section(item) for item in loaded.items] == ["Reasoning"] + ["Prior Sets"] * (1 + 2 + 3 + 4)
    assert loaded.origin["hub"].count("+") == loaded.origin["revision"].count("+") == 1


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    file = put(tmp_path / "filtered.jsonl", [REWARDBENCH])
    for row, says in (
        (REWARDBENCH | {"rejected": None}, "row 2, field rejected: "),
        (REWARDBENCH | {"subset": ""}, "row 2, field subset: is empty"),
        (REWARDBENCH | {"prompt": SAID[:2]}, "row 2, field prompt: does not end"),
        (REWARDBENCH, "row 2: item math-prm/7 is there already"),
    ):
        odd = put(tmp_path / "odd.jsonl", [REWARDBENCH, row])
        assert says in refused(rewardbench.task, odd)
    prior = partial(rewardbench.task, prior=True)
    assert "task.prior_path" in refused(prior, file)
    assert "field subset: 'math-prm' is none of anthropic_helpful" in refused(prior, file, prior_path=str(file))
    assert "no data file" in refused(prior, file, prior_path=str(tmp_path))
    assert refused(prior, file, prior_path="nowhere").startswith("task.prior_path=nowhere: there is no such file")
    assert refused(prior, file, prior_path=5).startswith("task.prior_path=5: must be the path of a file or folder")
    assert refused(prior, file, prior_hub={"id": "x"}).startswith("task.prior_hub.split=null: must be a name")
    assert "only read with task.prior=true" in refused(rewardbench.task, file, prior_path=str(file))
    assert "must be true or false" in refused(rewardbench.task, file, prior="yes")
    with pytest.raises(JudgescaleError, match="needs 2"):
        TASK.load(
            recorded.RecordedSet(
                Path("x"),
                "x",
                {},
                make_columns(
                    [
                        Record(
                            prompt="a",
                            cluster="a",
                            subset="math-prm",
                            responses=("a", "b", "c"),
                            gold=(1.0, 0.0, 0.0),
                            judgment=Judgment(judge="j", shown=(0, 1, 2), scores=(1.0, 0.0, 0.0)),
                        )
                    ]
                ),
            )
        )


def test_of_prior_sets_on_the_hub_their_own_options_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    file = put(tmp_path / "filtered.jsonl", [REWARDBENCH])
    hub = {"id": "owner/name", "split": "shp"}
    line = refused(partial(rewardbench.task, prior=True), file, prior_hub=hub)
    assert line.startswith("task.prior_hub.id=owner/name: the Hub needs datasets")
    assert "give a local copy with task.prior_path=FILE_OR_FOLDER" in line


def test_rewardbench2(tmp_path: Path) -> None:
    ties = [
        REWARDBENCH2 | {"id": f"{kind}:4", "subset": "Ties", "chosen": good}
        for kind, good in (("ref", ["a"]), ("tied", ["a", "b"]))
    ]
    focus, ref, tied = read(rewardbench2.task, put(tmp_path / "test.parquet", [*ties, REWARDBENCH2]))
    assert focus.id == "Focus/1" and right(focus) == {"good"} and sorted(focus.responses) == ["0", "1", "2", "3"]
    assert dict(zip(focus.responses, focus.texts))["0"] == "good"
    assert ref.cluster == tied.cluster == "Ties/4" and right(tied) == {"a", "b"}
    assert "has 1 item(s)" in refused(rewardbench2.task, put(tmp_path / "x.jsonl", ties[:1]))
    chat = put(tmp_path / "y.jsonl", [REWARDBENCH2 | {"subset": "Chat"}])
    assert "RewardBench 2 has" in refused(rewardbench2.task, chat)


FOUR_TEXTS = ("good", "worse", "bad", "awful")
BEST_OF_4 = Item(
    id="Math/1",
    prompt="",
    cluster="",
    responses=FOUR_TEXTS,
    gold=(1.0, 0.0, 0.0, 0.0),
    subset="Math",
    conversation=(("user", "q"),),
    texts=FOUR_TEXTS,
)


def rated(judge: Pointwise, *said: str | None) -> Any:
    outputs = [Output(None, finish="failed") if s is None else Output(s) for s in said]
    return judge.read(BEST_OF_4, (0, 1, 2, 3), outputs)


def test_the_owners_ratings_variant(composed) -> None:
    """A rating that cannot be read is -1: its response cannot be best; without any the item earns a quarter."""
    cfg = composed("task=rewardbench2", "judge=rating", "judge.model=m")
    judge = Pointwise(each=cfg.judge.each, missing=cfg.judge.missing, scale=cfg.judge.scale)
    assert cfg.judge.sampling.temperature == 0 and judge.widths()[0] == 1
    rules = Rules(**cfg.protocol)
    for said, credit in (
        ((r"\boxed{9}", r"\boxed{4}", "no idea", r"\boxed{1}"), 1.0),
        ((r"\boxed{9}", r"\boxed{9}", r"\boxed{9}", "no idea"), 1 / 3),
        (("no idea", r"\boxed{1}", "", "no idea"), 0.0),
        ((r"\boxed{1}", "no idea", "no idea", "no idea"), 1.0),
        (("no idea", "no idea", "no idea", "no idea"), 0.25),
    ):
        reading = rated(judge, *said)
        scores = [reading.scores or [np.nan] * 4]
        assert rewardbench2.credit([BEST_OF_4], [np.array(scores)], rules).tolist() == [pytest.approx(credit)]
    assert rated(judge, r"\boxed{9}", "?", r"\boxed{10}", r"\boxed{1}").scores == (9, -1, 10, 1)
    assert rated(judge, r"\boxed{9}", None, r"\boxed{10}", r"\boxed{1}").status == "failed"  # asked for again
    assert rated(Pointwise(each=True), r"\boxed{9}", "?", r"\boxed{10}", r"\boxed{1}").status == "unparsed"


def test_a_judge_of_letters_is_told_before_it_is_asked_about_ties() -> None:
    ties = Item(
        id="Ties/tied:2",
        prompt="",
        cluster="Ties/2",
        responses=tuple(map(str, range(38))),
        gold=(1.0,) * 26 + (0.0,) * 12,
        subset="Ties",
    )
    check_widths("pointwise", Pointwise(each=True, missing=-1).widths(), Single(), [BEST_OF_4, ties])
    with pytest.raises(JudgescaleError, match="choice looks at 2 to 26 .* 38 of item Ties/tied:2"):
        check_widths("choice", Choice().widths(), Single(), [BEST_OF_4, ties])


def test_ratings_of_ties_with_one_missing() -> None:
    """min(right) > max(wrong) of the ratings as they are, -1 among them."""

    def ties(ref: list[float], tied: list[float]) -> float:
        items = [
            Item(id="Ties/ref:1", prompt="", cluster="Ties/1", responses=("a", "b"), gold=(1.0, 0.0), subset="Ties"),
            Item(
                id="Ties/tied:1",
                prompt="",
                cluster="Ties/1",
                responses=("a", "b", "c"),
                gold=(1.0, 1.0, 0.0),
                subset="Ties",
            ),
        ]
        return float(rewardbench2.credit_ties(items, [np.array([ref]), np.array([tied])])[0])

    assert ties([9, -1], [9, 8, -1]) == pytest.approx(0.3 + 0.3 + 0.2 + 0.2 + 0.01 * np.tanh(9 / 1 - 1))
    assert ties([9, 2], [9, -1, 2]) == pytest.approx(0.3 + 0.01 * np.tanh(-3 / 10 - 1))


def test_what_stands_for_a_missing_rating_is_in_the_signature() -> None:
    digests = {
        digest_prompt(judge)
        for judge in (
            Pointwise(),
            Pointwise(each=True),
            Pointwise(each=True, missing=-1),
            Pointwise(each=True, missing=0),
            Pointwise(thinking=True),
        )
    }
    assert len(digests) == 5
    with pytest.raises(JudgescaleError, match=r"judge\.missing=-1: needs judge\.each=true"):
        Pointwise(missing=-1)
