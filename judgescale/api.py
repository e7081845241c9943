"""The public face: evaluate judgments one already has, or run a live judge given as a plain function."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from judgescale.harness import ROOT
from judgescale.harness.contracts import Engine, Judge, Reading, Strategy
from judgescale.harness.evaluation.evaluate import evaluate as evaluate_arm
from judgescale.harness.judges.prompt import read_conversation
from judgescale.harness.live.buying import ModelSpec, Purchase, SpendingLimits, buy
from judgescale.harness.options import build, check_count, check_types
from judgescale.harness.plan.common import FOR_HARNESS, Numbers, Shared, list_ks, load_rules
from judgescale.harness.plan.items import Selection, choose_edition
from judgescale.harness.plan.juries import choose_judges, find_costs
from judgescale.harness.plan.live import check_label, check_widths, choose_amounts, choose_order, make_live_arm
from judgescale.harness.plan.recorded import (
    make_arms,
    name_part,
    read_samples,
    read_steps_rule,
    read_variants,
    refuse_foreign_set,
)
from judgescale.harness.plan.trial import try_strategy
from judgescale.harness.recorded import RecordedSet, read_set
from judgescale.harness.recorded.choosing import take_part
from judgescale.harness.recorded.columns import make_columns
from judgescale.harness.recorded.importing import import_rows
from judgescale.harness.recorded.pools import RecordedJudgments
from judgescale.harness.recorded.source import hash_content
from judgescale.harness.strategies.voting import Voting
from judgescale.harness.types import Item, JudgescaleError, Loaded, Output, Request, Result, Rules, Sampling, Task

Scores = Sequence[float] | None
JudgeFunction = Callable[[str, list[str]], Scores | Awaitable[Scores]]
P = ParamSpec("P")
T = TypeVar("T")


def outside_loop(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function that needs an event loop of its own also work where one runs already, as in a notebook."""

    @wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return function(*args, **options)
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(function, *args, **options).result()

    return run


@outside_loop
def evaluate(
    judgments: str | Path | Iterable[Mapping[str, Any]],
    *,
    strategy: Strategy | None = None,
    protocol: str | Rules = "common",
    task: Task | None = None,
    judges: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    steps: str | None = None,
    samples: int | None = None,
    pool: bool | Literal["equal", "by_cost", "in_order"] | None = None,
    costs: Mapping[str, float] | None = None,
    ks: Sequence[int] | None = None,
    seed: int = 0,
    draws: int = 200,
) -> list[Result]:
    """Evaluate judgments that you have: one result a judge, or one for all where they vote together.

    judgments: a recorded set (SET.parquet, or a shipped one by its name), or rows as the format `jsonl` takes them:
    {"prompt": "q1", "responses": ["a", "b"], "best": "a", "judge": "mine", "scores": [8, 5]}; with "pointwise": True
    where each response was scored alone.
    strategy: k=None takes all judgments there are. protocol: a name of conf/protocol/, or rules of your own.
    task: who turns the set into items and credits decisions; None = by the gold labels of the set, as task=custom.
    judges, variants: which of the set's; None = all. steps: the rule that makes one score of a response's step scores
    ("prod", "min", …); None = the scores as recorded. samples: of each judge's judgments of a question, the first so
    many; None = all. pool: whether the judges vote together: with "equal"
    shares, or shares "by_cost"; "in_order" is for a cascade, which asks `judges` one after the other; None = as the set
    says. costs: dollars a judgment, by judge.

    Raises JudgescaleError naming the row, item or option that does not fit.
    """
    task = task or load_task("custom")
    shared = _share(task, strategy or Voting(), protocol, Numbers(seed, draws))
    if isinstance(judgments, str | Path):
        data = read_set(judgments)
        sha256 = hash_content(data.path)
    else:
        records, pointwise, sha256 = import_rows(judgments)
        about = {"tasks": [task.name], "pointwise": pointwise}
        data = RecordedSet(Path("rows"), "rows", about, make_columns(records))
    refuse_foreign_set(data, task)
    groups = choose_judges(data, judges, pool, shared.strategy)
    every = sorted({name for names in groups.values() for name in names})
    part = take_part(data, every, read_variants(variants), read_steps_rule(steps), read_samples(samples))
    of_judges = {name_part(label, part): RecordedJudgments(part, names) for label, names in groups.items()}
    items = task.load(data)
    shared = shared._replace(task=choose_edition(task, items))
    selection = Selection(tuple(items), (), None, ())
    known = find_costs(costs, pool, {}, data, part)
    arms = make_arms(of_judges, shared, selection, ks, sha256, pool, known)
    return [evaluate_arm(arm)[0] for arm in arms]


@outside_loop
def run_judge(
    judge: JudgeFunction,
    task: Task | Iterable[Item],
    *,
    strategy: Strategy | None = None,
    protocol: str | Rules = "common",
    name: str | None = None,
    concurrency: int = 16,
    store: str | Path | None = None,
    max_failures: int = 0,
    seed: int = 0,
    draws: int = 200,
) -> Result:
    """Run a judge that is a plain function on items with texts, and evaluate it.

    judge: takes the conversation as one text and the responses' texts in the order shown; returns a score for each, or
    None where it has no verdict. An `async def` is asked about `concurrency` questions at once. A lone response's score
    is how likely it has an error, 0 to 1.
    task: a benchmark with texts (`load_task("llmbar", path=…)`), or items of your own, scored by their gold labels.
    strategy: k=None asks once, or twice under a protocol that shows both orders. store: a file that keeps every answer
    under the judge's name, so that the same call goes on where it stopped; None keeps nothing. max_failures: how often
    the function may raise before the run stops.

    Raises JudgescaleError, also for what the function returned where that is no score for each response.
    """
    label = check_label("name", getattr(judge, "__name__", type(judge).__name__) if name is None else name)
    for option, value, least in (("concurrency", concurrency, 1), ("max_failures", max_failures, 0)):
        check_count(option, value, least)
    if isinstance(task, Task):
        if task.read is None:
            raise JudgescaleError(f"task={task.name} has no texts here for a judge to read: load it with path=…")
        loaded = task.read()
    else:
        loaded, task = Loaded(list(task), {"generated": "items"}), load_task("custom")
    if not loaded.items:
        raise JudgescaleError("there are no items to judge")
    if not all(isinstance(item, Item) for item in loaded.items):
        raise JudgescaleError("task: give items, as Item(…) makes them, or a benchmark, as load_task(…) does")
    task = choose_edition(task, loaded.items)
    shared = _share(task, strategy or Voting(), protocol, Numbers(seed, draws))
    order = choose_order(shared.rules)
    k, samples = choose_amounts(shared.strategy, order)
    shared = shared._replace(strategy=shared.strategy.at(k))
    items = tuple(loaded.items)
    function = FunctionJudge()
    check_widths(function.format, function.widths(), shared.strategy, items)
    purchase = Purchase(
        label=label,
        judge=function,
        spec=ModelSpec(FunctionEngine(label, function=judge, concurrency=concurrency), Sampling(temperature=1.0)),
        strategy=shared.strategy.make_buyer(samples),
        items=items,
        order=order,
        seed=seed,
        strategy_seed=seed,
        name=task.name,
        votes=shared.rules.votes,
    )
    ks = (k,) if shared.strategy.adaptive else list_ks(None, k, samples, shared.strategy)
    plan = make_live_arm(purchase, shared, Selection(items, (), None, tuple(loaded.notes)), loaded, ks, k)
    with tempfile.TemporaryDirectory() as folder:
        limits = SpendingLimits(Path(store or f"{folder}/store.sqlite"), max_failures)
        (delivery,) = buy([purchase], limits, lambda meter: None)
    arm = plan.fill(delivery)
    if store is None and arm.bill:
        arm = dataclasses.replace(arm, bill=dataclasses.replace(arm.bill, store=None))
    return evaluate_arm(arm)[0]


def load_task(name: str, **options: Any) -> Task:
    """Load a benchmark by its name in conf/task/, with options of its YAML: load_task("rmb", path="RMB_FOLDER")."""
    running = GlobalHydra.instance().is_initialized()  # then it looks in the folders of that command line as well
    with nullcontext() if running else initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("config", [f"task={name}"])
    known = {key: value for key, value in cfg.task.items_ex(resolve=False) if key not in FOR_HARNESS}
    return build({**known, **options}, "task")


def load_protocol(name: str) -> Rules:
    """Load a benchmark owner's rule by its name in conf/protocol/."""
    return load_rules(name)


def _share(task: Task, strategy: Strategy, protocol: str | Rules, numbers: Numbers) -> Shared:
    for option, value, least in zip(Numbers._fields, numbers, (0, 2), strict=True):
        check_count(option, value, least)
    for option, given, kind in (("task", task, Task), ("strategy", strategy, Strategy)):
        if not isinstance(given, kind):
            raise JudgescaleError(
                f"{option}={given!r}: must be a {kind.__name__}, as load_task(…) or Voting(k=8) gives"
            )
    try_strategy(check_types(strategy, "strategy"))
    rules = load_rules(protocol) if isinstance(protocol, str) else protocol
    if not isinstance(rules, Rules):
        raise JudgescaleError(f"protocol={rules!r}: must be a name in conf/protocol/, or Rules")
    rules = dataclasses.replace(rules, unusable=strategy.unusable or rules.unusable)
    return Shared(task, strategy, rules, tuple(map(load_rules, task.protocols)), numbers)


@dataclass(frozen=True)
class FunctionJudge(Judge):
    """Hand the texts of an item to a function, and read the scores that it returned."""

    format: ClassVar[str] = "function"

    def widths(self) -> tuple[int, int]:
        """Return that any number of responses will do."""
        return 1, sys.maxsize

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Put the conversation, as one text, and the responses shown into one request."""
        turns = read_conversation(item)
        question = turns[0][1] if len(turns) == 1 else "\n\n".join(f"{role}: {text}" for role, text in turns)
        given = json.dumps([question, [item.texts[i] for i in shown]])
        return (Request((("user", given),), order=shown),)

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the scores; null is no verdict."""
        if outputs[0].finish == "failed":
            return Reading("failed")
        scores = json.loads(outputs[0].text or "null")
        return Reading("unparsed") if scores is None else Reading("ok", tuple(scores))


@dataclass(frozen=True)
class FunctionEngine(Engine):
    """Call a function of this process in place of a model."""

    name: ClassVar[str] = "function"

    function: JudgeFunction = lambda question, responses: None
    concurrency: int = 16

    @property
    def window(self) -> int:
        """Return how many calls may run at once."""
        return self.concurrency

    def identity(self) -> Mapping[str, Any]:
        """Return nothing: the function is known by its name alone."""
        return {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FunctionSession]:
        """Start a session; nothing has to be loaded."""
        yield FunctionSession(self)


class FunctionSession:
    """Call the function once for every seed, and check what it returns."""

    def __init__(self, engine: FunctionEngine) -> None:
        self.engine = engine
        self.faults: Counter[str] = Counter()

    async def __call__(
        self, request: Request, sampling: Sampling, seeds: Sequence[int]
    ) -> AsyncIterator[tuple[int, Output]]:
        """Yield the scores as JSON; a call that raised comes as a failure."""
        question, responses = json.loads(request.messages[0][1])
        for i in range(len(seeds)):
            try:
                said = self.engine.function(question, list(responses))
                if inspect.isawaitable(said):
                    said = await said
            except Exception as error:  # the caller's own code may raise anything
                self.faults[type(error).__name__] += 1
                yield i, Output(finish="failed", error=f"{self.engine.model}: {type(error).__name__}: {error}")
                continue
            yield i, Output(json.dumps(self._check(said, len(responses))))

    def _check(self, said: Any, n: int) -> list[float] | None:
        if said is None:
            return None
        try:
            scores = [float(score) for score in said]
        except (TypeError, ValueError):
            scores = []
        if len(scores) != n or not all(map(math.isfinite, scores)):
            raise JudgescaleError(f"{self.engine.model} returned {said!r}: it must return {n} numbers, or None")
        return scores
