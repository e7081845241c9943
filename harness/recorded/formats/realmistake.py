"""ReaLMistake error detection: is there an error in this one response? (1,) is "error", (0,) is "no error".

Three shapes, recognised by content; several files make one set:
  repeated    {"id", "task", "responder", "judge", "predictions": […], "label"}: sample = place in predictions
  single      {"id", "responder", "judge", "prompt", "prediction", "label"}: variant = prompt
  original    the benchmark's error_detection_outputs/<kind>/<task>/<responder>/<judge>/<prompt>.jsonl with
              {"prediction" or "predictions_list", "label", "metadata": {"id", …}}; judge and prompt from the path
A prediction that is neither error nor no_error is unparsed. The majority_vote files have no label and no single
judge's prediction, and are refused. Item: id (it contains the responder); cluster: the id without the responder, the
question that several responders answered; subset: the task. No text is kept: the authors ask not to republish any.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judgescale.harness.recorded.source import Imported, Row, Source, need, wrong
from judgescale.harness.types import Judgment, Record

SUMMARY = "ReaLMistake: error / no_error predictions, repeated or single"
EXAMPLE = "import realmistake self_consistency_predictions.jsonl --out realmistake.parquet"
TASKS = ("realmistake",)

VERDICTS = {"error": (1.0,), "no_error": (0.0,)}
TASK_NAMES = ("answerability_classification", "finegrained_fact_verification", "math_word_problem_generation")
ALIASES = {"math_problem_generation": "math_word_problem_generation"}  # ids use the short name, folders the long one


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variant", help="the prompt's name, where neither the record nor the path says it")


def recognises(source: Source) -> bool:
    first = set(source.first())
    mine = bool({"predictions", "predictions_list", "prediction"} & first)
    return mine and bool({"responder", "metadata", "votes_count"} & first)


def load(sources: Sequence[Source], options: argparse.Namespace) -> Imported:
    return Imported(rows=_rows(sources, options), tasks=TASKS)


def _rows(sources: Sequence[Source], options: argparse.Namespace) -> Iterator[Row]:
    for source in sources:
        from_path = _path_names(source)
        for number, row in source.objects():
            about = {**row, **row["metadata"]} if isinstance(row.get("metadata"), dict) else row
            prompt = need(source, number, about, "id", str)
            label = need(source, number, row, "label", str)
            if label not in VERDICTS:
                wrong(source, number, "label", f"{label!r} is neither 'error' nor 'no_error'")
            responder = str(about.get("responder") or about.get("llm_response_model") or "response").rsplit("/", 1)[-1]
            judge = options.judge or row.get("judge") or from_path.get("judge")
            if not judge:
                wrong(
                    source, number, "judge", "neither the record nor the path says whose predictions; give --judge NAME"
                )
            variant = options.variant or row.get("prompt") or from_path.get("prompt") or ""
            for sample, prediction in enumerate(_predictions(source, number, row)):
                scores = VERDICTS.get(prediction) if isinstance(prediction, str) else None
                text = row.get("response")
                judgment = Judgment(
                    judge=str(judge),
                    shown=(0,),
                    scores=scores,
                    status="unparsed" if scores is None else "ok",
                    sample=sample,
                    variant=str(variant),
                    chars=_chars(text, sample),
                )
                subset = _task(about, prompt, from_path)
                record = Record(
                    prompt=prompt,
                    cluster=cluster(prompt, responder),
                    subset=subset,
                    responses=(responder,),
                    gold=VERDICTS[label],
                    judgment=judgment,
                )
                yield Row(record, source, number, prediction)


def cluster(prompt: str, responder: str) -> str:
    """The id without the responder, which may stand there with its organisation (…_85_meta-llama/Llama-2-70b)."""
    return re.sub(rf"_([^_/]+/)?{re.escape(responder)}$", "", prompt)


def _predictions(source: Source, number: int, row: Mapping[str, Any]) -> list[Any]:
    for field in ("predictions", "predictions_list"):
        if field in row:
            values = need(source, number, row, field, list)
            if not values:
                wrong(source, number, field, "is empty")
            return list(values)
    if "prediction" not in row:
        wrong(source, number, "prediction", "is missing")
    return [row["prediction"]]


def _chars(text: Any, sample: int) -> int | None:
    """The length of the judge's text, where the original file has it: one text, or one {prompt, response} a sample."""
    if isinstance(text, list):
        entry = text[sample] if sample < len(text) else None
        text = entry.get("response") if isinstance(entry, dict) else entry
    return len(text) if isinstance(text, str) else None


def _path_names(source: Source) -> dict[str, str]:
    found = re.search(r"/([^/]+)/([^/]+)/([^/]+)/([^/]+)\.jsonl(\.gz)?$", source.path.absolute().as_posix())
    if not found or found.group(1) not in (*TASK_NAMES, *ALIASES):
        return {}
    return {"task": found.group(1), "judge": found.group(3), "prompt": found.group(4)}


def _task(about: Mapping[str, Any], prompt: str, from_path: Mapping[str, str]) -> str:
    named = about.get("task") or about.get("task_name") or from_path.get("task")
    if not named:
        named = next((task for task in (*TASK_NAMES, *ALIASES) if prompt.startswith(task)), "")
    return ALIASES.get(str(named), str(named))
