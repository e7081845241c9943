"""Build the shipped sets: which source files make which set, and what each may say about itself.

    judgescale recorded build --data FOLDER

Running it again on the same files writes the same bytes (with the same pyarrow).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from judgescale.harness.recorded.importing import import_files
from judgescale.harness.recorded.sets import SHIPPED
from judgescale.harness.recorded.source import reject
from judgescale.harness.types import JudgescaleError


@dataclass(frozen=True)
class Recipe:
    """Declare one shipped set; what is not given here is counted from the judgments."""

    name: str
    format: str
    folder: str
    files: tuple[str, ...]  # globs below the folder
    varies: str
    note: str
    pool: bool = False


RECIPES = (
    Recipe(
        "vicuna80",
        "tournament",
        "prd_vicuna80",
        ("data/vicuna80/ratings-*/*.jsonl.gz", "data/vicuna80/prompts/vicuna_questions.jsonl.gz"),
        "5 judges x 2 orders, one sample each: an ensemble, not repeated sampling; human labels beside them",
        "80 questions, 5 models' answers, complete round robin. The judges are also contestants. No verdict is "
        "missing: the authors filled in, by rule or by hand, what their parser had not read. Human labels: three "
        "annotators on each question of the six pairs without claude, one on the four pairs with it.",
        pool=True,
    ),
    Recipe(
        "rewardbench2_scalar",
        "rewardbench2",
        "rewardbench2",
        ("scalar/*.jsonl.gz",),
        "2 scalar reward models, one deterministic reward a response: nothing to vote over",
        "All 1,865 items of RewardBench 2, Ties included.",
    ),
    Recipe(
        "rewardbench2_generative",
        "rewardbench2",
        "rewardbench2",
        ("generative/*.jsonl.gz",),
        "2 judges x 6 arrangements of the four responses, one sample each: order varies, not the sampling",
        "150 of RewardBench 2's 1,865 items, without Ties: not a RewardBench 2 score. In arrangements 0, 9, 16 and 18 "
        "every response stands once in every place.",
    ),
    Recipe(
        "rewardbench2_samples",
        "criteria_ensembling",
        "criteria_ensembling",
        ("*_k8.jsonl.gz",),
        "5 judges, 8 samples of each item with one prompt, two of them with a second prompt too: repeated sampling",
        "RewardBench 2 without Ties; of its 1,763 items GPT-5.4 and its kin have 1,718 to 1,742, those left out being "
        "mostly of Safety. The variants are prompts: choose one with judge.variants=[base], or a vote mixes them.",
    ),
    Recipe(
        "rewardmath",
        "rewardmath",
        "rewardmath",
        ("results/RewardMATH",),
        "9 judges, one score a solution each: nothing to vote over; 2 are process reward models, with step scores",
        "All 483 problems of RewardMATH; gpt4o judged two of them twice, and its figures count both (#2).",
    ),
    Recipe(
        "rewardmath_pairs",
        "rewardmath_pairs",
        "rewardmath",
        ("results/RewardMATH/*_pairwise_reward.json.gz",),
        "2 judges in one order, one sample each: nothing to vote over",
        "All 483 problems of RewardMATH, the right solution against each of nine wrong ones, in the owners' places.",
    ),
    Recipe(
        "rewardbench_math_prm",
        "rewardbench_math_prm",
        "rewardmath",
        ("results/Rewardbench/*.json.gz",),
        "5 reward models, one score a response each: nothing to vote over; 2 of them have step scores",
        "The 447 math-prm pairs of RewardBench, one of its 23 subsets: not a RewardBench score.",
    ),
    Recipe(
        "realmistake",
        "realmistake",
        "realmistake",
        ("self_consistency_predictions.jsonl.gz",),
        "3 judges, 5 samples of each question with one prompt: repeated sampling",
        "50 items of each of three tasks, all answered by gpt-4-0613: 150 of ReaLMistake's 900.",
    ),
    Recipe(
        "realmistake_math",
        "realmistake",
        "realmistake",
        ("single_predictions_mathgen.jsonl.gz",),
        "12 judges x 5 prompts, one sample each: an ensemble, not repeated sampling",
        "The 300 items of one of ReaLMistake's three tasks, math word problem generation.",
        pool=True,
    ),
    Recipe(
        "judgebench",
        "judgebench",
        "judgebench",
        ("outputs/*.jsonl.gz",),
        "2 judges x 2 orders, one sample each: two games, not repeated sampling (the reward model's second game "
        "mirrors its first)",
        "The 350 pairs written by gpt-4o-2024-05-13; JudgeBench's 270 pairs by claude-3-5-sonnet are not here.",
    ),
    Recipe(
        "llmbar",
        "llmbar",
        "llmbar",
        ("*/evaluators/*/*/result.json.gz",),
        "10 evaluators (2 models x 5 prompts) x 2 orders, one sample each: an ensemble, not repeated sampling",
        "234 of LLMBar's 419 items: Natural 100 and Neighbor 134; GPTInst, GPTOut and Manual are not here.",
    ),
    Recipe(
        "rmb_armorm",
        "rmb",
        "rmb",
        ("armorm_result/*.json",),
        "1 scalar reward model, one deterministic reward a response: nothing to vote over",
        "RMB's ArmoRM pairs are Idea Development only, 849 of 17,131: not an RMB score.",
    ),
    Recipe(
        "pandalm",
        "pandalm",
        "pandalm",
        ("testset-v1.json.gz", "pandalm-7b-testset-v1.json.gz"),
        "1 judge in one order, one sample each: nothing to vote over; three human annotators beside it",
        "All 999 pairs of the PandaLM test set; the label is the annotators' majority.",
    ),
)


def build_sets(data: Path, out: Path | None = None, only: Sequence[str] | None = None) -> Iterator[str]:
    """Write the sets, or those in `only`, one after another; yield a line about each.

    Raises JudgescaleError for an unknown name, and where a set's source files are not in the data folder.
    """
    names = [recipe.name for recipe in RECIPES]
    unknown = [name for name in only or () if name not in names]
    if unknown:
        raise JudgescaleError(f"no set is called {unknown[0]!r}; sets: {', '.join(names)}")
    for recipe in RECIPES:
        if only and recipe.name not in only:
            continue
        folder = data / recipe.folder
        files = [file for pattern in recipe.files for file in sorted(folder.glob(pattern))]
        if not files:
            missing = " or ".join(recipe.files)
            reject(folder, None, None, f"has no {missing}; fetch the source first (SOURCES.md says which)")
        target = (out or SHIPPED) / f"{recipe.name}.parquet"
        about = {
            "name": recipe.name,
            "varies": recipe.varies,
            "pool": recipe.pool,
            "note": recipe.note,
            "sources": [_read_origin(folder)],
        }
        columns, _, notes = import_files(recipe.format, files, target, about=about)
        remark = f" ({'; '.join(notes)})" if notes else ""
        yield f"{recipe.name}: {len(columns):,} judgments, {target.stat().st_size / 1024:,.0f} KB{remark}"


def _read_origin(folder: Path) -> dict[str, str]:
    """Read repository, commit, licence and path in the first paragraph of the folder's SOURCE.txt."""
    file = folder / "SOURCE.txt"
    if not file.exists():
        reject(file, None, None, "does not exist; it must name the repo, commit, licence and path of these files")
    lines = file.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    pairs = dict(line.split(": ", 1) for line in lines if ": " in line)
    return {
        name: pairs.get(name, "").split(" ")[0] if name == "commit" else pairs.get(name, "")
        for name in ("repo", "commit", "licence", "path")
    }
