"""What guessing earns: benchmarks under their protocols, judged at random, beside what follows by hand.

    python benchmarks/chance.py --seeds 10 rmb=FOLDER rmb_bon=FOLDER judgebench=FILE ...

writes a Markdown table. A run each seed, through run.py as a real judge's; the error is the standard error over seeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from judgescale.harness.evaluation.credits import group_by_unit, make_units
from judgescale.harness.stats.intervals import rollup
from judgescale.harness.types import Item

ROOT = Path(__file__).resolve().parent.parent


class Case(NamedTuple):
    """One row: what is run beside judge=random, and what a unit of items should then earn."""

    task: str
    overrides: tuple[str, ...]
    about: str
    earns: Callable[[Sequence[Item]], float]


def one_of_n(unit: Sequence[Item]) -> float:
    """A uniform pick, right in so many of n cases."""
    (item,) = unit
    return float(np.mean(np.asarray(item.gold) >= 1))


def every_pair(unit: Sequence[Item]) -> float:
    """All of the unit's pairs right."""
    return 0.5 ** len(unit)


def both_games(unit: Sequence[Item]) -> float:
    """Two games, no draws: the sum is above zero only where both are won."""
    return 0.25 if len(unit) == 1 else float("nan")


def no_ties(unit: Sequence[Item]) -> float:
    """A judge that always names a winner: half of the items that have one, none of the others."""
    (item,) = unit
    return 0.5 if item.gold[0] != item.gold[1] else 0.0


CASES = [
    Case("rewardbench", (), "random order", one_of_n),
    Case("rewardbench2", ("task.subsets=[Factuality,Precise IF,Math,Safety,Focus]",), "best of 4", one_of_n),
    Case("ppe_preference", (), "", one_of_n),
    Case("ppe_correctness", (), "", one_of_n),
    Case("ppe_best_of_k", ("strategy=knockout",), "knockout of 32", one_of_n),
    Case("rmb", (), "pair protocol", every_pair),
    Case("rmb_bon", (), "list protocol", one_of_n),
    Case("rm_bench", (), "", one_of_n),
    Case("judgebench", (), "two games", both_games),
    Case("judgebench", ("strategy=single",), "one game", one_of_n),
    Case("pandalm", (), "a judge without ties", no_ties),
    Case("realmistake", (), "", lambda unit: 0.5),
    Case("llmbar", ("strategy=single",), "", one_of_n),
    Case("vicuna80_pairs", (), "", one_of_n),
    Case("vicuna80_best_of_5", (), "", one_of_n),
    Case("sanity", (), "", one_of_n),
]


def derived(case: Case, arm: list[str]) -> dict[str, float]:
    """Section -> what the items' units should earn, and "overall"."""
    from hydra import compose, initialize_config_dir

    from judgescale.harness.plan import arms

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        (plan,) = (p.arm for p in arms(compose("config", arm)))  # type: ignore[union-attr]
    units = [[plan.items[i] for i in members] for members in group_by_unit(plan.task, plan.items).values()]
    table = make_units(plan.task, [members[0] for members in units])
    sections, whole = rollup(table, np.array([case.earns(members) for members in units]), plan.rollup)
    return {"overall": float(whole), **{name: float(value) for name, value in sections.items() if name}}


def simulated(arm: list[str], seeds: int) -> dict[str, np.ndarray]:
    """Section -> what each seed earned, and "overall"."""
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            more = (f"run.store={folder}/store.sqlite", f"hydra.run.dir={folder}/out")
            command = [sys.executable, "run.py", *arm, f"seed={seed}", *more]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            summary = json.loads((Path(folder) / "out/summary.json").read_text())
        for name, part in {"overall": summary["headline"], **summary["sections"]}.items():
            found.setdefault(name, []).append(part["value"])
    return {name: np.array(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("paths", nargs="*", help="TASK=PATH of local data")
    options = parser.parse_args()
    paths = dict(path.split("=", 1) for path in options.paths)
    print("| task | what | section | derived | simulated |\n|---|---|---|---:|---:|")
    for case in CASES:
        if case.task not in paths and case.task != "sanity":
            continue
        where = [f"task.path='{paths[case.task]}'"] if case.task in paths else ["task.size=2000"]
        arm = ["judge=random", f"task={case.task}", *case.overrides, *where]
        by_hand, by_chance = derived(case, arm), simulated(arm, options.seeds)
        for name in (name for name in by_hand if name in by_chance):
            expected, values = by_hand[name], by_chance[name]
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
            print(
                f"| {case.task} | {case.about} | {name} | {100 * expected:.1f} |"
                f" {100 * values.mean():.1f} ± {100 * error:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
