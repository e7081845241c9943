"""Inspect logs: a log an arm, each judgment an epoch of its item, the strategy the reducer.

The samples are streamed by Inspect's own recorder: `write_eval_log` wants all of them in memory, and compares each with
all before it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    read_batches,
    read_date,
    split_thought,
)
from judgescale.harness.exports._files import clean
from judgescale.harness.finished.run import FinishedRun
from judgescale.harness.report.files import DRAFT
from judgescale.harness.types import Estimate

if TYPE_CHECKING:
    from inspect_ai.log import EvalMetric, EvalResults, EvalSample, EvalSampleReductions, EvalSpec
    from inspect_ai.model import ChatMessage
    from inspect_ai.scorer import Score

SCORER = "judgescale"
STOPS = {"ok": "stop", "unparsed": "stop", "truncated": "max_tokens", "refused": "content_filter"}
REASONS = {"unparsed": "invalid_response_format", "refused": "refusal", "failed": "no_response"}
NO_CREDIT = "no credit of its own: it is of a part of the item only, or the task credits items in another way"


def write_logs(run: FinishedRun, folder: Path, given: argparse.Namespace) -> list[Path]:
    """Write a log for every arm; each appears whole."""
    paths = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=DRAFT) as draft:
        for arm in list_exported_arms(run):
            spec = make_spec(run, arm)
            name = f"{re.sub('[^0-9T-]', '-', spec.created[:19])}+00-00_{_name_file(spec.task)}_{spec.task_id}.eval"
            asyncio.run(_stream_log(run, arm, spec, Path(draft) / name))
            paths.append((Path(draft) / name).replace(folder / name))
    return paths


async def _stream_log(run: FinishedRun, arm: ExportedArm, spec: EvalSpec, path: Path) -> None:
    """Write a log, a batch of judgments in memory at a time."""
    from inspect_ai.log import EvalPlan, EvalPlanStep, EvalStats
    from inspect_ai.log._recorders import create_recorder_for_format
    from inspect_ai.model import ModelUsage

    recorder = create_recorder_for_format("eval", str(path.parent))
    await recorder.log_init(spec, str(path))
    await recorder.log_start(spec, EvalPlan(steps=[EvalPlanStep(solver="judge", params={"model": spec.model})]))
    responses, epochs, usage, whole = list_responses(arm), dict[str, int](), ModelUsage(), 0
    for batch in read_batches(arm):
        for row, own in batch:
            epochs[row["item"]] = epochs.get(row["item"], 0) + 1
            sample = make_sample(arm, row, own, epochs[row["item"]], responses[row["item"]], spec)
            usage, whole = usage + (sample.output.usage or ModelUsage()), whole + (sample.error is None)
            await recorder.log_sample(spec, sample)
        await recorder.flush(spec)
    made = read_date(run).isoformat()
    stats = EvalStats(started_at=made, completed_at=made, model_usage={spec.model: usage})
    results = make_results(arm, len(arm.judgments), whole)
    await recorder.log_finish(spec, "success", stats, results, [make_reductions(arm)], header_only=True)


def make_spec(run: FinishedRun, arm: ExportedArm) -> EvalSpec:
    """Make what a log says of the arm before its samples."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalSpec, HeadlineMetric

    made = read_date(run)
    result, summary = arm.result, clean(arm.summary)
    about = {name: summary[name] for name in ("signature", "k", "engine", "seed", "compute", "health", "data", "notes")}
    about |= {"k_is_most": result.stops, "arm": arm.name, "command": run.command, "judging_again": summary["judging"]}
    about |= {"protocol": _read_signed(result.signature, "protocol"), "no_texts": arm.no_texts or None}
    counts: dict[str, int] = {}
    for item in arm.judgments["item"].to_pylist():
        counts[item] = counts.get(item, 0) + 1
    digest = hashlib.sha256(f"{result.task}\n{result.signature}".encode("utf-8", "surrogatepass")).hexdigest()[:22]
    return EvalSpec(
        eval_id=f"eval{digest}",
        run_id=f"run{hashlib.sha256(made.isoformat().encode()).hexdigest()[:22]}",
        task_id=digest,
        created=made.isoformat(),
        task=clean(result.task),
        task_version=_read_signed(result.signature, "task").partition("@")[2] or 0,
        dataset=EvalDataset(name=clean(result.task), samples=len(counts), sample_ids=list(counts)),
        model=clean(result.judge),
        config=EvalConfig(epochs=max(counts.values(), default=1), epochs_reducer=[result.strategy]),
        headline_metric=HeadlineMetric(scorer=SCORER, metric=result.headline.metric, reducer=result.strategy),
        packages={name: version for name, version in summary["versions"].items() if version},
        metadata={**about, "signature": clean(result.signature)},
    )


def make_sample(
    arm: ExportedArm,
    row: Row,
    own: float | None,
    epoch: int,
    responses: tuple[list[str], list[float | None]],
    spec: EvalSpec,
) -> EvalSample:
    """Make a sample of a judgment: the item, what the judge wrote about it, and what it says."""
    from inspect_ai.log import EvalError, EvalSample
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessageAssistant,
        ContentReasoning,
        ContentText,
        ModelOutput,
        ModelUsage,
    )  # fmt: skip

    known = hashlib.sha256(f"{spec.eval_id}\n{clean(row['item'])}\n{epoch}".encode()).hexdigest()[:22]
    item, (names, gold) = arm.items.get(row["item"]), responses
    if item:
        names, gold = list(item.texts or item.responses), list(item.gold)
    asked: str | list[ChatMessage]
    turns = item.conversation if item else ()
    asked = [_make_turn(role, clean(text), f"{known}-{place}") for place, (role, text) in enumerate(turns)]
    asked = asked or f"{clean(row['task'])}, item {clean(row['item'])} (its texts are not here: {arm.no_texts})"
    choices, usage = [], None
    if row["prompt_tokens"] is not None or row["completion_tokens"] is not None:
        read, wrote = row["prompt_tokens"] or 0, row["completion_tokens"] or 0
        usage = ModelUsage(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
    if row["status"] != "failed":
        thought, answer = split_thought(clean(row["text"] or ""))
        content: Any = answer
        if thought:
            content = [ContentReasoning(reasoning=thought), ContentText(text=answer)]
        message = ChatMessageAssistant(id=f"{known}-answer", content=content, model=spec.model, source="generate")
        stop: Any = STOPS.get(row["status"], "unknown")
        choices = [ChatCompletionChoice(message=message, stop_reason=stop)]
    refused = "the provider withheld the answer" if row["status"] == "refused" else None
    failed = None
    if row["status"] == "failed":
        failed = EvalError(message="the engine gave up on this judgment", traceback="", traceback_ansi="")
    scores = dict(zip(row["shown"], row["scores"] or (), strict=False))
    by_response = [clean(scores.get(place)) for place in range(len(names))]
    about = {name: clean(row[name]) for name in ("subset", "cluster", "judge", "variant", "sample", "shown", "status")}
    about |= {"meta": clean(row["meta"])} if row["meta"] is not None else {}
    return EvalSample(
        id=clean(row["item"]),
        epoch=epoch,
        input=asked,
        choices=[clean(name) for name in names],
        target=mark_best(gold),
        messages=[*(asked if isinstance(asked, list) else ()), *(choice.message for choice in choices)],
        output=ModelOutput(model=spec.model, choices=choices, usage=usage, error=refused),
        scores={SCORER: _make_score(row["status"], own, by_response)},
        metadata=about | {"gold": clean(gold), "responses": clean(responses[0])},
        model_usage={spec.model: usage} if usage else {},
        error=failed,
        uuid=known,
    )


def _make_turn(role: str, text: str, known: str) -> ChatMessage:
    """Make a turn of a conversation, by its role; one that Inspect has no such role for is the user's."""
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

    if role == "system":
        return ChatMessageSystem(id=known, content=text)
    kind = ChatMessageAssistant if role == "assistant" else ChatMessageUser
    return kind(id=known, content=text)


def _make_score(status: str, own: float | None, by_response: Sequence[float | None]) -> Score:
    """Make the score of a judgment: what it alone would earn; NaN, which Inspect leaves out of every mean, without."""
    from inspect_ai.scorer import Score

    said = [nan if score is None else score for score in by_response]
    known = [score for score in said if isfinite(score)]
    answer = ""
    if status == "ok" and len(said) == 1 and known:
        answer = "yes" if said[0] > 0.5 else "no"
    elif status == "ok" and known:
        answer = ", ".join(name_place(place, len(said)) for place, score in enumerate(said) if score == max(known))
    return Score(
        value=nan if own is None else own,
        answer=answer or None,
        explanation=None if own is not None else NO_CREDIT,
        reason=REASONS.get(status),
        metadata={"scores": list(by_response)},
    )


def make_results(arm: ExportedArm, samples: int, completed: int) -> EvalResults:
    """Make the results: our headline, section by section too, whatever a mean over Inspect's samples would be."""
    from inspect_ai.log import EvalResults, EvalScore

    result = arm.result
    metrics = _make_metrics(result.headline, "", None)
    for name, estimate in result.sections.items():
        metrics |= _make_metrics(estimate, clean(name), "section")
    credits = [unit["credit"] for unit in arm.units]
    mean = sum(credits) / len(credits) if credits else None
    how = (
        "The metrics are those of summary.json. The headline is the sum of weight x value over the reduced scores;"
        " their plain mean is another number where sections or subsets have weights. stderr: half the width of the 95 %"
        " interval, in 1.96; the interval itself (ci) need not be symmetric. Scores of epochs are what each judgment"
        " alone would earn; the strategy reads scores of responses, not these."
    )
    score = EvalScore(
        name=SCORER,
        scorer=SCORER,
        reducer=result.strategy,
        scored_samples=len(credits),
        unscored_samples=0,
        params={"k": result.k},
        metrics=metrics,
        metadata={"mean_of_reduced_scores": clean(mean), "headline": clean(asdict(result.headline)), "explained": how},
    )
    return EvalResults(total_samples=samples, completed_samples=completed, logged_samples=samples, scores=[score])


def _make_metrics(estimate: Estimate, section: str, kind: str | None) -> dict[str, EvalMetric]:
    """Make the metrics of a number and its standard error; none for one that is not known."""
    from inspect_ai.log import EvalMetric

    if not isfinite(estimate.value):
        return {}
    about = {"ci": clean(estimate.ci), "items": estimate.items, "mc_error": estimate.mc_error}
    about |= {kind: section} if kind else {}
    label = f"{section} {estimate.metric}" if kind else estimate.metric
    metrics = {label: EvalMetric(name=section or label, group=estimate.metric if kind else None,
                                 value=estimate.value, metadata=about)}  # fmt: skip
    if (error := find_standard_error(estimate)) is not None:
        label = f"{section} stderr" if kind else "stderr"
        metrics[label] = EvalMetric(name=section or label, group="stderr" if kind else None, value=error,
                                    metadata=about)  # fmt: skip
    return metrics


def make_reductions(arm: ExportedArm) -> EvalSampleReductions:
    """Make the reduced scores: what our decision about every unit earned, on average, at the headline's k."""
    from inspect_ai.log import EvalSampleReductions, EvalSampleScore

    items, samples = name_unit_items(arm), []
    for unit in arm.units:
        about = {name: clean(unit[name]) for name in ("weight", "section", "judgments", "decision")}
        about |= {"k": arm.result.k} | ({"items": clean(items[unit["item"]])} if len(items[unit["item"]]) > 1 else {})
        samples.append(EvalSampleScore(sample_id=clean(unit["item"]), value=unit["credit"], metadata=about))
    return EvalSampleReductions(scorer=SCORER, reducer=arm.result.strategy, samples=samples)


def _read_signed(signature: str, name: str) -> str:
    """Read a part of a signature; empty where it has none of this name."""
    return next((part[len(name) + 1 :] for part in signature.split("|") if part.startswith(f"{name}:")), "")


def _name_file(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:60].strip(".-") or "task"


FORMAT = Format(
    explain="logs for UK AISI's Inspect: every judgment an epoch of its item, the strategy the reducer",
    write=write_logs,
    needs=("inspect_ai",),
    extra="inspect",
)
