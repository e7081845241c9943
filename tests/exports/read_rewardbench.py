"""Read RewardBench files with the owners' own functions, and print what these make of them, as JSON.

    python read_rewardbench.py FOLDER

The package's heavy imports (torch, transformers, fastchat, its models) are empty modules here, for no function that is
called uses them.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import datasets
import pandas as pd

EMPTY = {
    "torch": {"dtype": object, "Tensor": object},
    "fastchat": {},
    "fastchat.conversation": {"Conversation": object},
    "transformers": {"PreTrainedTokenizer": object},
    "rewardbench.models": {"REWARD_MODEL_CONFIG": {}},
}


def put_module(name: str, **content: Any) -> None:
    made = types.ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=name == "rewardbench")
    made.__dict__.update(content)
    sys.modules[name] = made


def main(folder: Path) -> None:
    spec = importlib.util.find_spec("rewardbench")
    assert spec and spec.origin
    put_module("rewardbench", __path__=[str(Path(spec.origin).parent)])  # without what its __init__ imports
    for name, content in EMPTY.items():
        put_module(name, **content)
    from analysis.get_benchmark_results import get_average_over_rewardbench
    from analysis.utils import load_results, load_scores
    from rewardbench.constants import EXAMPLE_COUNTS, SUBSET_MAPPING
    from rewardbench.utils import calculate_scores_per_section, process_single_model

    for name in EMPTY:
        del sys.modules[name]  # datasets would take them for the real ones
    datasets.disable_progress_bars()
    found: dict[str, Any] = {}
    numbers = load_results(folder, "eval-set")
    scores = load_scores(folder, "eval-set-scores")
    for row in numbers.to_dict("records"):
        found[row["model"]] = {"numbers": {k: v for k, v in row.items() if isinstance(v, float)}}
    if set(SUBSET_MAPPING["Chat"]) <= set(numbers.columns):
        for of_model in found.values():
            of_model["sections"] = calculate_scores_per_section(EXAMPLE_COUNTS, SUBSET_MAPPING, of_model["numbers"])
        nothing = pd.DataFrame({n: [] for n in ("model", "anthropic_helpful", "anthropic_hhh", "shp", "summarize")})
        for row in get_average_over_rewardbench(numbers, nothing).to_dict("records"):
            found[row["model"]]["headline"] = row["average"]
    for name, rows in scores.groupby("model"):
        if len(ties := rows[rows["subset"] == "Ties"]):
            found[name]["ties"] = process_single_model(ties.to_dict("records"))[1]
        kept = rows[rows["subset"] != "Ties"]
        found[name]["means"] = kept.groupby("subset")["results"].mean().to_dict()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
