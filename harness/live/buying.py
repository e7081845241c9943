"""Buy every judgment that the arms of a run need: all items at once, one stream of work, nothing paid twice."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from judgescale.harness.batch.folder import BatchFolder, Deferred, lock_folder, write_whole
from judgescale.harness.contracts import Answers, BatchLines, Engine, Faults, Judge, MetaRM, Strategy
from judgescale.harness.cost import Price, Tokens, flops, sum_known
from judgescale.harness.errors import list_some, make_harmless
from judgescale.harness.judges.prompt import make_up_item
from judgescale.harness.live.connection import Connection, identify
from judgescale.harness.live.kept import run_in_loop
from judgescale.harness.live.meter import Meter, Spending
from judgescale.harness.live.model import Model
from judgescale.harness.live.outbox import Outbox
from judgescale.harness.live.session import JudgeSession, LiveAsk, LiveAskAll, gather_all
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.recorded.columns import About, put_in_columns
from judgescale.harness.seeding import make_rng
from judgescale.harness.stopping import cancel_on_signals
from judgescale.harness.store import Store, name_as_now
from judgescale.harness.types import Item, JudgescaleError, Judgment, Sampling, Unfinished

CHARACTERS_A_TOKEN = 4  # where nothing was measured yet
MOST_TOLD = 20  # rows of batch files whose trouble is printed; all are in a file then
GRACE = 60  # seconds that answers in flight are given to arrive once a run is stopped


@dataclass(frozen=True)
class ModelSpec:
    """Describe a model before anything is loaded; without `sampling` it is a scalar head."""

    engine: Engine
    sampling: Sampling | None
    price: Price | None = None
    active_parameters: float | None = None
    batch: BatchLines | None = None  # how it is asked, where that is through batch files


@dataclass(frozen=True)
class Purchase:
    """List what one arm has to buy before it can be evaluated: what `strategy` asks at its k about each item."""

    label: str
    judge: Judge
    spec: ModelSpec
    strategy: Strategy
    items: tuple[Item, ...]
    order: str
    seed: int  # of the judgments and the order in which they show the responses
    strategy_seed: int
    name: str  # of the task: two runs never buy the same judge's verdicts on it side by side
    scorer: ModelSpec | None = None
    meta: tuple[MetaRM, ModelSpec] | None = None
    votes: str = "scores"  # what the strategy sums: scores, or verdicts (types.Rules.votes)

    @property
    def models(self) -> dict[str, ModelSpec]:
        """Return every model it asks, by role."""
        found = {"judge": self.spec, "scorer": self.scorer, "meta": self.meta and self.meta[1]}
        return {role: spec for role, spec in found.items() if spec}


@dataclass(frozen=True)
class SpendingLimits:
    """Limit what a run may spend."""

    store: Path
    max_failures: int
    budget: tuple[float | None, float | None] = (None, None)  # tokens, dollars
    batch: Path | None = None  # the folder of batch files through which models are asked that can be
    logs: Path | None = None  # the folder of the run, where engines keep logs


@dataclass(frozen=True)
class Delivery:
    """Hold an arm's judgments, and what this run did for all of its arms."""

    data: RecordedSet
    meter: Meter
    faults: Counter[str]
    seconds: float | None


@dataclass(frozen=True)
class CostEstimate:
    """Estimate what a run would buy: judgments in all, answers that the store lacks, and about what they cost."""

    judgments: int
    lacking: int
    tokens: Tokens
    dollars: float | None
    measured: bool  # from answers bought before; else from the length of the prompts and max_tokens
    flops: float | None = None


def buy(purchases: Sequence[Purchase], limits: SpendingLimits, watch: Callable[[Meter], None]) -> list[Delivery]:
    """Buy every judgment the purchases need that the store lacks. `watch` is called a few times a second.

    Raises JudgescaleError where the run had to stop; what was bought until then is in the store.
    """
    meter = Meter(limits.max_failures, limits.budget)
    done: list[Done] = []
    store = Store(limits.store)
    folder = BatchFolder(limits.batch) if limits.batch else None
    try:
        with open_batch_folder(folder), store, collect_garbage_rarely():
            run_in_loop(_run_purchases(purchases, store, meter, watch, done, folder=folder, logs=limits.logs))
            if folder:
                write_missing(folder, purchases, meter)
    except (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, or another signal
        raise KeyboardInterrupt(f"interrupted{tell_what_is_kept(meter, store, limits.store)}") from None
    except JudgescaleError as error:
        kind = Unfinished if isinstance(error, Unfinished) else JudgescaleError
        raise kind(f"{error}{tell_what_is_kept(meter, store, limits.store)}") from None
    # How long one arm took is known where it was the only one and had to buy everything.
    seconds = meter.seconds if len(purchases) == 1 and not meter.reused and not folder else None
    sets = [
        make_recorded_set(p, _read_settings(session), _list_judgments(asks), limits.store)
        for p, (session, asks) in zip(purchases, done)
    ]
    return [Delivery(data, meter, meter.faults, seconds) for data in sets]


@contextmanager
def open_batch_folder(folder: BatchFolder | None) -> Iterator[None]:
    """Keep others out of the folder, where there is one, read it, and tell at the end which rows are of no use."""
    if not folder:
        yield
        return
    with lock_folder(folder.path):
        folder.read()
        try:
            yield
        finally:
            tell_problems(folder)


def tell_problems(folder: BatchFolder) -> None:
    """Print which rows of answers are of no use, one line each; where there are many, the rest is in a file."""
    told, rest = folder.problems[:MOST_TOLD], folder.problems[MOST_TOLD:]
    for problem in told:
        print(make_harmless(problem), file=sys.stderr)
    if rest:
        write_whole(folder.path / "problems.txt", "\n".join(map(make_harmless, folder.problems)) + "\n")
        print(f"and {len(rest):,} more like these: {folder.path / 'problems.txt'}", file=sys.stderr)


def write_missing(folder: BatchFolder, purchases: Sequence[Purchase], meter: Meter) -> None:
    """Write the requests that still lack an answer. Raises Unfinished, saying what to do, where answers are awaited."""
    written = folder.write((meter.spent.tokens, meter.spent.dollars), meter.budget)
    told = [f"{count_words(folder.found, 'answer')} read"] if folder.found else []
    if written.files:
        told.append(
            f"{count_words(sum(written.files.values()), 'request')} written to {list_some(list(written.files))}"
        )
    if written.left_out:
        limit = next(f"{n}={b:g}" for n, b in zip(Spending._fields, meter.budget) if b is not None)
        told.append(f"run.budget.{limit} leaves out {count_words(written.left_out, 'answer')}: that may cost more")
    if folder.awaited:
        told.append(f"answers to {list_some(list(folder.awaited))} are awaited (delete it to have it written again)")
    if not written.files and not written.left_out and not meter.deferred:
        return
    if written.files:
        told.append(
            f"send them with `judgescale batch send {folder.path}` and fetch the answers with `judgescale batch collect"
            f" {folder.path}`, or have them answered elsewhere and put the answers there as any other .jsonl"
        )
    if any(p.strategy.adaptive or p.scorer or p.meta for p in purchases):
        told.append("what is asked next depends on these answers: there may be several rounds")
    raise Unfinished(f"run.batch={folder.path}: {'; '.join(told)}; then the same command again")


def count_words(number: int, word: str) -> str:
    """Write a number of things."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def tell_what_is_kept(meter: Meter, store: Store, named: Path) -> str:
    """Say what a run that stopped early leaves in its store: what was there before, and what was committed.

    named: the store that the run was given; it has become another file where somebody replaced it meanwhile.
    """
    if not (answers := meter.reused + store.committed):
        return ""
    told = "1 answer is" if answers == 1 else f"{answers:,} answers are"
    command = "the same command" if store.path == named else f"the same command with run.store={store.path}"
    return f"; {told} in {store.path}, and {command} goes on from there"


@contextmanager
def collect_garbage_rarely() -> Iterator[None]:
    """Collect garbage rarely: all that piles up is kept anyway, and a full collection holds up every request."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def estimate_costs(purchases: Sequence[Purchase], limits: SpendingLimits) -> list[CostEstimate]:
    """Estimate what each purchase would add: what an earlier one buys, a later one has. Nothing is spent.

    A strategy that looks at verdicts to choose its questions is estimated on verdicts that all fail.
    """
    found, seen = [], set[tuple[bytes, int]]()
    with Store(limits.store, readonly=True) as store:
        for purchase in purchases:
            meter, done = Meter(max_failures=sys.maxsize), list[Done]()
            asyncio.run(_run_purchases([purchase], store, meter, lambda _: None, done, dry=True))
            ((session, _),) = done
            written = store.average_tokens(session.model.settings)
            wrote = written[1] if written else session.model.sampling.max_tokens if session.model.sampling else 0
            active = {role: spec.active_parameters for role, spec in purchase.models.items()}
            every = [
                _estimate_model(m, store, seen, 0 if m is session.model else wrote, active[m.role])
                for m in session.models
            ]
            found.append(replace(add_estimates(every), judgments=meter.judgments))
    return found


def add_estimates(estimates: Sequence[CostEstimate]) -> CostEstimate:
    """Add estimates up; dollars and FLOPs are unknown where one of them is, and tokens measured where all are."""
    return CostEstimate(
        sum(e.judgments for e in estimates),
        sum(e.lacking for e in estimates),
        Tokens(*np.sum([e.tokens for e in estimates], axis=0)),
        sum_known([e.dollars for e in estimates]),
        all(e.measured for e in estimates if e.lacking),
        sum_known([e.flops for e in estimates]),
    )


def _estimate_model(
    model: Model, store: Store, seen: set[tuple[bytes, int]], quoted: float, active: float | None
) -> CostEstimate:
    """Estimate what a model lacks that is not in `seen`.

    quoted: tokens of another's answer in each prompt. active: its active parameters, where they are known.
    """
    measured = store.average_tokens(model.settings)
    most = 0 if model.sampling is None else model.sampling.max_tokens
    per_character, written = measured or (1 / CHARACTERS_A_TOKEN, float(most))
    lacking, tokens = 0, Tokens()
    for question, ranks in model.missing.values():
        new = [r for r in ranks if (question.key, r) not in seen]
        seen |= {(question.key, r) for r in new}
        if new:
            lacking += len(new)
            read = len(question.request) * per_character + quoted
            if budget := model.budget_read_again:  # the prompt is read twice, and the second time the thought too
                read = len(new) * (read if measured else 2 * read + budget)
            tokens = tokens.plus(Tokens(read, 0, len(new) * written))
    dollars = model.price.dollars(tokens) if model.price else None
    return CostEstimate(0, lacking, tokens, dollars, measured is not None, flops(active, tokens) if active else None)


Done = tuple[JudgeSession, list[LiveAsk]]  # a purchase's session, and what was asked of it about each item


async def _run_purchases(
    purchases: Sequence[Purchase],
    store: Store,
    meter: Meter,
    watch: Callable[[Meter], None],
    done: list[Done],  # filled in: asyncio would print a returned giant into its own notes
    dry: bool = False,
    folder: BatchFolder | None = None,
    logs: Path | None = None,
) -> None:
    """Put every item of every purchase through its strategy."""
    async with AsyncExitStack() as open_engines:
        connections: dict[str, Connection] = {}
        models: dict[tuple[str, str], Model] = {}
        outbox = Outbox(store, meter)

        def model(role: str, spec: ModelSpec, seed: int) -> Model:
            """Make a model: arms that ask the same of it share it, and models share an engine."""
            engine = spec.engine.log_to(logs) if logs else spec.engine
            connection = connections.setdefault(identify(engine), Connection(engine, open_engines))
            batch = (folder, spec.batch) if folder and spec.batch else None
            made = Model(connection, role, spec.sampling, seed, outbox, meter, spec.price, dry, batch)
            return models.setdefault((role, made.settings), made)

        for p in purchases:
            made = {role: model(role, spec, p.seed) for role, spec in p.models.items()}
            meta = (p.meta[0], made["meta"]) if p.meta else None
            session = JudgeSession(
                p.label, p.judge, made["judge"], meter, p.order, p.seed, made.get("scorer"), meta, p.votes
            )
            meter.arms.append(session.tally)
            done.append((session, [LiveAsk(session, item) for item in p.items]))

        def look() -> None:
            """Let `watch` see how far it is."""
            meter.faults = gather_faults(connections.values())
            watch(meter)

        ticker = asyncio.create_task(_look_often(look))
        folding = asyncio.create_task(_fold_log_often(store))
        this = asyncio.current_task()
        assert this is not None
        try:
            if not dry:
                settings = [m.settings for m in models.values()]
                await _wait_for_other_runs(purchases, settings, store.path, open_engines, meter)
            with cancel_on_signals(this):
                await _judge_all_items(purchases, [asks for _, asks in done], meter, connections.values())
        finally:
            outbox.write()
            ticker.cancel()
            look()
            folding.cancel()


async def _judge_all_items(
    purchases: Sequence[Purchase],
    asks: Sequence[Sequence[LiveAsk]],
    meter: Meter,
    connections: Collection[Connection],
) -> None:
    """Judge all items of all arms as one stream: as many at once as keep the engines busy, none waiting for another.

    No more requests are in flight than the engines' windows hold; as many others are ready to follow, so that none of
    the places is empty while prompts are written, and answers read and stored.
    """
    at_once = 2 * sum(connection.engine.window for connection in connections)
    alone = [(purchase, of_item) for purchase, of_item in zip(purchases, asks) if not purchase.strategy.across]
    learned: dict[tuple[int, int], Asked] = {}
    jobs = ((purchase, ask) for purchase, of_item in alone for ask in of_item)

    async def judge_across(purchase: Purchase, of_items: Sequence[LiveAsk]) -> None:
        """Let a strategy that weighs items against each other buy what it wants about all of them."""
        strategy = purchase.strategy
        questions = [strategy.questions(len(item.responses)) for item in purchase.items]
        chance = make_rng(purchase.strategy_seed, strategy.name, "all items")
        try:
            await strategy.decide_all(LiveAskAll(of_items, questions, at_once), [strategy.k or 1], chance)
            of_items[0].session.tally.items += len(of_items)
        except Deferred:
            of_items[0].session.tally.deferred += len(of_items)
        except Exception as error:
            meter.stopped = meter.stopped or error

    async def work() -> None:
        for purchase, ask in jobs:
            if meter.stopped:
                return
            try:
                await buy_item(purchase, ask, learned)
                ask.session.tally.items += 1
            except Deferred:
                ask.session.tally.deferred += 1
            except Exception as error:
                meter.stopped = meter.stopped or error

    workers = {asyncio.create_task(work()) for _ in range(at_once)}
    workers |= {
        asyncio.create_task(judge_across(purchase, of_items))
        for purchase, of_items in zip(purchases, asks)
        if purchase.strategy.across
    }
    try:
        await _finish_workers(workers, meter, connections)
    except asyncio.CancelledError:  # Ctrl-C; a second one ends the wait
        meter.stop("interrupted")
        await _finish_workers(workers, meter, connections)
        raise
    if meter.stopped:
        raise meter.stopped


Asked = list[tuple[tuple[int, ...], int]]  # questions, each with the k that a strategy wants of it


async def buy_item(purchase: Purchase, ask: LiveAsk, learned: dict[tuple[int, int], Asked]) -> None:
    """Buy what a strategy asks about an item.

    By the strategy itself where that depends on verdicts or chance. Elsewhere it is the same for all items of as many
    responses, so it is asked once and remembered in `learned`: what it decides here, nobody reads.
    """
    strategy, n = purchase.strategy, len(ask.item.responses)
    if strategy.adaptive or strategy.random:
        await strategy(ask, n, make_rng(purchase.strategy_seed, strategy.name, ask.item.id))
        return
    place = (id(purchase), n)
    if place not in learned:
        learned[place] = await list_asked(strategy, n)
    await gather_all([ask.judgments(question, k) for question, k in learned[place]])


async def list_asked(strategy: Strategy, n: int) -> Asked:
    """List what a strategy asks about n responses, whatever the verdicts and its chance."""
    told = Listener()
    await strategy(told, n, np.random.default_rng(0))
    return told.asked


@dataclass
class Listener:
    """Note what a strategy asks, and answer that no judgment could be used (contracts.Ask)."""

    asked: Asked = field(default_factory=list)
    draws: int = 1

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        """Note k of each question."""
        k, flat = int(np.max(k)), questions.reshape(-1, questions.shape[-1])
        self.asked += [(tuple(sorted(question)), k) for question in flat.tolist()]
        scores = np.full((1, len(flat), k, flat.shape[-1]), np.nan)
        return Answers(scores, scores[..., 0])


async def _finish_workers(workers: set[asyncio.Task[None]], meter: Meter, connections: Collection[Connection]) -> None:
    """Wait for the workers; once the run is stopped, GRACE seconds for what is in flight, which is paid for."""
    clock = asyncio.get_running_loop().time
    stopped_at: float | None = None
    while workers:
        if meter.stopped and stopped_at is None:
            stopped_at = clock()
            for connection in connections:
                connection.stop_sending()
        _, workers = await asyncio.wait(workers, timeout=0.2)
        if stopped_at is not None and clock() > stopped_at + GRACE:
            if workers:
                meter.tell(f"stopped waiting for {meter.in_flight} requests in flight")
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            return


async def _look_often(look: Callable[[], None]) -> None:
    while True:
        look()
        await asyncio.sleep(0.2)


def gather_faults(connections: Iterable[Connection]) -> Faults:
    """Gather what went wrong with all engines."""
    every = Faults()
    for connection in connections:
        faults = connection.faults
        every.update(faults)
        if isinstance(faults, Faults):
            every.first |= {kind: said for kind, said in faults.first.items() if kind not in every.first}
            every.told += faults.told
    return every


async def _fold_log_often(store: Store) -> None:
    """Put the store's log into its file beside the work: whoever closes the store would wait for the disk."""
    while True:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(store.fold_log)


async def _wait_for_other_runs(
    purchases: Sequence[Purchase], models: Sequence[str], store: Path, open_engines: AsyncExitStack, meter: Meter
) -> None:
    """Wait while another process buys from the same judges on the same tasks: what it buys is not bought again."""
    from filelock import FileLock, Timeout

    store = store.resolve()  # a lock belongs to the file, however its path is spelled
    folder = store.with_name(f"{store.name}.locks")
    folder.mkdir(exist_ok=True)
    names = {f"{p.name}-{hashlib.sha256(settings.encode()).hexdigest()[:16]}" for settings in models for p in purchases}
    for name in sorted(names):  # always in the same order: two runs never wait for each other
        lock, told = FileLock(folder / f"{name}.lock"), False
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                if not told:
                    meter.tell("another run is buying the same judge's verdicts on this task; waiting for it")
                    told = True
                await asyncio.sleep(0.5)
        open_engines.callback(lock.release)


def digest_prompt(judge: Judge) -> str:
    """Digest what the judge asks about a made-up item, and the knobs set on it: 8 hex digits of a SHA-256."""
    n = max(judge.widths()[0], 1)
    knobs = {
        f.name: value
        for f in dataclasses.fields(judge)
        if f.name not in ("template", "system") and (value := getattr(judge, f.name)) != f.default
    }  # what the templates say is in the request
    return hashlib.sha256(repr((judge.requests(make_up_item(n), tuple(range(n))), knobs)).encode()).hexdigest()[:8]


def make_recorded_set(
    purchase: Purchase, settings: Mapping[str, Any], judged: Iterable[tuple[Item, Sequence[Judgment]]], store: Path
) -> RecordedSet:
    """Make a recorded set of an arm's judgments; `settings` says what answered, and how, as a Model's do."""
    columns = put_in_columns(
        (About(i.prompt, i.cluster, i.subset, i.responses, i.gold), judgments) for i, judgments in judged
    )
    meta = {
        "name": purchase.name,
        "format": "live",
        "tasks": [purchase.name],
        "order": purchase.order,
        "live": {
            "format": purchase.judge.format,
            "prompt": digest_prompt(purchase.judge),
            **settings,
            "strategy_seed": purchase.strategy_seed,
            **(
                {"stopped_by": purchase.strategy.name, "most": purchase.strategy.k}
                if purchase.strategy.measured
                else {}
            ),
        },
    }
    return RecordedSet(store, purchase.name, meta, columns)


def _list_judgments(asks: Sequence[LiveAsk]) -> Iterator[tuple[Item, Sequence[Judgment]]]:
    return ((ask.item, judgments) for ask in asks for judgments in ask.bought.values())


def _read_settings(session: JudgeSession) -> dict[str, Any]:
    settings = name_as_now(json.loads(session.model.settings))
    if session.meta:
        engine = session.meta[1].connection.engine
        settings["meta_rm"] = "@".join(filter(None, (engine.model, engine.revision)))
    return settings
