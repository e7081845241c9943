"""Every Eval Ever 0.3: a record of each arm, and a line of each unit with what every judgment said.

Files lie as its datastore asks: data/COLLECTION/OWNER/NAME/UUID.json, and UUID_samples.jsonl beside it. The UUIDs are
made of the run, so that exporting it again writes the same files, and nothing is entered twice.

What is measured here is the judge, held against gold labels. The format's `llm_scoring` is for metrics that a judge
made, so it stays empty; the vote, its k and the protocol stand under `generation_config`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.exports import Format
from judgescale.harness.exports._boards import (
    BoardArm,
    Judged,
    Row,
    add_model,
    average_scores,
    list_arms,
    list_units,
)
from judgescale.harness.exports._files import clean, write_whole
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.redaction import redact_text
from judgescale.harness.stats.intervals import Units
from judgescale.harness.stats.spread import measure_spread
from judgescale.harness.types import Estimate, Item

VERSION = "0.3.0"  # of both schemas
RELATIONS = ("first_party", "third_party", "collaborative", "other")
DEPLOYMENTS = ("self_deployed", "externally_managed", "unknown")
WEIGHTS = ("open_weights", "closed_weights", "unknown")
IN_PROCESS = ("vllm", "transformers", "openvino", "ray", "lm_eval")  # engines that hold the model themselves
BOUNDS = {  # of scores that may leave 0 to 1: a bonus of up to .01 in Ties, a sixth of RewardBench 2
    ("rewardbench2", "Ties"): (-0.01, 1.01),
    ("rewardbench2", "overall"): (-0.01 / 6, 1 + 0.01 / 6),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the format asks for and no run knows."""
    add_model(parser)
    parser.add_argument("--organization", default="unknown", metavar="NAME", help="who provides the results")
    relation = "how whoever evaluated stands to the model's developer"
    parser.add_argument("--relationship", choices=RELATIONS, default="other", help=relation)
    parser.add_argument("--deployment", choices=DEPLOYMENTS, help="how the model ran; else told by the engine")
    parser.add_argument("--availability", choices=WEIGHTS, default="unknown", help="of the model's weights")
    parser.add_argument("--no-texts", action="store_true", help="leave out what items and judgments say")


def write(run: FinishedRun, folder: Path, given: argparse.Namespace) -> list[Path]:
    """Write a record of every arm, and its units beside it."""
    made: list[Path] = []
    stamp = datetime.fromisoformat(run.date).timestamp() if run.date else 0
    for arm in list_arms(run, given.model):
        identity = f"{arm.result.signature}|{arm.model}|{run.date}"
        name = str(uuid.UUID(bytes=hashlib.sha256(identity.encode("utf-8", "replace")).digest()[:16], version=4))
        place = Path("data") / name_collection(arm.result.task) / arm.model
        digest = hashlib.sha256(arm.result.signature.encode("utf-8", "replace")).hexdigest()[:8]
        evaluation = f"{name_collection(arm.result.task)}/{arm.model.replace('/', '_')}/{stamp:.0f}-{digest}"

        units = list(list_units(run, arm))
        lines = [json.dumps(line, allow_nan=False) for line in make_lines(arm, units, evaluation, given.no_texts)]
        samples = folder / place / f"{name}_samples.jsonl"
        whole = "".join(f"{line}\n" for line in lines)
        record = make_record(run, arm, units, evaluation, given) | (
            {"evaluation_timestamp": run.date} if run.date else {}
        )
        if lines:
            write_whole(samples, whole)
            record["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": (place / samples.name).as_posix(),
                "hash_algorithm": "sha256",
                "checksum": hashlib.sha256(whole.encode()).hexdigest(),
                "total_rows": len(lines),
            }
        path = write_whole(folder / place / f"{name}.json", json.dumps(record, indent=2, allow_nan=False) + "\n")
        made += [path, *[samples] * bool(lines)]
    return made


def name_collection(task: str) -> str:
    """Name the folder of a benchmark, in letters that every file system takes."""
    return re.sub(r"[^\w-]+", "_", task, flags=re.ASCII).strip("_") or "task"


def make_record(
    run: FinishedRun, arm: BoardArm, units: Sequence[Judged], evaluation: str, given: argparse.Namespace
) -> dict[str, Any]:
    """Make the record of an arm: what was measured, on what, how, and how sure it is."""
    versions = dict(run.summary[arm.number - 1].get("versions") or {})
    generation = describe_generation(arm, run.command, run.summary[arm.number - 1])
    return {
        "schema_version": VERSION,
        "evaluation_id": evaluation,
        "retrieved_timestamp": f"{time.time():.3f}",
        "source_metadata": {
            "source_name": "judgescale",
            "source_type": "evaluation_run",
            "source_organization_name": given.organization,
            "evaluator_relationship": given.relationship,
        },
        "eval_library": {
            "name": "judgescale",
            "version": str(versions.pop("judgescale", None) or "unknown"),
            "additional_details": {name: str(version) for name, version in versions.items() if version},
        },
        "model_info": describe_model(arm, given),
        "evaluation_results": list(make_results(arm, units, generation)),
    }


def describe_model(arm: BoardArm, given: argparse.Namespace) -> dict[str, Any]:
    """Describe the model of an arm, and where it ran."""
    engine = arm.result.engine
    deployment = given.deployment or ("self_deployed" if engine in IN_PROCESS else "unknown")
    details = {"deployment_type": deployment, "model_availability": given.availability}
    if arm.judge.get("active_parameters"):
        details["active_parameters"] = f"{float(arm.judge['active_parameters']):.0f}"
    if arm.judge.get("revision"):
        details["revision"] = str(arm.judge["revision"])
    return {
        "name": arm.result.judge,
        "id": arm.model,
        "developer": arm.model.split("/")[0],
        **({"inference_engine": {"name": engine}} if engine in IN_PROCESS else {}),
        "additional_details": details,
    }


def describe_generation(arm: BoardArm, command: str | None, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Describe how judgments were drawn and put together: the whole signature, part by part, and what it cost."""
    numbers = {name: read_number(arm.signed.get(name)) for name in ("temperature", "top_p", "top_k")}
    most = read_number(arm.signed.get("max_tokens"))
    args: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    args |= {"max_tokens": int(most)} if most and most >= 1 else {}
    args |= {"execution_command": redact_text(command)} if command else {}
    if isinstance(arm.judge.get("thinking"), bool):
        args["reasoning"] = arm.judge["thinking"]
    details = {name: value for name, value in arm.signed.items() if name and value}
    spent = {name: value for name, value in (summary.get("compute") or {}).items() if value is not None}
    details |= {f"compute_{name}": f"{value:.12g}" for name, value in spent.items()}
    return {"generation_args": args, "additional_details": details}


def read_number(text: str | None) -> float | None:
    """Read a number of a signature; None where there is a word."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def make_results(arm: BoardArm, units: Sequence[Judged], generation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Make the results of an arm: the headline, every section, and every subset that is no section of the same name."""
    result = arm.result
    of_overall = [float(unit.credit["weight"]) for unit in units]
    yield make_result(arm, "overall", "overall", result.headline, generation, units, of_overall)
    for name, estimate in result.sections.items():
        share = [weigh_in_section(unit, "section", name) for unit in units]
        yield make_result(arm, f"section:{name}", name, estimate, generation, units, share)
    for name, estimate in result.subsets.items():
        if name not in result.sections:
            share = [weigh_in_section(unit, "subset", name) for unit in units]
            yield make_result(arm, f"subset:{name}", name, estimate, generation, units, share)


def weigh_in_section(unit: Judged, kind: str, name: str) -> float:
    """Say what a unit weighs in a section or subset; 0 where it is in another."""
    weight = unit.credit["subset_weight"]
    return 0.0 if unit.credit[kind] != name else 1.0 if weight is None else float(weight)


def make_result(
    arm: BoardArm,
    identity: str,
    name: str,
    estimate: Estimate,
    generation: Mapping[str, Any],
    units: Sequence[Judged],
    share: Sequence[float],
) -> dict[str, Any]:
    """Make one result: its data, its metric, and its score with the interval."""
    task, metric = arm.result.task, estimate.metric
    own = name == "overall" and "rollup=items" not in arm.signed.get("protocol", "") or (task, name) in BOUNDS
    low, high = BOUNDS.get((task, name), (0.0, 1.0))
    uncertainty: dict[str, Any] = {"num_samples": estimate.items}
    if estimate.ci is not None and all(map(isfinite, estimate.ci)):
        uncertainty["confidence_interval"] = {
            "lower": estimate.ci[0],
            "upper": estimate.ci[1],
            "confidence_level": 0.95,
            "method": "by clusters of items; a beta distribution where credits lie in 0 to 1, else normal",
        }
    if (error := find_standard_error(units, share, estimate)) is not None:
        uncertainty["standard_error"] = {"value": error, "method": "analytic, by clusters of items"}
    return {
        "evaluation_result_id": identity,
        "evaluation_name": f"{task}.{name}",
        "source_data": describe_data(arm, estimate.items),
        "metric_config": {
            "metric_id": f"{name_collection(task)}.{name_collection(name).lower()}" if own else metric,
            "metric_name": metric,
            "metric_kind": metric,
            "metric_unit": "proportion",
            "metric_parameters": {"k": arm.result.k},
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
        },
        "score_details": {
            "score": estimate.value,
            "details": {
                "signature": arm.result.signature,
                **({"monte_carlo_error": f"{estimate.mc_error:.6g}"} if estimate.mc_error else {}),
            },
            "uncertainty": uncertainty,
        },
        "generation_config": generation,
    }


def describe_data(arm: BoardArm, items: int) -> dict[str, Any]:
    """Describe the data set: on the Hub where it is there, else by what the run knows of its files."""
    details = {name: value if isinstance(value, str) else json.dumps(value) for name, value in arm.result.data.items()}
    details = {name: redact_text(value) for name, value in details.items() if name != "path"}
    if arm.dataset:
        more = {"hf_repo": arm.dataset, "samples_number": items}
        details |= {"revision": arm.revision} if arm.revision else {}
        kind = {"source_type": "hf_dataset", **more}
    else:
        kind = {"source_type": "other"}
    return {"dataset_name": arm.result.task, **kind, **({"additional_details": details} if details else {})}


def find_standard_error(units: Sequence[Judged], share: Sequence[float], estimate: Estimate) -> float | None:
    """Find the standard error of a mean of credits; None where the number is no such mean, or rests on one cluster."""
    whole = sum(share)
    if estimate.metric != "accuracy" or not whole:
        return None
    rows = [unit.credit for unit in units]
    weight = np.asarray(share, dtype=np.float64) / whole
    credit = np.array([[np.nan if row["credit"] is None else row["credit"]] for row in rows], dtype=np.float64)
    kept = weight > 0
    if not np.isclose(weight[kept] @ credit[kept, 0], estimate.value, rtol=0, atol=1e-9):
        return None
    section = np.array([row["section"] for row in rows])[kept]
    parts = Units(section, np.array([row["cluster"] for row in rows])[kept], weight[kept])
    spread = measure_spread(parts, credit[kept], weight[kept])
    return None if spread is None else float(np.sqrt(spread.variance[0]))


def make_lines(arm: BoardArm, units: Sequence[Judged], evaluation: str, bare: bool) -> Iterator[dict[str, Any]]:
    """Make a line of every unit, under its subset's result: it counts there once, and the others are made of these."""
    result = arm.result
    for unit in units:
        row, judgments = unit.credit, unit.judgments
        leaf = row["subset"] if row["subset"] in result.subsets else row["section"]
        kind = "section" if leaf in result.sections else "subset"
        if row["credit"] is None or leaf not in {**result.sections, **result.subsets}:
            kind, leaf = "", "overall"
        texts = () if bare else unit.items
        names = list_names(unit)
        right = [place for place, gold in enumerate(row["gold"]) if gold is not None and gold >= 1]
        said = [clean(judgment["text"]) if judgment["text"] and not bare else "" for judgment in judgments]
        outputs = [text or json.dumps(judgment["scores"]) for text, judgment in zip(said, judgments, strict=True)]
        asked = write_question(texts) if texts else row["item"]
        choices = [clean(text) for item in texts for text in item.texts] or names
        reference = [choices[place] for place in right if place < len(choices)]
        line: dict[str, Any] = {
            "schema_version": VERSION,
            "evaluation_id": evaluation,
            "model_id": arm.model,
            "evaluation_name": f"{result.task}.{leaf}",
            "evaluation_result_id": f"{kind}:{leaf}" if kind else "overall",
            "sample_id": row["item"],
            "interaction_type": "single_turn",
            "input": {"raw": clean(asked), "reference": reference, "choices": choices},
            "output": {"raw": outputs},
            "answer_attribution": [*list_readings(judgments), attribute_decision(arm, unit, names)],
            "evaluation": {"score": row["credit"] or 0.0, "is_correct": (row["credit"] or 0.0) > 0.5},
            "metadata": describe_unit(unit, bool(texts), any(said)),
        }
        if texts:
            joint = {"raw": line["input"]["raw"], "reference": reference}
            joined = json.dumps(joint, sort_keys=True, separators=(",", ":"))
            line["sample_hash"] = hashlib.sha256(joined.encode("utf-8")).hexdigest()
        counts = [(j["prompt_tokens"], j["completion_tokens"]) for j in judgments]
        if counts and all(None not in pair for pair in counts):
            asked_for, answered = (sum(column) for column in zip(*counts, strict=True))
            usage = {"input_tokens": asked_for, "output_tokens": answered, "total_tokens": asked_for + answered}
            line["token_usage"] = usage
        bad = Counter(j["status"] for j in judgments if j["status"] != "ok")
        if bad:
            told = ", ".join(f"{count} {status}" for status, count in sorted(bad.items()))
            line["error"] = f"of {len(judgments)} judgments: {told}"
        yield line


def list_names(unit: Judged) -> list[str]:
    """List the names of a unit's responses, in the order of its gold."""
    of_items: dict[str, dict[int, str]] = {}
    for row in unit.judgments:
        seen = of_items.setdefault(row["item"], {})
        seen.update(zip(row["shown"], row["responses"], strict=False))
    if len(of_items) == 1 or not of_items:
        seen = next(iter(of_items.values()), {})
        return [seen.get(place, str(place + 1)) for place in range(len(unit.credit["gold"]))]
    return [f"{item}: {seen[place]}" for item, seen in of_items.items() for place in sorted(seen)]


def write_question(items: Sequence[Item]) -> str:
    """Write what was asked: the turns of the conversation, a line of who speaks before each where there are several."""
    asked = []
    for item in items:
        turns = item.conversation
        asked.append(turns[0][1] if len(turns) == 1 else "\n\n".join(f"{role}: {text}" for role, text in turns))
    return "\n\n".join(dict.fromkeys(asked))


def list_readings(judgments: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """List what was read of every judgment: its scores, in the order that the responses were shown in."""
    for place, row in enumerate(judgments):
        if row["scores"] is not None:
            yield {
                "turn_idx": 0,
                "source": f"output.raw[{place}]",
                "extracted_value": json.dumps(dict(zip(row["responses"], row["scores"], strict=False))),
                "extraction_method": row["variant"] or "scores as recorded",
                "is_terminal": False,
            }


def attribute_decision(arm: BoardArm, unit: Judged, names: Sequence[str]) -> dict[str, Any]:
    """Say what was decided: how likely each response is the one chosen, or the mean scores where units are rated."""
    decision = unit.credit["decision"]
    if decision is not None and len(decision) == len(names):
        value = {name: round(chance, 6) for name, chance in zip(names, decision, strict=True) if chance}
    else:
        value = {}
        for item in dict.fromkeys(row["item"] for row in unit.judgments):
            own = [row for row in unit.judgments if row["item"] == item]
            scores = average_scores(own, len(own[0]["responses"]))
            value[item] = None if scores is None else scores.tolist()
    return {
        "turn_idx": 0,
        "source": "output.raw",
        "extracted_value": json.dumps(value),
        "extraction_method": f"{arm.result.strategy}@{arm.result.k}",
        "is_terminal": True,
    }


def describe_unit(unit: Judged, has_texts: bool, has_outputs: bool) -> dict[str, str]:
    """Describe a unit: where it counts, and which of its texts are missing here."""
    row = unit.credit
    found = {name: str(row[name]) for name in ("subset", "section", "cluster", "weight", "k", "judgments")}
    found["credit_by_lot"] = str(row["credit_by_lot"])
    if not has_texts:
        found["input"] = "named only: its texts are not in this file"
    if not has_outputs:
        found["output"] = "scores only, in the order shown: no text of a judgment is in this file"
    return found


FORMAT = Format(
    explain="Every Eval Ever 0.3: a record of each arm and a line of each item, as its datastore takes them",
    write=write,
    add_arguments=add_arguments,
)
