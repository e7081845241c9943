"""Judges of one set that judged different items: each has its own, and differences are taken on the shared ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import judged
from omegaconf import DictConfig

import judgescale
from judgescale.harness.arm import Arm
from judgescale.harness.evaluation.credits import keep_shared_units
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.proposal import propose_run
from judgescale.harness.plan.recorded import forget_sets
from judgescale.harness.recorded import write_set
from judgescale.harness.runner import evaluate_all, list_shared_units
from judgescale.harness.stats.intervals import Units
from judgescale.harness.stats.paired import compare_paired
from judgescale.harness.types import JudgescaleError, Judgment, Record

Compose = Callable[..., DictConfig]

RIGHT = {  # judge -> the items it judged, and which of them it got right
    "one": (range(0, 20), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}),
    "two": (range(5, 25), {5, 6, 7, 8, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}),
    "three": (range(0, 30), set(range(30))),
}


def three_judges() -> list[Record]:
    """Item i is judged by those whose range holds it, twice alike."""
    return [
        judged(i, (1.0, 0.0) if i in right else (0.0, 1.0), sample, judge=judge)
        for judge, (items, right) in RIGHT.items()
        for i in items
        for sample in range(2)
    ]


def plan(composed: Compose, path: Path, records: Iterable[Record], *overrides: str, **meta: object) -> list[Arm]:
    write_set(path, list(records), {"tasks": ["custom"], **meta})
    forget_sets()
    arms = plan_arms(composed("task=custom", f"engine.path={path}", *overrides))
    assert all(isinstance(arm, Arm) for arm in arms)
    return arms  # type: ignore[return-value]


def numbers(items: Sequence[object]) -> list[int]:
    return sorted(int(item.id[1:]) for item in items)  # type: ignore[attr-defined]


def test_each_judge_is_evaluated_on_what_it_judged(composed: Compose, tmp_path: Path) -> None:
    arms = plan(composed, tmp_path / "set.parquet", three_judges())
    assert {arm.judge: numbers(arm.items) for arm in arms} == {j: list(items) for j, (items, _) in RIGHT.items()}
    results = {r.judge: r for r in evaluate_all(arms)}
    assert {j: (r.items, r.headline.value) for j, r in results.items()} == {
        "one": (20, 12 / 20),
        "two": (20, 14 / 20),
        "three": (30, 1.0),
    }
    for judge in ("one", "two"):
        note = f"Evaluated on 20 of 30 items only: {judge} did not judge 10 in full."
        assert any(line.startswith(note) for line in results[judge].notes)
        assert "|judged:20@" in results[judge].signature
    assert not any("Evaluated on" in line for line in results["three"].notes)
    assert "judged:" not in results["three"].signature


def test_differences_are_those_by_hand_on_the_shared_items(composed: Compose, tmp_path: Path) -> None:
    results = {r.judge: r for r in evaluate_all(plan(composed, tmp_path / "set.parquet", three_judges()))}
    base_items, base_right = RIGHT["one"]
    for judge in ("two", "three"):
        items, right = RIGHT[judge]
        shared = sorted(set(items) & set(base_items))
        ours, theirs = (np.array([float(i in r) for i in shared]) for r in (right, base_right))
        ids = np.array([f"q{i}" for i in shared])
        units = Units(np.full(len(shared), ""), ids, np.ones(len(shared)))
        found = compare_paired(units, ours, theirs, "items")
        gap, ci = found.gap, found.interval
        assert gap == pytest.approx((ours - theirs).mean())
        (said,) = results[judge].differences
        assert said.startswith(f"{judge} - one, on the {len(shared)} items that both judged: ")
        assert f"{100 * gap:+.1f} points, 95 % interval [{100 * ci[0]:+.1f}, {100 * ci[1]:+.1f}]" in said.replace(
            "\N{MINUS SIGN}", "-"
        )


def test_a_panel_votes_on_what_all_of_it_judged(composed: Compose, tmp_path: Path) -> None:
    (arm,) = plan(composed, tmp_path / "set.parquet", three_judges(), "judge.pool=true")
    assert numbers(arm.items) == list(range(5, 20))
    assert any("not all of the 3 judges judged 15 in full" in note for note in arm.about)


def test_judges_without_a_shared_item_cannot_vote_together(composed: Compose, tmp_path: Path) -> None:
    apart = [judged(i, (1.0, 0.0), 0, judge=f"j{i}") for i in range(3)]
    with pytest.raises(JudgescaleError, match="no item was judged by each of the 3 judges.*judge.pool=false"):
        plan(composed, tmp_path / "set.parquet", apart, "judge.pool=true")
    first, *others = evaluate_all(plan(composed, tmp_path / "set.parquet", apart))
    assert [r.items for r in (first, *others)] == [1, 1, 1]
    assert all("no difference is taken, since they are not about the same items" in r.notes[-1] for r in others)


def test_a_given_k_leaves_out_items_with_fewer(composed: Compose, tmp_path: Path) -> None:
    rows = [judged(i, (1.0, 0.0), sample) for i in range(6) for sample in range(3 if i < 2 else 8)]
    (arm,) = plan(composed, tmp_path / "set.parquet", rows, "strategy.k=8")
    assert numbers(arm.items) == [2, 3, 4, 5] and arm.ks[-1] == 8
    assert any("Evaluated on 4 of 6 items only: 2 have fewer judgments than strategy.k=8" in n for n in arm.about)
    (arm,) = plan(composed, tmp_path / "set.parquet", rows)
    assert len(arm.items) == 6 and arm.ks == (1, 2, 3), "without a given k all items count, up to what all have"
    with pytest.raises(JudgescaleError, match="strategy.k=9 asks for more than was recorded: .* use strategy.k=8 or"):
        plan(composed, tmp_path / "set.parquet", rows, "strategy.k=9")


def game(i: int, pair: tuple[int, int], sample: int = 0) -> Record:
    scores, names = (1.0, 0.0), ("a", "b", "c")
    return Record(
        prompt=f"q{i}",
        cluster=f"q{i}",
        subset="",
        responses=names,
        gold=(1.0, 0.0, 0.0),
        judgment=Judgment(judge="j", shown=pair, scores=scores, sample=sample),
    )


@pytest.mark.parametrize("strategy", ["elo", "knockout"])
def test_a_tournament_needs_all_of_an_item_s_games(composed: Compose, tmp_path: Path, strategy: str) -> None:
    rows = [game(i, pair) for i in range(4) for pair in ((0, 1), (0, 2), (1, 2)) if (i, pair) != (3, (1, 2))]
    (arm,) = plan(composed, tmp_path / "set.parquet", rows, f"strategy={strategy}")
    assert numbers(arm.items) == [0, 1, 2] and arm.left_out == 1
    with pytest.raises(JudgescaleError, match=r"no judgment of these 3 response\(s\) together"):
        plan(composed, tmp_path / "set.parquet", rows, "strategy=voting")


def test_what_is_proposed_leaves_out_as_little_as_can_be(tmp_path: Path) -> None:
    """Voting has one item of these, a round robin all."""
    rows = [game(i, pair) for i in range(4) for pair in ((0, 1), (0, 2), (1, 2))] + [judged(9, (1.0, 0.0), 0)]
    write_set(tmp_path / "set.parquet", rows, {"tasks": ["custom"]})
    assert "strategy=elo" in propose_run(tmp_path / "set.parquet", ["custom"])


def rated(prompt: str, subset: str, judge: str, n: int = 4, right: int = 1) -> Record:
    return Record(
        prompt=prompt,
        cluster=prompt.replace("ref:", "").replace("tied:", ""),
        subset=subset,
        responses=tuple(map(str, range(n))),
        gold=tuple(float(i < right) for i in range(n)),
        judgment=Judgment(judge=judge, shown=tuple(range(n)), scores=tuple(float(n - i) for i in range(n))),
    )


def test_what_is_scored_together_is_left_out_together(composed: Compose, tmp_path: Path) -> None:
    """RewardBench 2's Ties: one score for `ref` and `tied` of a prompt, of which the judge lacks one."""
    prompts = [("Math/1", "Math", 1), ("Ties/ref:1", "Ties", 1), ("Ties/tied:1", "Ties", 2)]
    prompts += [("Ties/ref:2", "Ties", 1), ("Ties/tied:2", "Ties", 2)]
    rows = [
        rated(prompt, subset, judge, right=right)
        for judge in ("whole", "part")
        for prompt, subset, right in prompts
        if (judge, prompt) != ("part", "Ties/tied:1")
    ]
    arms = plan(composed, tmp_path / "s.parquet", rows, "task=rewardbench2", tasks=["rewardbench2"])
    part, whole = arms
    assert len(whole.items) == 5 and [item.id for item in part.items] == ["Math/1", "Ties/ref:2", "Ties/tied:2"]
    assert part.partial == {"Ties"}
    assert any("part did not judge 1 in full, 1 are only scored together with these" in note for note in part.about)
    results = evaluate_all(arms)
    assert results[1].differences[0].startswith("whole - part, on the 3 items that both judged: ")


def test_a_section_that_a_judge_lacks_is_told(composed: Compose, tmp_path: Path) -> None:
    rows = [rated(f"{s}/1", s, j) for j in ("all", "some") for s in ("Math", "Focus") if (j, s) != ("some", "Focus")]
    whole, some = plan(composed, tmp_path / "s.parquet", rows, "task=rewardbench2", tasks=["rewardbench2"])
    assert "The headline counts no Focus, of which there are no items here." in some.about
    assert not any("Focus, of which" in note for note in whole.about)


def test_a_published_figure_is_not_held_against_a_part(composed: Compose, tmp_path: Path) -> None:
    data = judgescale.harness.recorded.read_set("judgebench")
    judge = sorted({r.judgment.judge for r in data.records})[0]
    own = [r for r in data.records if r.judgment.judge == judge]
    lost = own[0].prompt
    other = [r for r in data.records if r.judgment.judge != judge]
    for rows, left_out in ((own, 0), ([r for r in own if r.prompt != lost], 1)):
        arms = plan(composed, tmp_path / "s.parquet", [*rows, *other], "task=judgebench", tasks=["judgebench"])
        (arm,) = (arm for arm in arms if arm.judge == judge)
        assert arm.left_out == left_out
        (result, *_) = evaluate_all([arm])
        held = {p.section for p in result.published if p.delta is not None or p.reason}
        assert ("overall" in held) == (not left_out)


def test_the_python_face_does_the_same() -> None:
    rows = [
        {"item": f"q{i}", "responses": ["a", "b"], "best": "a", "judge": judge, "winner": "a"}
        for judge, items in (("x", range(4)), ("y", range(2, 6)))
        for i in items
    ]
    assert {r.judge: r.items for r in judgescale.evaluate(rows)} == {"x": 4, "y": 4}


def test_shared_units_are_credited_as_if_there_were_no_others(composed: Compose, tmp_path: Path) -> None:
    """Also by lot, where both labels of lone responses weigh alike among the items there are."""
    rng = np.random.default_rng(0)
    rows = [
        judged(i, (float(rng.integers(2)),), 0, gold=(float(i % 3 == 0),), subset=f"s{i % 2}", judge=judge)
        for judge, items in (("x", range(0, 14)), ("y", range(5, 24)))
        for i in items
    ]
    x, y = plan(composed, tmp_path / "set.parquet", rows)
    shared = list_shared_units(x, y)
    assert shared == {f"q{i}" for i in range(5, 14)}
    for arm in (x, y):
        kept = keep_shared_units(arm, evaluate(arm)[1], shared)
        alone = evaluate(dataclasses.replace(arm, items=tuple(i for i in arm.items if i.id in shared)))[1]
        for name in ("value", "by_lot", "items"):
            np.testing.assert_allclose(getattr(kept, name), getattr(alone, name))
        assert kept.units.cluster.tolist() == alone.units.cluster.tolist()
        np.testing.assert_allclose(kept.units.weight, alone.units.weight)
