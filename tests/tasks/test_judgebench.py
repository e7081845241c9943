"""JudgeBench: two editions by two models, which are never mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from omegaconf import DictConfig
from shapes import JUDGEBENCH, put, read, refused

from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.plan import plan_arms
from judgescale.harness.recorded import write_set
from judgescale.harness.types import Judgment, Record, Result
from judgescale.tasks import judgebench

GPT, CLAUDE = (f"dataset=judgebench,response_model={name}.jsonl" for name in ("gpt-4o", "claude-3-5"))
SUBSETS = {"Knowledge": "mmlu-pro-law", "Reasoning": "livebench-reasoning", "Math": "livebench-math",
           "Coding": "livecodebench"}  # fmt: skip
OURS = {"Knowledge": 154, "Reasoning": 51, "Math": 34, "Coding": 31}  # typed from the paper, not from the task
HAIKU = "Claude-3-haiku"


def result(composed: Callable[..., DictConfig], folder: Path, sizes: Mapping[str, int], judge: str) -> Result:
    records = [
        Record(
            prompt=f"{section}/{i}", cluster=f"{section}/{i}", subset=SUBSETS[section], responses=("A", "B"),
            gold=(1.0, 0.0), judgment=Judgment(judge=judge, shown=shown, scores=(1.0, 0.0) if i % 3 else (0.0, 1.0)),
        )
        for section, size in sizes.items()
        for i in range(size)
        for shown in ((0, 1), (1, 0))
    ]  # fmt: skip
    meta = {"tasks": ["judgebench"], "order": "both", "prompts": {judge: "Arena-Hard"}}
    write_set(path := folder / f"{judge[:6]}{len(records)}.parquet", records, meta)
    cfg = composed("task=judgebench", f"engine.path='{path}'", "strategy.k=2")
    return evaluate(plan_arms(cfg)[0])[0]


def test_claude_s_pairs_are_an_edition_with_figures_of_its_own(composed: Callable[..., DictConfig], tmp_path: Path):
    ours = result(composed, tmp_path, OURS, HAIKU)
    assert "The items are the edition claude-3-5-sonnet-20240620: figures of another one are not set beside it." in (
        ours.notes
    )
    assert not any("official" in note for note in ours.notes)
    assert {p.value for p in ours.published if p.section == "overall"} == {0.3222}
    assert "judgebench@1(claude-3-5-sonnet-20240620)" in ours.signature


def test_figures_of_one_edition_are_never_set_beside_the_other(composed: Callable[..., DictConfig], tmp_path: Path):
    """Though both have 154 items of Knowledge, and o1-mini a published figure for these."""
    ours = result(composed, tmp_path, OURS, "o1-mini-2024-09-12")
    theirs = result(composed, tmp_path, judgebench.SIZES, "o1-mini-2024-09-12")
    assert not any(p.delta is not None for p in ours.published) and any(p.delta is not None for p in theirs.published)
    assert not {p.name for p in ours.published} & {p.name for p in theirs.published}
    part = result(composed, tmp_path, {"Knowledge": 154}, "o1-mini-2024-09-12")
    assert not part.published and any("official" in note for note in part.notes)


def test_a_folder_with_both_models_files_is_refused(tmp_path: Path) -> None:
    put(tmp_path / GPT, [JUDGEBENCH])
    assert len(read(judgebench.task, tmp_path)) == 1
    put(tmp_path / CLAUDE, [JUDGEBENCH | {"pair_id": "other"}])
    line = refused(judgebench.task, tmp_path)
    assert f"holds {CLAUDE} and {GPT}" in line and line.endswith(f"""'task.path="{tmp_path / GPT}"'""")
    assert [item.id for item in read(judgebench.task, tmp_path / CLAUDE)] == ["other"]
