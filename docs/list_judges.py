"""List the judges of conf/judge/ that bring their model, as tables for docs/judges.md, from what their configs say.

python docs/list_judges.py              print the tables
python docs/list_judges.py --write      put them into docs/judges.md, between its two marks
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a checkout that is not installed

from hydra import compose, initialize_config_dir  # noqa: E402
from omegaconf import DictConfig, OmegaConf  # noqa: E402

from judgescale.harness.published.lists import is_same_judge, normalise_benchmark, read_printed  # noqa: E402

PAGE = ROOT / "docs" / "judges.md"
BEGIN, END = "<!-- models: python docs/list_judges.py --write -->", "<!-- end of models -->"
BENCHMARKS = {  # those that a run can be of, as the lists of printed numbers name them
    "rewardbench": "RewardBench",
    "rewardbench2": "RewardBench 2",
    "rmb": "RMB",
    "rmbench": "RM-Bench",
    "ppepreference": "PPE Preference",
    "ppecorrectness": "PPE Correctness",
    "judgebench": "JudgeBench",
    "pandalm": "PandaLM",
    "realmistake": "ReaLMistake",
    "llmbar": "LLMBar",
}


class Model(NamedTuple):
    """Hold one config with a model: a judge's, or a meta RM's."""

    name: str  # of the config
    group: str  # judge, meta
    model: str | None  # None where its weights are not public
    label: str
    format: str
    parameters: float | None
    run_here: bool
    card: dict[str, Any]

    @property
    def refused(self) -> bool:
        """Tell whether no engine runs it."""
        return self.card["engines"] == []


def read_models(compose_config: Callable[..., DictConfig]) -> Iterator[Model]:
    """Read the configs of judges and meta RMs that fill in a card. compose_config: composes a run from overrides."""
    for group in ("judge", "meta"):
        for file in sorted((ROOT / "conf" / group).glob("*.yaml")):
            cfg = compose_config(f"{group}={file.stem}")[group]
            if not OmegaConf.select(cfg, "card.contract"):
                continue
            yield Model(
                name=file.stem,
                group=group,
                model=None if OmegaConf.is_missing(cfg, "model") else cfg.model,
                label=cfg.label,
                format=cfg._target_.split(".")[-2],
                parameters=cfg.active_parameters,
                run_here=cfg.card.run_here,
                card=OmegaConf.to_container(cfg.card),  # type: ignore[arg-type]
            )


def find_benchmarks(label: str) -> list[str]:
    """Find the benchmarks on which somebody printed numbers under a judge's name."""
    printed = {normalise_benchmark(row.benchmark) for row, _ in read_printed() if is_same_judge(row.model, label)}
    return [name for key, name in BENCHMARKS.items() if key in printed]


def write_tables(models: list[Model]) -> str:
    """Write the tables: models that an engine runs, those that none does, and those whose weights are not public."""
    public = [model for model in models if model.model is not None and not model.refused]
    head = "| config | model | format | active parameters | licence | printed results on | run here |\n"
    lines = [head + "|---|---|---|---:|---|---|---|"]
    for one in public:
        lines.append(
            f"| {_name(one)} | {one.model} | `{one.format}` | {_count(one.parameters)} | {one.card['licence']}"
            f" | {_list(one)} | {'yes' if one.run_here else 'no'} |"
        )
    lines.append("\nNo engine here runs these; a run is refused before anything is loaded, with the reason:\n")
    lines.append(
        "| config | model | active parameters | licence | printed results on | since |\n|---|---|---:|---|---|---|"
    )
    for one in (model for model in models if model.refused):
        lines.append(
            f"| {_name(one)} | {one.model} | {_count(one.parameters)} | {one.card['licence']} | {_list(one)}"
            f" | {one.card['obstacle']} |"
        )
    lines.append(
        "\nThe weights of these are not public; `judge.model=…` names yours, and printed results stand beside them:\n"
    )
    lines.append("| config | printed as | format | active parameters | printed results on |\n|---|---|---|---:|---|")
    for one in (model for model in models if model.model is None):
        lines.append(f"| {_name(one)} | {one.label} | `{one.format}` | {_count(one.parameters)} | {_list(one)} |")
    return "\n".join(lines)


def _name(one: Model) -> str:
    return f"`{one.name}`" if one.group == "judge" else f"`meta={one.name}`"


def _list(one: Model) -> str:
    return ", ".join(find_benchmarks(one.label)) or "–"


def _count(parameters: float | None) -> str:
    """Write a count of parameters in billions."""
    return "not public" if parameters is None else f"{parameters / 1e9:.3g} B"


def replace_tables(page: str, tables: str) -> str:
    """Return the page with these tables between its marks."""
    return re.sub(
        f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", lambda _: f"\n{tables}\n\n", page, flags=re.DOTALL
    )


if __name__ == "__main__":
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        text = write_tables(list(read_models(lambda *overrides: compose("config", list(overrides)))))
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(replace_tables(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    else:
        print(text)
