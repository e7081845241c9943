"""The shipped sets: they hold what SOURCES.md says, and give the figures that were published of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from judgescale.harness.recorded import COLUMNS, list_shipped_sets, read_set
from judgescale.harness.recorded.build import RECIPES, build_sets
from judgescale.harness.recorded.sets import IF_ANY
from judgescale.harness.types import Judgment

DATA = ROOT.parent / "shared" / "data"
SIZES = {  # judgments, human labels, items, clusters, judges, unusable judgments
    "vicuna80": (8000, 1760, 80, 80, 5, 0),
    "rewardbench2_scalar": (3730, 0, 1865, 1814, 2, 0),
    "rewardbench2_generative": (1800, 0, 150, 150, 2, 3),
    "rewardbench2_samples": (97504, 0, 1763, 1763, 5, 20),
    "rewardmath": (4349, 0, 485, 483, 9, 0),
    "rewardmath_pairs": (8694, 0, 4347, 483, 2, 9),
    "rewardbench_math_prm": (2235, 0, 447, 447, 5, 0),
    "realmistake": (2250, 0, 150, 150, 3, 71),
    "realmistake_math": (18000, 0, 300, 160, 12, 455),
    "judgebench": (1400, 0, 350, 350, 2, 0),
    "llmbar": (4680, 0, 234, 234, 10, 4),
    "rmb_armorm": (849, 0, 849, 849, 1, 0),
    "pandalm": (999, 2997, 999, 170, 1, 0),
}


def test_the_shipped_sets_are_the_documented_ones() -> None:
    assert set(list_shipped_sets()) == set(SIZES) == {recipe.name for recipe in RECIPES}
    assert sum(path.stat().st_size for path in list_shipped_sets().values()) < 2_000_000
    sources = (ROOT / "results" / "recorded" / "SOURCES.md").read_text(encoding="utf-8")
    for name in SIZES:
        assert f"`{name}`" in sources and f"**{name}**" in sources
        for source in read_set(name).meta["sources"]:
            assert source["repo"] in sources and source["commit"] in sources and source["licence"] and source["files"]


@pytest.mark.parametrize("name", SIZES)
def test_a_shipped_set_holds_what_it_should(name: str) -> None:
    found = read_set(name)
    records = found.records
    machine = [r for r in records if r.judgment.judge != "human"]
    assert SIZES[name] == (
        len(machine),
        len(records) - len(machine),
        len({r.prompt for r in records}),
        len({r.cluster for r in records}),
        len({r.judgment.judge for r in machine}),
        sum(r.judgment.status != "ok" for r in machine),
    )
    assert found.meta["pool"] is (name in ("vicuna80", "realmistake_math"))
    schema = pq.read_schema(found.path)
    assert schema.names == [c for c in COLUMNS if c not in IF_ANY or name in ("rewardmath", "rewardbench_math_prm")]
    longest = max(len(text) for r in records for text in (r.prompt, r.cluster, r.subset, *r.responses))
    assert longest < 100, "ids only, no texts"


def order_scores(judgment: Judgment) -> tuple[float, ...] | None:
    if judgment.scores is None:
        return None
    by_response = dict(zip(judgment.shown, judgment.scores, strict=True))
    return tuple(by_response[i] for i in sorted(by_response))


def test_judgebench_gives_the_leaderboards_numbers() -> None:
    points: Counter[tuple[str, str]] = Counter()
    for r in read_set("judgebench").records:
        scores = order_scores(r.judgment)
        assert scores is not None and r.gold is not None
        right = (scores[0] - scores[1]) * (r.gold[0] - r.gold[1])
        points[r.judgment.judge, r.prompt] += (right > 0) - (right < 0)
    for judge, accuracy in (("o1-mini-2024-09-12", 0.6571), ("Skywork/Skywork-Reward-Gemma-2-27B", 0.6429)):
        won = [value > 0 for (who, _), value in points.items() if who == judge]
        assert len(won) == 350 and round(sum(won) / 350, 4) == accuracy


def test_llmbar_gives_its_own_statistics() -> None:
    right: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    for r in read_set("llmbar").records:
        right[r.subset, r.judgment.judge, r.judgment.shown] += order_scores(r.judgment) == r.gold
    assert (right["Natural", "GPT-4/Vanilla", (0, 1)], right["Natural", "GPT-4/Vanilla", (1, 0)]) == (95, 96)
    assert (right["Natural", "GPT-4/Swap", (0, 1)], right["Natural", "GPT-4/Swap", (1, 0)]) == (94, 95)


def test_pandalm_and_rmb_give_the_published_accuracies() -> None:
    votes: dict[str, Counter[Any]] = {}
    verdicts: dict[str, Any] = {}
    for r in read_set("pandalm").records:
        if r.judgment.judge == "human":
            votes.setdefault(r.prompt, Counter())[r.judgment.scores] += 1
        else:
            verdicts[r.prompt] = r.judgment.scores
    labels = {prompt: count.most_common(1)[0][0] for prompt, count in votes.items()}
    assert sorted(Counter(labels.values()).values()) == [105, 422, 472]
    assert round(sum(labels[p] == verdicts[p] for p in labels) / 999, 4) == 0.6677
    rewards = [r.judgment.scores or (0.0, 0.0) for r in read_set("rmb_armorm").records]
    assert round(sum(a > b for a, b in rewards) / 849, 4) == 0.7951 and sum(a == b for a, b in rewards) == 12


def test_the_tournament_is_complete() -> None:
    seen = Counter((r.judgment.judge, r.prompt) for r in read_set("vicuna80").records)
    assert {n for (judge, _), n in seen.items() if judge != "human"} == {20}, "10 pairs in both orders"
    assert {n for (judge, _), n in seen.items() if judge == "human"} == {22}, "6 pairs x 3 and 4 pairs x 1"


@pytest.mark.skipif(not DATA.is_dir(), reason="the source files are not beside the project")
def test_rebuilding_gives_the_same_bytes(tmp_path: Path) -> None:
    assert len(list(build_sets(DATA, tmp_path))) == len(RECIPES)
    for name, path in list_shipped_sets().items():
        again = tmp_path / path.name
        old, new = read_set(path), read_set(again)
        assert new.records == old.records and new.meta == old.meta, name
        if pq.read_metadata(again).created_by == pq.read_metadata(path).created_by:  # another pyarrow, other bytes
            assert again.read_bytes() == path.read_bytes(), name
