"""RM-Bench: nine items a row, three levels, four domains; the figures that RM-R1 stored come out of its roll-up.

The Hub was not reached: files here are made up in the documented shape.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import arm, protocol
from shapes import RM_BENCH, put, read, refused

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan.items import note_counts
from judgescale.harness.published import lists as published
from judgescale.harness.strategies.single import Single
from judgescale.harness.types import Item, Judgment, Record
from judgescale.tasks import rm_bench

RULES = protocol("rm_bench")
DOMAINS = {"chat": 129, "math": 529, "code": 228, "safety-refuse": 284, "safety-response": 157}
RM_R1 = "RM-R1-Qwen2.5-Instruct-32B"
# github.com/RM-R1-UIUC/RM-R1@d4c2542f, eval/result/RM-R1-Qwen2.5-Instruct-32B/RM-Bench/final_result.json
STORED = {
    "Chat": 0.764857881136951, "Math": 0.8055030455786599, "Code": 0.6608187134502925, "Safety": 0.9382716049382717,
    "level: hard": 0.7049334242582853, "level: normal": 0.8050964241257946, "level: easy": 0.8670585854440513,
    "overall": 0.7923628112760438,
}  # fmt: skip
# Pairs won, hard, normal, easy: one of the three ways in which whole numbers of the official 1,327 rows give all of it.
WON = {
    "chat": (225, 312, 351), "math": (1174, 1283, 1378), "code": (401, 450, 505),
    "safety-refuse": (777, 808, 814), "safety-response": (430, 446, 449),
}  # fmt: skip


def test_a_row_is_nine_pairs_of_three_levels(tmp_path: Path) -> None:
    rows = [RM_BENCH | {"id": f"x{i}", "prompt": f"q{i}"} for i in range(40)]
    items = read(rm_bench.task, put(tmp_path / "total_dataset.json", rows))
    assert len(items) == len({item.id for item in items}) == 360 and len({item.cluster for item in items}) == 40
    assert Counter(item.subset for item in items) == {f"chat/{level}": 120 for level in ("hard", "normal", "easy")}
    for item in items:
        right, wrong = sorted(range(2), key=lambda i: -item.gold[i])
        (good, style), (bad, other) = item.texts[right].split(), item.texts[wrong].split()
        assert (good, bad) == ("good", "bad") and item.id.endswith(f"/{style}-{other}")
        assert item.responses[right] == f"chosen {style}" and item.responses[wrong] == f"rejected {other}"
        fancier = rm_bench.STYLES.index(other) - rm_bench.STYLES.index(style)
        level = "hard" if fancier > 0 else "normal" if fancier == 0 else "easy"
        assert item.subset == f"chat/{level}" and item.tags == (("level", level),)
    assert 140 < sum(item.gold[0] for item in items) < 220  # the file lists the right answers first


@pytest.mark.hub
def test_a_folder_of_domains_and_the_hub_give_the_same_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub's part is played by a folder in which a copy of the data set lies."""
    monkeypatch.setattr(pytest.importorskip("datasets").config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = [RM_BENCH | {"id": 7, "domain": domain, "prompt": domain} for domain in sorted(DOMAINS)]
    put(tmp_path / "total_dataset.json", rows)
    hub = put(tmp_path / "hub/train.json", rows).parent
    for one in rows:
        plain = {name: value for name, value in one.items() if name != "domain"}
        put(tmp_path / f"{one['domain']}_filtered.json", [plain | {"error": "told of chat alone"}])
    options = {"id": str(hub), "config": None, "split": "train", "revision": None}
    copies = read(rm_bench.task, tmp_path), list(rm_bench.task(hub=options).read().items)
    assert copies[0] == copies[1] == read(rm_bench.task, tmp_path / "total_dataset.json")
    assert {item.subset.split("/")[0]: rm_bench.section(item) for item in copies[0]} == rm_bench.DOMAINS
    (note,) = note_counts(rm_bench.task(), copies[0])
    assert "Chat 9 of 1,161, Math 9 of 4,761, Code 9 of 2,052, Safety 18 of 3,969" in note


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"domain": "safety"}, "field domain: 'safety' is none of chat"),
        ({"chosen": ["a", "b"]}, "field chosen: has 2 answers, expected 3: concise, detailed, markdown"),
        ({"rejected": "a"}, "field rejected: has 1 answers"),
        ({"rejected": ["a", "b", ""]}, "field rejected[2]: is empty"),
        ({"prompt": ""}, "field prompt: is empty"),
        ({"id": None}, "field id: "),
        ({}, "item chat/8/concise-concise is there already"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    file = put(tmp_path / "total_dataset.json", [RM_BENCH, RM_BENCH | changes])
    line = refused(rm_bench.task, file)
    assert line.startswith(f"{file}, row 2") and says in line


def test_a_file_whose_name_is_no_domain_is_refused(tmp_path: Path) -> None:
    file = put(tmp_path / "mine.json", [{name: value for name, value in RM_BENCH.items() if name != "domain"}])
    assert "row 1, field domain: 'mine' is none of chat" in refused(rm_bench.task, file)


def test_a_tie_is_wrong() -> None:
    item = Item(id="i", prompt="i", cluster="i", responses=("a", "b"), gold=(1.0, 0.0), subset="chat/hard")
    decisions = np.array([[2.0, 1.0], [1.0, 1.0], [1.0, 2.0], [np.nan, np.nan]])
    assert rm_bench.task().credit([item], [decisions], RULES).tolist() == [1, 0, 0, 0]


def test_the_stored_figures_of_rm_r1_come_out_of_the_rollup() -> None:
    """Every one of the eight: the levels are means over the four domains too, and both safety files are pooled.

    The stored total is 79.24; the tables that quote RM-R1-32B print 79.1, of another evaluation: see below.
    """
    records = [
        Record(
            prompt=f"{domain}/{level}/{i}",
            cluster=f"{domain}/{i // 3}",
            subset=f"{domain}/{level}",
            responses=("a", "b"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge=RM_R1, shown=(0, 1), scores=(float(i < won), float(i >= won))),
        )
        for domain, rows in DOMAINS.items()
        for level, won in zip(("hard", "normal", "easy"), WON[domain])
        for i in range(3 * rows)
    ]
    made = arm(records, Single(), [1], rm_bench.task(), RULES)
    result, _ = evaluate(made)
    found = {name: e.value for name, e in (result.sections | result.subsets | {"overall": result.headline}).items()}
    assert {name: found[name] for name in STORED} == pytest.approx(STORED, abs=1e-12)
    assert note_counts(made.task, made.items) == []


def test_published_sections_are_ours() -> None:
    rows = {r.subset: r.value for r in published.find_rows("RM-Bench", RM_R1)}
    ours = {name.removeprefix("level: ").capitalize(): value for name, value in STORED.items()}
    assert rows == pytest.approx(ours, abs=1e-6)


def test_printed_totals_are_the_mean_of_four_domains_and_of_three_levels() -> None:
    """Of every model of every table that is not known to contradict itself; of RM-R1-32B the 79.1 is the levels'."""
    tables: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for r in published.find_rows("RM-Bench"):
        if "disputed" not in r.status or r.model == "RM-R1-Qwen-Instruct-32B":
            tables[r.model, r.source][r.subset] = r.value
    disputed = tables.pop(("RM-R1-Qwen-Instruct-32B", "github THU-KEG/RM-Bench-Leaderboard@b0d159fb README"))
    for parts in (("Chat", "Math", "Code", "Safety"), ("Hard", "Normal", "Easy")):
        full = [t for t in tables.values() if t.keys() >= {*parts, "Overall"}]
        assert len(full) > 35
        for table in full:
            assert np.mean([table[part] for part in parts]) == pytest.approx(table["Overall"], abs=0.00101)
    assert round(np.mean([disputed[level] for level in ("Hard", "Normal", "Easy")]), 3) == disputed["Overall"] == 0.791
    assert round(np.mean([disputed[domain] for domain in ("Chat", "Math", "Code", "Safety")]), 3) == 0.773
