"""ReaLMistake error detection: is there an error in this one response? (1,) is "error", (0,) is "no error".

Three shapes, recognised by content; several files make one set:
  repeated    {"id", "task", "responder", "judge", "predictions": […], "label"}: sample = place in predictions
  single      {"id", "responder", "judge", "prompt", "prediction", "label"}: variant = prompt
  original    the benchmark's error_detection_outputs/<kind>/<task>/<responder>/<judge>/<prompt>.jsonl with
              {"prediction" or "predictions_list", "label", "metadata": {"id", …}}; judge and prompt from the path
A prediction that is neither error nor no_error is unparsed. The majority_vote files have no label and no single
judge's prediction, and are refused. Item: id (it contains the responder); cluster: the id without the responder, the
question that several responders answered; subset: the task. No text is kept: the authors ask not to republish any.

Example row, repeated:
  {"id": "math_problem_generation_8_gpt-4-0613", "task": "math_word_problem_generation", "responder": "gpt-4-0613",
   "judge": "gpt-4", "predictions": ["error", "no_error", "error"], "label": "error"}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from judgescale.harness.recorded.formats import Format, Options
from judgescale.harness.recorded.source import Imported, ImportedRecord, Source, SourceRow
from judgescale.harness.types import Judgment, Record

VERDICTS = {"error": (1.0,), "no_error": (0.0,)}
TASK_NAMES = ("answerability_classification", "finegrained_fact_verification", "math_word_problem_generation")
ALIASES = {"math_problem_generation": "math_word_problem_generation"}  # ids use the short name, folders the long one


def recognises(source: Source) -> bool:
    """Tell whether a file's first record has predictions about a response."""
    first = set(source.peek())
    mine = bool({"predictions", "predictions_list", "prediction"} & first)
    return mine and bool({"responder", "metadata", "votes_count"} & first)


def read_sources(sources: Sequence[Source], options: Options) -> Imported:
    """Read every prediction of every row."""
    return Imported(_read_records(sources, options))


def _read_records(sources: Sequence[Source], options: Options) -> Iterator[ImportedRecord]:
    for source in sources:
        in_path = _read_path(source)
        for row in source.read_objects():
            yield from _read_row(row, in_path, options)


def _read_row(row: SourceRow, in_path: Mapping[str, str], options: Options) -> Iterator[ImportedRecord]:
    metadata = row.get("metadata")
    about = replace(row, fields={**row.fields, **metadata}) if isinstance(metadata, dict) else row
    prompt = about.need("id", str)
    label = row.need("label", str)
    if label not in VERDICTS:
        row.reject("label", f"{label!r} is neither 'error' nor 'no_error'")
    responder = str(about.get("responder") or about.get("llm_response_model") or "response").rsplit("/", 1)[-1]
    judge, variant = _name_judge(row, in_path, options)
    for sample, prediction in enumerate(_read_predictions(row)):
        scores = VERDICTS.get(prediction) if isinstance(prediction, str) else None
        judgment = Judgment(
            judge=judge,
            shown=(0,),
            scores=scores,
            status="unparsed" if scores is None else "ok",
            sample=sample,
            variant=variant,
            chars=_count_chars(row.get("response"), sample),
        )
        record = Record(
            prompt=prompt,
            cluster=drop_responder(prompt, responder),
            subset=_name_task(about, prompt, in_path),
            responses=(responder,),
            gold=VERDICTS[label],
            judgment=judgment,
        )
        yield ImportedRecord(record, row, prediction)


def drop_responder(prompt: str, responder: str) -> str:
    """Return the id without the responder, which may stand there with its organisation (…_meta-llama/Llama-2-70b)."""
    return re.sub(rf"_([^_/]+/)?{re.escape(responder)}$", "", prompt)


def _name_judge(row: SourceRow, in_path: Mapping[str, str], options: Options) -> tuple[str, str]:
    """Return the judge and its prompt, from the options, the row or the path."""
    judge = options["judge"] or row.get("judge") or in_path.get("judge")
    if not judge:
        row.reject("judge", "neither the record nor the path says whose predictions; give --judge NAME")
    return str(judge), str(options["variant"] or row.get("prompt") or in_path.get("prompt") or "")


def _read_predictions(row: SourceRow) -> list[Any]:
    for field in ("predictions", "predictions_list"):
        if field in row.fields:
            values = row.need(field, list)
            if not values:
                row.reject(field, "is empty")
            return list(values)
    if "prediction" not in row.fields:
        row.reject("prediction", "is missing")
    return [row.fields["prediction"]]


def _count_chars(text: Any, sample: int) -> int | None:
    """Count the judge's text, where the original file has it: one text, or one {prompt, response} a sample."""
    if isinstance(text, list):
        entry = text[sample] if sample < len(text) else None
        text = entry.get("response") if isinstance(entry, dict) else entry
    return len(text) if isinstance(text, str) else None


def _read_path(source: Source) -> dict[str, str]:
    """Return task, judge and prompt as the original outputs' path names them; nothing where it is another path."""
    found = re.search(r"/([^/]+)/([^/]+)/([^/]+)/([^/]+)\.jsonl(\.gz)?$", source.path.absolute().as_posix())
    if not found or found.group(1) not in (*TASK_NAMES, *ALIASES):
        return {}
    return {"task": found.group(1), "judge": found.group(3), "prompt": found.group(4)}


def _name_task(about: SourceRow, prompt: str, in_path: Mapping[str, str]) -> str:
    """Return the task, from the row, the path or the beginning of the id."""
    named = about.get("task") or about.get("task_name") or in_path.get("task")
    if not named:
        named = next((task for task in (*TASK_NAMES, *ALIASES) if prompt.startswith(task)), "")
    return ALIASES.get(str(named), str(named))


FORMAT = Format(
    manual=__doc__,
    summary="ReaLMistake: error / no_error predictions, repeated or single",
    example="import realmistake self_consistency_predictions.jsonl --out realmistake.parquet",
    tasks=("realmistake",),
    prompt="ReaLMistake",
    recognises=recognises,
    read_sources=read_sources,
    options={"variant": "the prompt's name, where neither the record nor the path says it"},
)
