"""Two runs held side by side: the numbers are those of SciPy, and what is not comparable is refused by name."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path

import conftest
import numpy as np
import pytest
from conftest import ROOT
from fakes import judged
from runs import Compose, change_credits, evaluate, finish
from scipy import stats

from judgescale.harness import command
from judgescale.harness.evaluation.credits import keep_shared_units
from judgescale.harness.evaluation.differences import describe_difference
from judgescale.harness.evaluation.evaluate import evaluate as evaluate_arm
from judgescale.harness.finished.compare import main
from judgescale.harness.finished.comparing import compare_arms, list_unit_differences
from judgescale.harness.finished.reading import read_choices, split_choice
from judgescale.harness.finished.sharing import find_shared_units
from judgescale.harness.finished.signatures import find_unlike_parts
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.recorded import forget_sets
from judgescale.harness.recorded import write_set
from judgescale.harness.runner import list_shared_units
from judgescale.harness.types import JudgescaleError

refuse = partial(conftest.refuse, main)


@pytest.fixture(scope="module")
def llmbar(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = "judge.names=[GPT-4/Vanilla,ChatGPT/Vanilla]"
    return evaluate(composed, tmp_path_factory.mktemp("runs") / "llmbar", "experiment=llmbar", names)


@pytest.fixture(scope="module")
def samples(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluate(
        composed,
        tmp_path_factory.mktemp("runs") / "samples",
        "experiment=rewardbench2_samples",
        "judge.names=null",
        "run.ks=[8]",
        "run.draws=20",
    )


def interval_by_hand(gap: np.ndarray, section: np.ndarray, weight: np.ndarray) -> tuple[float, float, float, float]:
    """A stratified mean of differences, its t interval and p: independent items, and two more that differ."""
    share, variance, freedom = weight / weight.sum(), [], []
    for name in dict.fromkeys(section.tolist()):
        rows = section == name
        variance.append(share[rows].sum() ** 2 * gap[rows].var(ddof=1) / rows.sum())
        freedom.append(rows.sum() - 1)
    v = np.array(variance)
    error = np.sqrt(v.sum() + (np.abs(gap).max() * (share @ share)) ** 2)
    t = stats.t(v.sum() ** 2 / (v**2 / freedom).sum())
    mean = float(share @ gap)
    return mean, mean - t.ppf(0.975) * error, mean + t.ppf(0.975) * error, 2 * t.sf(abs(mean) / error)


def holm_by_hand(p: list[float]) -> list[float]:
    """Holm's method as a closed test: the largest, over all groups of tests that hold one, of Bonferroni's p."""
    groups = [group for size in range(1, len(p) + 1) for group in combinations(range(len(p)), size)]
    return [max(min(1.0, len(g) * min(p[j] for j in g)) for g in groups if i in g) for i in range(len(p))]


def test_two_judges_on_llmbar_are_those_of_scipy(llmbar: Path) -> None:
    (one,) = compare_arms(read_choices([str(llmbar)]))
    first, other = one.shared.credit.T
    assert len(first) > 200 and one.headline.items == len(first)
    found = one.headline.difference.by_rule
    mean, low, high, p = interval_by_hand(other - first, one.shared.units.section, np.ones(len(first)))
    assert found.gap == pytest.approx(mean) and found.interval == pytest.approx((low, high))
    assert found.p == pytest.approx(p) and (found.won, found.lost) == ((other > first).sum(), (other < first).sum())
    for part in one.parts:
        rows = (one.shared.subset if part.kind == "subset" else one.shared.units.section) == part.name
        reference = stats.ttest_rel(other[rows], first[rows])
        assert reference.pvalue <= part.difference.by_rule.p  # two units more, which differ
        assert part.difference.by_rule.p == pytest.approx(reference.pvalue, rel=0.15, abs=1e-4)


def test_mcnemar_is_scipys_exact_binomial_test(composed: Compose, tmp_path: Path) -> None:
    some = (
        "experiment=rewardbench2_samples",
        "judge.names=[GPT-5.4,GPT-5.4 mini]",
        "run.limit=200",
        "run.ks=[8]",
        "run.draws=20",
    )
    run = evaluate(composed, tmp_path / "run", *some, "strategy.tie=zero", "protocol.failure=0")
    (one,) = compare_arms(read_choices([str(run)]))
    first, other = one.shared.credit.T
    assert set(np.unique([first, other])) == {0, 1}
    won, lost = int((other > first).sum()), int((other < first).sum())
    assert one.headline.difference.by_rule.exact_p == pytest.approx(stats.binomtest(won, won + lost).pvalue)


def test_five_judges_on_rewardbench2_are_those_of_scipy(samples: Path) -> None:
    arms = read_choices([str(samples)])
    found = compare_arms(arms)
    assert len(found) == 4 and all(len(one.parts) == 5 for one in found)
    for one in found:
        first, other = one.shared.credit.T
        section = one.shared.units.section
        weight = np.array([1 / (section == name).sum() for name in section])  # RewardBench 2: sections count alike
        mean, low, high, p = interval_by_hand(other - first, section, weight)
        assert one.headline.difference.by_rule.gap == pytest.approx(mean)
        assert one.headline.difference.by_rule.interval == pytest.approx((low, high))
        assert one.headline.difference.p == pytest.approx(p)
    for rows in ([one.headline for one in found], *(one.parts for one in found)):
        p = [row.difference.p for row in rows]
        assert [row.holm for row in rows] == pytest.approx(holm_by_hand(p))
        assert [row.fdr for row in rows] == pytest.approx(stats.false_discovery_control(p))


@pytest.mark.parametrize("strategy", ["voting", "meta_voting"])
def test_it_says_what_the_run_itself_says(composed: Compose, tmp_path: Path, strategy: str) -> None:
    """The logistic meta RM is fitted to the other items, so that a difference of it varies twice as much."""
    overrides = ("experiment=llmbar", "judge.names=[GPT-4/Vanilla,ChatGPT/Vanilla]", f"strategy={strategy}")
    (a, b) = plan_arms(composed(*overrides))
    (first, base), (second, credits) = evaluate_arm(a), evaluate_arm(b)
    fitted = strategy == "meta_voting"
    said = describe_difference(b, "it", credits.select_column(-1), base.select_column(-1), fitted=fitted)
    (one,) = compare_arms(read_choices([str(finish([first, second], tmp_path / "run"))]))
    gap, ci = one.headline.difference.by_rule.gap, one.headline.difference.by_rule.interval
    assert f"{gap * 100:+.1f} points" in said and f"[{ci[0] * 100:+.1f}, {ci[1] * 100:+.1f}]" in said
    assert said.endswith(f": {one.headline.verdict}")


def test_shared_items_weigh_as_if_there_were_no_others(composed: Compose, tmp_path: Path) -> None:
    """As the evaluation itself does it, also where both labels of lone responses weigh alike."""
    rng = np.random.default_rng(0)
    rows = [
        judged(i, (float(rng.integers(2)),), 0, gold=(float(i % 3 == 0),), subset=f"s{i % 2}", judge=judge)
        for judge, items in (("x", range(0, 14)), ("y", range(5, 24)))
        for i in items
    ]
    write_set(tmp_path / "set.parquet", rows, {"tasks": ["custom"]})
    forget_sets()
    arms = plan_arms(composed("task=custom", f"engine.path={tmp_path / 'set.parquet'}"))
    run = finish([evaluate_arm(arm)[0] for arm in arms], tmp_path / "run")
    shared, unlike = find_shared_units(read_choices([str(run)]))
    assert unlike == [] and shared.lone and shared.left_out == (5, 10)
    for place, arm in enumerate(arms):
        kept = keep_shared_units(arm, evaluate_arm(arm)[1], list_shared_units(*arms))
        np.testing.assert_allclose(shared.credit[:, place], kept.value[:, -1])
        np.testing.assert_allclose(shared.by_lot[:, place], kept.by_lot[:, -1])
        np.testing.assert_allclose(shared.units.weight, kept.units.weight)


def test_one_run_at_two_k(composed: Compose, tmp_path: Path) -> None:
    run = evaluate(composed, tmp_path / "run", "task=vicuna80_pairs", "run.limit=60", "run.ks=[1,10]")
    (one,) = compare_arms(read_choices([f"{run}@1", f"{run}:1@10"]))
    assert (one.first.k, one.other.k, one.first.judge) == (1, 10, one.other.judge)
    assert one.headline.other > one.headline.first and one.unlike == ("k: 1 | 10",)


def test_a_recorded_set_stands_for_its_run(llmbar: Path) -> None:
    path = ROOT / "results/recorded/llmbar.parquet"
    (one,) = compare_arms(read_choices([f"{path}:GPT-4/Vanilla", f"{llmbar}:GPT-4"]))
    assert one.first.folder == path and one.unlike == ("strategy: voting | single", "k: 2 | 1")
    # votes of two tie, and a tie earns nothing by the owner's rule: by lot, one judgment is as good as two
    assert one.headline.difference.by_rule.interval[0] > 0 and one.headline.difference.by_lot.gap == pytest.approx(0)
    assert one.headline.verdict == "the tie rule's" and one.headline.difference.p == 1
    with pytest.raises(JudgescaleError, match=r"llmbar\.parquet: none of its arms is called 'nobody'"):
        read_choices([f"{path}:nobody"])


def test_items_are_listed_with_the_largest_difference_first(samples: Path) -> None:
    (one,) = compare_arms(read_choices([f"{samples}:1", f"{samples}:2"]))
    rows = list_unit_differences(one)
    sizes, gap = [abs(row.other - row.first) for row in rows], one.headline.difference.by_rule.gap
    assert sizes == sorted(sizes, reverse=True) and len(rows) == len(one.shared.item)
    assert sum(row.weight * (row.other - row.first) for row in rows) == pytest.approx(gap)


def test_what_cannot_be_compared_is_named(composed: Compose, samples: Path, llmbar: Path, tmp_path: Path) -> None:
    some = ("experiment=rewardbench2_samples", "judge.names=[GPT-5.4]", "run.limit=60", "run.ks=[8]")
    strict = evaluate(composed, tmp_path / "strict", *some, "strategy.tie=zero")
    with pytest.raises(JudgescaleError, match=r"not comparable: protocol\.tie: share \| zero \(--anyway"):
        compare_arms(read_choices([f"{samples}:1", str(strict)]))
    (one,) = compare_arms(read_choices([f"{samples}:1", str(strict)]), anyway=True)
    assert one.warnings == ("not comparable: protocol.tie: share | zero",)
    with pytest.raises(JudgescaleError, match=r"task: rewardbench2@1 \| llmbar@1"):
        compare_arms(read_choices([f"{samples}:1", f"{llmbar}:1"]))
    with pytest.raises(JudgescaleError, match="no item in common"):
        compare_arms(read_choices([f"{samples}:1", f"{llmbar}:1"]), anyway=True)


def test_other_labels_under_the_same_names_are_named(llmbar: Path, tmp_path: Path) -> None:
    for name in ("credits.parquet", "summary.json"):
        (tmp_path / name).write_bytes((llmbar / name).read_bytes())
    changed = change_credits(tmp_path, lambda rows: rows[0].update(gold=[0.5, 0.25]))
    with pytest.raises(JudgescaleError, match="gold of 1 items, the first Natural"):
        compare_arms(read_choices([f"{llmbar}:1", f"{changed}:1"]))


def test_live_runs_of_other_texts_are_not_comparable(samples: Path) -> None:
    one, other = read_choices([f"{samples}:1", f"{samples}:2"])
    live = "judge:x|task:t@1|items:5@aaaaaaaa"
    for theirs, bad, told in (
        ("judge:y|task:t@1|items:5@bbbbbbbb", ("items: 5@aaaaaaaa | 5@bbbbbbbb",), ("judge: x | y",)),
        ("judge:x|task:t@1|limit:3@c|items:3@bbbbbbbb", (), ("items: 5@aaaaaaaa | 3@bbbbbbbb", "limit: none | 3@c")),
        ("judge:x|task:t@1|set:s@bbbbbbbb", (), ("items: 5@aaaaaaaa | none", "set: none | s@bbbbbbbb")),
        ("judge:x|task:t@2|items:5@aaaaaaaa", ("task: t@1 | t@2",), ()),
    ):
        assert find_unlike_parts(replace(one, signature=live), replace(other, signature=theirs)) == (bad, told)


def test_the_command_line_writes_files(samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.run_command(["compare", f"{samples}:1", f"{samples}:2", "--out", str(tmp_path / "out"), "--items", "2"])
    out = capsys.readouterr().out
    assert "B - A" in out and "Factuality" in out and "B won: " in out and f"{tmp_path / 'out'}/" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.csv",
        "comparison.json",
        "comparison.md",
        "items.csv",
    ]
    (told,) = json.loads((tmp_path / "out/comparison.json").read_text())["comparisons"]
    with (tmp_path / "out/comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["difference"]) == told["headline"]["difference"] and len(rows) == 6
    assert told["headline"]["verdict"] == "below" and told["other"]["number"] == 2
    with (tmp_path / "out/items.csv").open() as file:
        assert len(list(csv.DictReader(file))) == told["headline"]["items"]


def test_choices(tmp_path: Path) -> None:
    (tmp_path / "a:b@2").mkdir()
    assert split_choice(f"{tmp_path}/a:b@2") == (tmp_path / "a:b@2", "", None)
    assert split_choice(f"{tmp_path}/a:b@2@4") == (tmp_path / "a:b@2", "", 4)
    assert split_choice(f"{tmp_path}/a:b@2:GPT: x@y") == (tmp_path / "a:b@2", "GPT: x@y", None)
    assert split_choice(f"{tmp_path}/none") == (tmp_path / "none", "", None)


def test_runs_that_cannot_be_read(samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in refuse(capsys, str(tmp_path / "none"), str(samples))
    assert "holds no summary.json" in refuse(capsys, str(tmp_path))
    (tmp_path / "summary.json").write_bytes((samples / "summary.json").read_bytes())
    assert "no credits.parquet; an earlier version wrote this run" in refuse(capsys, str(tmp_path))
    (tmp_path / "credits.parquet").write_text("PAR1")
    assert "no Parquet file that can be read" in refuse(capsys, str(tmp_path))
    (tmp_path / "credits.parquet").write_bytes((samples / "credits.parquet").read_bytes())
    change_credits(tmp_path, lambda rows: rows[4].update(cluster=None))
    assert "row 5, column cluster: empty" in refuse(capsys, str(tmp_path))
    change_credits(tmp_path, lambda rows: rows[4].update(cluster="c", signature="x") or rows[:])
    assert "has no k=3; it has 8" in refuse(capsys, f"{samples}@3")
    assert "2 of its arms are called 'Claude'" in refuse(capsys, f"{samples}:Claude")
    assert "none of its arms is called 'nobody'" in refuse(capsys, f"{samples}:nobody")
    assert "one arm is not compared with itself" in refuse(capsys, f"{samples}:1")
    assert "--items -1" in refuse(capsys, str(samples), "--items=-1")
