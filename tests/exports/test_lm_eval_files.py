"""lm-eval's files, held against what lm-eval writes, and read by what lm-eval reads them with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from finished.runs import Compose, evaluate
from lm_eval.utils import (
    get_file_task_name,
    get_latest_filename,
    get_results_filenames,
    get_sample_results_filenames,
    make_table,
    sanitize_model_name,
)

from judgescale.harness.exports.__main__ import main

pytestmark = [pytest.mark.lm_eval, pytest.mark.filterwarnings("ignore")]  # its own
TASK = """
task: tiny
dataset_path: json
dataset_kwargs: {{data_files: {rows}}}
test_split: train
output_type: generate_until
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{a}}}}"
repeats: 3
filter_list: [{{name: maj, filter: [{{function: majority_vote}}, {{function: take_first}}]}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""
GROUP = """
group: pair
task: [tiny]
aggregate_metric_list: [{metric: exact_match, weight_by_size: true, filter_list: [maj]}]
metadata: {version: 1.0}
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lm-eval writes of its dummy model, on a group of one task."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "rows.jsonl").write_text('{"q": "one", "a": "lol"}\n{"q": "two", "a": "x"}\n')
    (folder / "tasks").mkdir()
    (folder / "tasks" / "tiny.yaml").write_text(TASK.format(rows=folder / "rows.jsonl"))
    (folder / "tasks" / "pair.yaml").write_text(GROUP)
    words = ["--model", "dummy", "--tasks", "pair", "--include_path", "tasks", "--output_path", "out", "--log_samples"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    code = "import sys; from lm_eval.__main__ import cli_evaluate; sys.exit(cli_evaluate())"
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def ours(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = evaluate(composed, tmp_path_factory.mktemp("ours") / "run", "experiment=rewardbench2_scalar", "run.limit=60")
    main(["lm_eval", str(run)])
    return run


def list_files(folder: Path) -> list[str]:
    return [path.as_posix() for path in folder.rglob("*") if path.is_file()]


def read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def test_the_keys_are_those_of_lm_eval(theirs: Path, ours: Path) -> None:
    of_them, of_us = (get_results_filenames(list_files(folder)) for folder in (theirs, ours / "export"))
    real, made = read(of_them[0]), read(of_us[0])
    assert set(made) - set(real) == {"judgescale"} and not set(real) - set(made)
    assert set(made["config"]) == set(real["config"])
    strip = [{key.partition(",")[0].replace("exact_match", "acc") for key in d["groups"][g]}
             for d, g in ((real, "pair"), (made, "rewardbench2"))]  # fmt: skip
    assert strip[0] == strip[1]
    task = made["group_subtasks"]["rewardbench2"][0]
    strip = [{key.partition(",")[0].replace("exact_match", "acc") for key in d["results"][t]}
             for d, t in ((real, "tiny"), (made, task))]  # fmt: skip
    assert strip[0] == strip[1]
    assert set(made["configs"][task]) <= set(real["configs"]["tiny"])
    assert set(made["n-samples"][task]) == set(real["n-samples"]["tiny"])
    lines = [
        json.loads(Path(get_sample_results_filenames(list_files(folder))[0]).read_text().splitlines()[0])
        for folder in (theirs, ours / "export")
    ]
    assert set(lines[0]) - {"exact_match"} == set(lines[1]) - {"acc"}
    assert {k: type(v) for k, v in lines[0].items() if k in lines[1]} == {
        k: type(v) for k, v in lines[1].items() if k in lines[0]
    }
    assert lines[0]["arguments"].keys() == {"gen_args_0"} <= lines[1]["arguments"].keys()


def test_lm_eval_reads_them(ours: Path) -> None:
    arms = read(str(ours / "summary.json"))["arms"]
    for arm in arms:
        place = ours / "export" / "lm_eval" / sanitize_model_name(arm["judge"])
        files = list_files(place)
        found = read(get_latest_filename(get_results_filenames(files)))
        for column in ("results", "groups"):
            table = make_table(found, column)
            assert f"{arm['headline']['value']:.4f}" in table and arm["strategy"] in table
        for name in arm["sections"]:
            assert f" - {name}" in make_table(found)
        tasks = {get_file_task_name(Path(path).name) for path in get_sample_results_filenames(files)}
        assert tasks == set(found["group_subtasks"]["rewardbench2"])


def test_the_samples_load_as_a_data_set(ours: Path) -> None:
    from datasets import load_dataset

    files = get_sample_results_filenames(list_files(ours / "export"))
    cache = (ours / "cache").as_posix()
    data = load_dataset("json", data_files=[f for f in files if "_ties_" not in f], split="train", cache_dir=cache)
    assert {"doc", "resps", "filtered_resps", "acc"} <= set(data.column_names)
    assert len(data) == sum(len(Path(f).read_text().splitlines()) for f in files if "_ties_" not in f)
