"""lm-eval's result files: what `lm_eval --output_path --log_samples` writes, a folder a judge, a filter an arm."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from judgescale.harness.exports import Format
from judgescale.harness.exports._arms import (
    ExportedArm,
    Row,
    find_standard_error,
    list_exported_arms,
    list_responses,
    mark_best,
    name_place,
    name_unit_items,
    read_date,
)
from judgescale.harness.exports._files import clean
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.report.files import DRAFT
from judgescale.harness.types import Estimate, JudgescaleError

UNITS = 200  # in memory with the texts of their judgments
FORBIDDEN = re.compile(r'["<>:/|\\?*\[\]]+')  # what lm-eval itself takes out of a model's name


@dataclass(frozen=True)
class Filtered:
    """Hold an arm under the name of the filter that it is for lm-eval."""

    name: str
    arm: ExportedArm


@dataclass(frozen=True)
class Benchmark:
    """Hold the arms of one judge on one benchmark, and the tasks that its sections are for lm-eval."""

    group: str  # the benchmark
    tasks: Mapping[str, str]  # section -> task; a benchmark of one section is a task itself, and has no group
    filters: Sequence[Filtered]


def write_results(run: FinishedRun, folder: Path, given: argparse.Namespace) -> list[Path]:
    """Write one results file and the samples of every task, for each judge; files appear whole, results last."""
    date = read_date(run)
    stamp = date.replace(tzinfo=None).isoformat(timespec="microseconds").replace(":", "-")
    paths: list[Path] = []
    taken: set[str] = set()
    for judge, benchmarks in group_arms(list_exported_arms(run)).items():
        place = name_folder(judge, taken)
        with tempfile.TemporaryDirectory(dir=folder, prefix=DRAFT) as draft:
            hashes = {}
            for benchmark in benchmarks:
                for section, task in benchmark.tasks.items():
                    path = Path(draft) / f"samples_{task}_{stamp}.jsonl"
                    if digest := write_samples(path, benchmark, section):
                        hashes[task] = digest
            found = make_results(benchmarks) | {"date": date.timestamp(), "task_hashes": hashes}
            found |= describe_run(run, judge, place, benchmarks, run.command)
            text = json.dumps(clean(found), indent=2, ensure_ascii=False, allow_nan=False)
            (Path(draft) / f"results_{stamp}.json").write_text(text + "\n", encoding="utf-8")
            (folder / place).mkdir(exist_ok=True)
            for path in sorted(Path(draft).iterdir(), key=lambda path: path.name.startswith("results_")):
                paths.append(path.replace(folder / place / path.name))
    return paths


def group_arms(arms: Sequence[ExportedArm]) -> dict[str, list[Benchmark]]:
    """Group arms by judge and benchmark, and give each the name of a filter: its strategy, or more where that is taken.

    Raises JudgescaleError where there is no arm with a number that could be written.
    """
    if not any(isfinite(arm.result.headline.value) for arm in arms):
        raise JudgescaleError("no arm of this run has a headline that is a number: lm-eval would have nothing to show")
    groups: dict[tuple[str, str], list[ExportedArm]] = {}
    for arm in arms:
        groups.setdefault((arm.result.judge, arm.result.task), []).append(arm)
    found: dict[str, list[Benchmark]] = {}
    for (judge, task), alike in groups.items():
        names = [arm.result.strategy for arm in alike]
        filters = [
            Filtered(name if names.count(name) == 1 else f"{name}-{arm.number}", arm) for name, arm in zip(names, alike)
        ]
        group, sections = slug(task), list(dict.fromkeys(name for arm in alike for name in arm.result.sections))
        tasks = {"": group}
        if len(sections) > 1:
            tasks = {}
            for section in sections:
                name = f"{group}_{slug(section).lower()}"
                tasks[section] = name if name not in tasks.values() else f"{name}_{len(tasks) + 1}"
        found.setdefault(judge, []).append(Benchmark(group, tasks, filters))
    return found


def make_results(benchmarks: Sequence[Benchmark]) -> dict[str, Any]:
    """Make the numbers and what lm-eval says of each task: sections are tasks, the headline their group's."""
    keys = ("results", "groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples")
    found: dict[str, Any] = {key: {} for key in keys}
    for benchmark in benchmarks:
        grouped = "" not in benchmark.tasks
        found["group_subtasks"][benchmark.group] = list(benchmark.tasks.values()) if grouped else []
        for section, task in benchmark.tasks.items():
            alias = section if grouped else benchmark.group
            of_arms = {
                f.name: f.arm.result.sections.get(section) if grouped else f.arm.result.headline
                for f in benchmark.filters
            }
            units = max(len(list_units(f.arm, section)) for f in benchmark.filters)
            units = units or max((e.items for e in of_arms.values() if e), default=0)
            found["results"][task] = make_entry(task, alias, units, of_arms)
            found["configs"][task] = make_config(task, benchmark, found["results"][task])
            found["n-samples"][task] = {"original": units, "effective": units}
            _describe(found, task, benchmark)
        if grouped:
            headlines = {f.name: f.arm.result.headline for f in benchmark.filters}
            units = sum(found["n-samples"][task]["original"] for task in benchmark.tasks.values())
            entry = make_entry(benchmark.group, benchmark.group, units, headlines)
            entry["sample_count"] = {name: units for name in entry if "," in name and "_stderr," not in name}
            found["results"][benchmark.group] = entry
            found["groups"][benchmark.group] = dict(entry)
            _describe(found, benchmark.group, benchmark)
    return found


def make_entry(name: str, alias: str, units: int, of_arms: Mapping[str, Estimate | None]) -> dict[str, Any]:
    """Make the numbers of a task or group: of each filter the value and its standard error."""
    entry: dict[str, Any] = {"name": name, "alias": alias, "sample_len": units}
    for filter_name, estimate in of_arms.items():
        if estimate is None or not isfinite(estimate.value):
            continue
        metric = name_metric(estimate.metric)
        error = find_standard_error(estimate)
        entry[f"{metric},{filter_name}"] = float(estimate.value)
        entry[f"{metric}_stderr,{filter_name}"] = "N/A" if error is None else error
    return entry


def name_metric(metric: str) -> str:
    """Name a metric as lm-eval does; one that is not accuracy keeps its name."""
    return "acc" if metric == "accuracy" else slug(metric).lower()


def _describe(found: dict[str, Any], name: str, benchmark: Benchmark) -> None:
    """Say of a task or group what lm-eval says of each: version, shots, and that more is better."""
    metrics = {key.partition(",")[0] for key in found["results"][name] if "," in key and "_stderr," not in key}
    found["higher_is_better"][name] = dict.fromkeys(sorted(metrics), True)
    found["versions"][name] = read_revision(benchmark.filters[0].arm) or "N/A"
    found["n-shot"][name] = 0


def make_config(task: str, benchmark: Benchmark, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Make a task's config: no more of it than we know, and beside it what says how our numbers were made."""
    arms = {f.name: f.arm for f in benchmark.filters}
    metrics = dict.fromkeys(key.partition(",")[0] for key in entry if "," in key and "_stderr," not in key)
    one = benchmark.filters[0].arm
    return {
        "task": task,
        "dataset_path": str(one.result.data.get("hub") or one.result.data.get("set") or benchmark.group),
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{target}}",
        "description": "",
        "num_fewshot": 0,
        "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in metrics],
        "output_type": "generate_until",
        "repeats": max(arm.result.k for arm in arms.values()),
        "filter_list": [{"name": name, "filter": [{"function": arm.result.strategy}]} for name, arm in arms.items()],
        "metadata": {
            "version": read_revision(one) or "N/A",
            "config_source": "judgescale",
            "signatures": {name: arm.result.signature for name, arm in arms.items()},
            "k": {name: arm.result.k for name, arm in arms.items()},
            "arms": {name: arm.name for name, arm in arms.items()},
            "stderr": "half the width of the 95 % interval in 1.96",
            "aggregation": "the headline is the sum of doc.weight x metric over all docs of the group",
        },
    }


def describe_run(
    run: FinishedRun, judge: str, place: str, benchmarks: Sequence[Benchmark], command: str
) -> dict[str, Any]:
    """Make what lm-eval says of the whole run; null where nobody knows."""
    results = [f.arm.result for benchmark in benchmarks for f in benchmark.filters]
    seconds = [result.compute.get("run_seconds") for result in results]
    versions = run.summary[0].get("versions") or {}
    return {
        "config": {
            "model": "judgescale",
            "model_args": {"model": judge, "engine": results[0].engine},
            "batch_size": None,
            "batch_sizes": [],
            "device": None,
            "use_cache": None,
            "limit": None,
            "bootstrap_iters": None,
            "gen_kwargs": {},
            "random_seed": results[0].seed,
            "numpy_seed": results[0].seed,
            "torch_seed": None,
            "fewshot_seed": None,
        },
        "git_hash": None,
        "pretty_env_info": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "transformers_version": "N/A",
        "lm_eval_version": f"N/A (written by judgescale {versions.get('judgescale')})",
        "upper_git_hash": None,
        "model_source": "judgescale",
        "model_name": judge,
        "model_name_sanitized": place,
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": None,
        "chat_template": None,
        "chat_template_sha": None,
        "total_evaluation_time_seconds": str(max((s for s in seconds if s is not None), default="N/A")),
        "judgescale": {"command": command},
    }


def write_samples(path: Path, benchmark: Benchmark, section: str) -> str:
    """Write the docs of a task, each as often as there are filters; return the digest of all, empty without any doc."""
    whole, count = hashlib.sha256(), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for filtered in benchmark.filters:
            for sample in make_samples(filtered, section):
                whole.update("".join(sample[f"{part}_hash"] for part in ("doc", "prompt", "target")).encode())
                file.write(json.dumps(sample, ensure_ascii=False, allow_nan=False) + "\n")
                count += 1
    if not count:
        path.unlink()
    return whole.hexdigest() if count else ""


def list_units(arm: ExportedArm, section: str) -> list[Row]:
    """List an arm's units of a section, or all of them."""
    return [unit for unit in arm.units if not section or unit["section"] == section]


def make_samples(filtered: Filtered, section: str) -> Iterator[dict[str, Any]]:
    """Make the samples of a task under one filter: docs, what the judge wrote, what the decision earned."""
    arm = filtered.arm
    units, items_of, responses = list_units(arm, section), name_unit_items(arm), list_responses(arm)
    rows_of: dict[str, list[int]] = {}
    for number, item in enumerate(arm.judgments["item"].to_pylist()):
        rows_of.setdefault(item, []).append(number)
    metric = name_metric(arm.result.headline.metric)
    for start in range(0, len(units), UNITS):
        some = units[start : start + UNITS]
        numbers = [n for unit in some for item in items_of[unit["item"]] for n in rows_of[item]]
        judged: dict[str, list[Row]] = {}
        for row in arm.judgments.take(numbers).to_pylist():
            judged.setdefault(row["item"], []).append(row)
        for number, unit in enumerate(some, start):
            names = items_of[unit["item"]]
            docs = [make_doc(arm, name, responses[name]) for name in names]
            doc = {"id": unit["item"], "subset": unit["subset"], "section": unit["section"]}
            doc |= {"cluster": unit["cluster"], "weight": unit["weight"], "items": docs}
            doc = clean(doc)
            prompts = [one["prompt"] for one in clean(docs)]
            target = json.dumps([one["target"] for one in docs]) if len(docs) != 1 else str(docs[0]["target"])
            yield clean(
                {
                    "doc_id": number,
                    "doc": doc,
                    "target": target,
                    "arguments": {f"gen_args_{i}": {"arg_0": text, "arg_1": "{}"} for i, text in enumerate(prompts)},
                    "resps": [[write_answer(row) for row in judged[name]] for name in names],
                    "filtered_resps": [name_decision(unit["decision"], unit["gold"])],
                    "filter": filtered.name,
                    "metrics": [metric],
                    "doc_hash": hash_text(json.dumps(doc, indent=2, ensure_ascii=False)),
                    "prompt_hash": hash_text("\n".join(prompts)),
                    "target_hash": hash_text(target),
                    metric: float(unit["credit"]),
                }
            )


def make_doc(arm: ExportedArm, name: str, seen: tuple[list[str], list[float | None]]) -> dict[str, Any]:
    """Make what stands for an item in a doc: its conversation as text, its responses, and which are right."""
    item, (responses, gold) = arm.items.get(name), seen
    prompt = f"{arm.result.task}, item {name} (its texts are not here: {arm.no_texts})"
    if item:
        responses, gold = list(item.texts or item.responses), list(item.gold)
        prompt = "\n\n".join(f"{role}: {text}" for role, text in item.conversation) or prompt
    best = mark_best(gold)
    return {"id": name, "prompt": prompt, "responses": responses, "gold": gold,
            "target": best if isinstance(best, str) else ", ".join(best)}  # fmt: skip


def write_answer(row: Row) -> str:
    """Write what a judge answered; its verdict, or why there is none, where the text is not here."""
    if row["text"]:
        return str(row["text"])
    if row["status"] != "ok":
        return f"({row['status']})"
    return json.dumps({"shown": row["shown"], "scores": clean(row["scores"])})


def name_decision(decision: Sequence[float | None], gold: Sequence[float | None]) -> str:
    """Name the response that the decision most likely chose, or several that are as likely; empty without any."""
    known = [chance for chance in decision or () if chance is not None and isfinite(chance)]
    if not known or max(known) <= 0:
        return ""
    if len(gold) == 1:
        return "yes" if known[0] > 0.5 else "no"
    return ", ".join(name_place(p, len(gold)) for p, chance in enumerate(decision) if chance == max(known))


def hash_text(text: str) -> str:
    """Digest a text, as lm-eval does."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def read_revision(arm: ExportedArm) -> str:
    """Read the revision of an arm's task; empty where its signature has none."""
    found = re.search(r"(?:^|\|)task:[^|@]*@([^|(]*)", arm.result.signature)
    return found[1] if found else ""


def slug(name: str) -> str:
    """Write a name that files and lm-eval's tables can hold."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:80].strip("._") or "unnamed"


def name_folder(judge: str, taken: set[str]) -> str:
    """Name the folder of a judge as lm-eval would, without what could lead out of it; no two have one."""
    name = re.sub(r"[^\w .,+@()-]", "_", FORBIDDEN.sub("__", judge))[:100].strip(". ") or "unnamed"
    if name.lower() in taken:
        name = f"{name[:90]}-{hash_text(judge)[:8]}"
    taken.add(name.lower())
    return name


FORMAT = Format(
    explain="results_*.json and samples_*.jsonl as lm-eval writes them: sections as tasks, arms as filters",
    write=write_results,
)
