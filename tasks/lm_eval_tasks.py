"""Run every benchmark as a task of lm-evaluation-harness: our items, orders, prompts, parsers and rules, its models.

    lm_eval --include_path tasks --tasks judgescale_llmbar --metadata task.path=FOLDER seed=1 --apply_chat_template …

A task is composed as `python run.py` composes it: what its YAML and --metadata hold of task, judge, strategy, protocol,
meta and seed, and every name with a dot in it (judge.thinking=true), overrides conf/. lm-eval's model_args come the
same way, so a seed among them is also ours. A document is one judgment. Metrics are the headline, its 95 % interval
(lm-eval knows no standard error of it), sections, the task's own metrics, and the share of unusable judgments.

What lm-eval cannot do: it does not tell whether an answer was cut, so a cut one is read as a whole one; it constrains
no answer; it sends the same seed with every request, so that a model that takes one gives copies where a vote asks the
same prompt again (`python run.py engine=lm_eval` gives each its own).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean
from lm_eval.api.task import ConfigurableTask
from lm_eval.api.utils import maybe_delimit
from omegaconf.errors import OmegaConfBaseException

from judgescale.harness import ROOT
from judgescale.harness.engines.lm_eval import make_gen_kwargs, make_output
from judgescale.harness.errors import explain_error
from judgescale.harness.evaluation.evaluate import evaluate
from judgescale.harness.live.buying import Delivery, make_recorded_set
from judgescale.harness.live.meter import Meter
from judgescale.harness.live.session import choose_orders
from judgescale.harness.plan.live import LiveArm, digest_items, plan_live_arm
from judgescale.harness.plan.overrides import compose_config
from judgescale.harness.types import Item, JudgescaleError, Judgment, Result

OURS = ("task", "judge", "strategy", "protocol", "meta", "seed")  # what of the metadata overrides conf/
INTERVAL = ("ci_low", "ci_high")
UNUSABLE = "unusable"

log = logging.getLogger("lm_eval.judgescale")  # where lm-eval's own messages go


class LmEvalTaskError(JudgescaleError, SystemExit):
    """Say why a task cannot be run.

    A program sees an exception like any other; lm-eval's command line, which catches nothing, exits with one line.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.code = explain_error(error)


class JudgeTask(ConfigurableTask):
    """Judge one benchmark with one judge. Raises LmEvalTaskError where it cannot be run."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        try:
            self.plan = plan_task(config["metadata"])
        except (JudgescaleError, HydraException, OmegaConfBaseException) as error:
            raise LmEvalTaskError(error) from error
        purchase = self.plan.purchase
        assert purchase.spec.sampling is not None
        self.items = {item.id: item for item in purchase.items}
        self.docs = list_documents(self.plan)
        self.sections: list[str] = []
        self.judged: Sequence[Mapping[str, Any]] = ()
        super().__init__(
            config={
                **{name: value for name, value in config.items() if name != "class"},
                "test_split": "test",
                "doc_to_text": "item",
                "doc_to_target": "gold",
                "num_fewshot": 0,
                "metric_list": [],
                "output_type": "generate_until",
                "generation_kwargs": make_gen_kwargs(purchase.spec.sampling),
            }
        )
        self.log_notes(*self.plan.arm.about)
        if len({(doc["item"], doc["shown"]) for doc in self.docs}) < len(self.docs):
            self.log_notes("A vote asks the same prompt again: a model that obeys lm-eval's one seed gives copies.")

    def log_notes(self, *notes: str) -> None:
        """Log what the reader must know, where lm-eval's own messages go."""
        for note in notes:
            log.warning("%s: %s", self.config.task, note)

    def download(self, dataset_kwargs: Any = None, **others: Any) -> None:
        """Make lm-eval's data set of the documents; there is nothing to download."""
        self.dataset = {"test": Dataset.from_list(self.docs)}

    def build_all_requests(
        self, *, limit: int | None = None, samples: Sequence[int] | None = None, **options: Any
    ) -> None:
        """Build requests as lm-eval does, but without its cache of them, which takes one judge's for another's.

        Raises LmEvalTaskError where --limit or --samples would cut what is scored together.
        """
        unit, section = self.plan.arm.task.unit, self.plan.arm.task.section
        of_doc = [unit(self.items[doc["item"]]) for doc in self.docs]
        whole, taken = Counter(of_doc), Counter([of_doc[i] for i in samples] if samples else of_doc[:limit])
        if cut := [name for name in taken if taken[name] != whole[name]]:
            raise LmEvalTaskError(
                JudgescaleError(
                    f"--limit and --samples count judgments: {taken[cut[0]]} of the {whole[cut[0]]} of {cut[0]} cannot"
                    " be scored; take all of them, or a sample of items with --metadata run.limit=…"
                )
            )
        self.sections = list(dict.fromkeys(section(item) for item in self.items.values() if unit(item) in taken))
        if not options.get("apply_chat_template"):
            self.log_notes("Prompts go in as plain text; --apply_chat_template asks the model as python run.py does.")
        super().build_all_requests(limit=limit, samples=samples, **options | {"cache_requests": False})

    def fewshot_context(
        self,
        doc: Mapping[str, Any],
        num_fewshot: int = 0,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        chat_template: Callable[..., Any] | None = None,
        **others: Any,
    ) -> list[Any]:
        """Write a judgment's prompts, in the model's chat template or as plain text; there are no examples in them."""
        asked = self.plan.purchase.judge.requests(self.items[doc["item"]], tuple(doc["shown"]))
        prompts = [add_system_turn(request.messages, system_instruction) for request in asked]
        if not apply_chat_template or chat_template is None:
            return ["\n\n".join(text for _, text in turns) for turns in prompts]
        return [chat_template([{"role": role, "content": text} for role, text in turns]) for turns in prompts]

    def construct_requests(self, doc: Mapping[str, Any], ctx: Sequence[Any], **options: Any) -> list[Instance]:
        """Make one request for each prompt of a judgment."""
        gen_kwargs = self.config.generation_kwargs
        return [
            Instance("generate_until", doc, (prompt, dict(gen_kwargs)), i, metadata=options["metadata"])
            for i, prompt in enumerate(ctx)
        ]

    def process_results(self, doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, Any]:
        """Read the judgment, and give it to every metric: they are figures of all judgments together."""
        item, shown = self.items[doc["item"]], tuple(doc["shown"])
        read = self.plan.purchase.judge.read(item, shown, [make_output(result) for result in results])
        judged = {
            "item": item.id,
            "shown": shown,
            "sample": doc["sample"],
            "status": read.status,
            "scores": read.scores,
        }
        return dict.fromkeys(self.metric_names, judged) | {UNUSABLE: float(read.status != "ok")}

    @property
    def metric_names(self) -> list[str]:
        """Return the headline, its interval, the share of unusable judgments, sections, and the task's own metrics."""
        arm = self.plan.arm
        own = [name for name in (*self.sections, *arm.task.metrics) if name]
        return list(dict.fromkeys((arm.metric, *INTERVAL, UNUSABLE, *own)))

    def aggregation(self) -> dict[str, Callable[[Any], float]]:
        """Return how each metric is computed from all judgments."""
        return {name: partial(self.compute_metric, name) for name in self.metric_names} | {UNUSABLE: mean}

    def higher_is_better(self) -> dict[str, bool]:
        """Tell for each metric whether more is better."""
        return {name: name != UNUSABLE for name in self.metric_names}

    def compute_metric(self, name: str, judged: Sequence[Mapping[str, Any]]) -> float:
        """Compute the harness's own figure of all judgments, once for all metrics.

        Its signature goes into lm-eval's results.
        """
        if self.judged != judged:
            self.judged = judged
            self.result = evaluate_answers(self.plan, self.items, judged, self.config.generation_kwargs)
            self.config.metadata["signature"] = self.result.signature
        headline = self.result.headline
        if name in INTERVAL:
            return headline.ci[INTERVAL.index(name)] if headline.ci else float("nan")
        return (headline if name == headline.metric else self.result.sections[name]).value


def plan_task(metadata: Mapping[str, Any]) -> LiveArm:
    """Plan the arm as run.py would. Raises JudgescaleError for a judge or strategy that lm-eval cannot run."""
    model = metadata.get("pretrained") or metadata.get("model") or "lm-eval"
    options = {"judge.model": str(model)} | {n: v for n, v in metadata.items() if n in OURS or "." in n}
    overrides = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in options.items()]
    with enter_own_hydra():
        plan = plan_live_arm(compose_config(["engine=lm_eval", *overrides]))
    purchase = plan.purchase
    if plan.arm.as_bought or purchase.meta:
        raise JudgescaleError(
            f"strategy={plan.arm.strategy.name} asks by what it was answered, and lm-eval asks everything at once: take"
            " another, or python run.py engine=lm_eval"
        )
    item = purchase.items[0]
    asked = purchase.judge.requests(item, purchase.strategy.questions(len(item.responses))[0])
    if purchase.scorer or any(request.kind != "text" or request.labels for request in asked):
        raise JudgescaleError(
            f"judge format {purchase.judge.format} needs more of a model than a text: take another, or python run.py"
        )
    return plan


@contextmanager
def enter_own_hydra() -> Iterator[None]:
    """Let Hydra read conf/ for a while, also within a program that has a Hydra config of its own."""
    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = theirs


def list_documents(plan: LiveArm) -> list[dict[str, Any]]:
    """List one document for each judgment that the live run would buy, with its order of the responses.

    The documents of an item stand together.
    """
    purchase = plan.purchase
    assert purchase.strategy.k is not None
    return [
        {
            "item": item.id,
            "subset": item.subset,
            "sample": j,
            "shown": shown,
            "gold": json.dumps([item.gold[i] for i in shown]),
        }
        for item in purchase.items
        for question in purchase.strategy.questions(len(item.responses))
        for j, shown in enumerate(
            choose_orders(purchase.order, purchase.seed, item, tuple(sorted(question)), purchase.strategy.k)
        )
    ]


def add_system_turn(messages: Sequence[tuple[str, str]], instruction: str | None) -> list[tuple[str, str]]:
    """Put lm-eval's --system_instruction before the judge's own system prompt."""
    own = "\n\n".join(text for role, text in messages if role == "system")
    system = maybe_delimit(instruction, own, "\n\n")
    return [("system", system)] * bool(system) + [turn for turn in messages if turn[0] != "system"]


def evaluate_answers(
    plan: LiveArm, items: Mapping[str, Item], judged: Sequence[Mapping[str, Any]], gen_kwargs: Mapping[str, Any]
) -> Result:
    """Evaluate judgments as a live run would. gen_kwargs: how lm-eval sampled the answers."""
    purchase, sampling = plan.purchase, plan.purchase.spec.sampling
    assert sampling is not None
    known = asdict(sampling) if gen_kwargs == make_gen_kwargs(sampling) else gen_kwargs
    settings = {"engine": {"name": "lm_eval"}, "seed": purchase.seed, "sampling": dict(sorted(known.items()))}
    judgments = [
        (
            items[j["item"]],
            [
                Judgment(
                    judge=purchase.label,
                    shown=tuple(j["shown"]),
                    scores=j["scores"],
                    status=j["status"],
                    sample=j["sample"],
                )
            ],
        )
        for j in judged
    ]
    data = make_recorded_set(purchase, settings, judgments, Path(purchase.name))
    asked = {item.id for item, _ in judgments}
    chosen = tuple(item for item in purchase.items if item.id in asked)
    arm = plan.fill(Delivery(data, Meter(0), Counter(), None))
    return evaluate(replace(arm, items=chosen, digest=digest_items(chosen)[:8]))[0]
