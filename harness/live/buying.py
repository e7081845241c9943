"""Buys every judgment that the arms of a run need: all items at once, one stream of work, nothing paid twice."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.compute import Price, Tokens
from harness.judges.prompt import made_up
from harness.live import LiveAsk, Seat
from harness.meter import Meter
from harness.model import Line, Model
from harness.recorded import RecordedSet
from harness.seeding import seeded
from harness.store import Store, canonical
from harness.types import Engine, Item, Judge, Judgment, Record, Sampling, Strategy

CHARACTERS_A_TOKEN = 4  # where nothing was measured yet
GRACE = 20  # seconds that answers in flight are given to arrive once a run is stopped


@dataclass(frozen=True)
class Voice:
    """A model as a config describes it, before anything is loaded; without `sampling` it is a scalar head."""

    engine: Engine
    sampling: Sampling | None
    price: Price | None = None
    active_parameters: float | None = None


@dataclass(frozen=True)
class Purchase:
    """What one arm has to buy before it can be evaluated: `strategy` at its k, for each item."""

    label: str
    judge: Judge
    voice: Voice
    strategy: Strategy
    items: tuple[Item, ...]
    order: str
    seed: int  # of the judgments and the order in which they show the responses
    strategy_seed: int
    name: str  # of the task: two runs never buy the same judge's verdicts on it side by side
    scorer: Voice | None = None
    meta: tuple[Any, Voice] | None = None

    @property
    def voices(self) -> dict[str, Voice]:
        """Every model it asks, by role."""
        found = {"judge": self.voice, "scorer": self.scorer, "meta": self.meta and self.meta[1]}
        return {role: voice for role, voice in found.items() if voice}


@dataclass(frozen=True)
class Terms:
    """How a run may spend."""

    store: Path
    max_failures: int
    budget: tuple[float | None, float | None] = (None, None)  # tokens, dollars


@dataclass(frozen=True)
class Bought:
    """An arm's judgments, and what this run did for all of its arms."""

    data: RecordedSet
    meter: Meter
    faults: Counter[str]
    seconds: float | None


@dataclass(frozen=True)
class Estimate:
    """What a run would buy: judgments in all, answers that the store lacks, and about what these cost at most."""

    judgments: int
    lacking: int
    tokens: Tokens
    dollars: float | None
    measured: bool  # from answers bought before; else from the length of the prompts and max_tokens


def buy(purchases: Sequence[Purchase], terms: Terms, watch: Callable[[Meter], None]) -> list[Bought]:
    """Every judgment the purchases need, from the store where it has them. `watch` is called a few times a second.

    Raises JudgescaleError where the run had to stop; what was bought until then is in the store.
    """
    meter = Meter(terms.max_failures, terms.budget)
    done: list[Done] = []
    with Store(terms.store) as store, rarely_collected():
        asyncio.run(_run(purchases, store, meter, watch, done))
    engines = {id(m.line): m.line.engine for seat, _ in done for m in seat.models}.values()
    faults = sum((engine.faults for engine in engines), Counter[str]())
    # How long one arm took is known where it was the only one and had to buy everything.
    seconds = meter.seconds if len(purchases) == 1 and not meter.reused else None
    sets = [as_set(p, _settings(seat), _judged(asks), terms.store) for p, (seat, asks) in zip(purchases, done)]
    return [Bought(data, meter, faults, seconds) for data in sets]


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Garbage is looked for rarely: all that piles up is kept anyway, and a full search holds up every request."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def estimate(purchases: Sequence[Purchase], terms: Terms) -> list[Estimate]:
    """What each purchase would add, in their order: what an earlier one buys, a later one has. Nothing is spent.

    A strategy that looks at verdicts to choose its questions is estimated on verdicts that all fail.
    """
    found, seen = [], set[tuple[bytes, int]]()
    with Store(terms.store, readonly=True) as store:
        for purchase in purchases:
            meter, done = Meter(max_failures=sys.maxsize), list[Done]()
            asyncio.run(_run([purchase], store, meter, lambda _: None, done, dry=True))
            ((seat, _),) = done
            written = store.averages(seat.model.settings)
            wrote = written[1] if written else seat.model.sampling.max_tokens if seat.model.sampling else 0
            every = [_estimate(m, store, seen, 0 if m is seat.model else wrote) for m in seat.models]
            found.append(
                Estimate(
                    meter.judgments,
                    sum(e.lacking for e in every),
                    Tokens(*np.sum([e.tokens for e in every], axis=0)),
                    None if any(e.dollars is None for e in every) else sum(e.dollars or 0.0 for e in every),
                    all(e.measured for e in every if e.lacking),
                )
            )
    return found


def _estimate(model: Model, store: Store, seen: set[tuple[bytes, int]], quoted: float) -> Estimate:
    """What a model lacks that is not in `seen`; `quoted`: tokens of another's answer in each of its prompts."""
    measured = store.averages(model.settings)
    most = 0 if model.sampling is None else model.sampling.max_tokens
    per_character, written = measured or (1 / CHARACTERS_A_TOKEN, float(most))
    lacking, tokens = 0, Tokens()
    for question, ranks in model.missing.values():
        new = [r for r in ranks if (question.key, r) not in seen]
        seen |= {(question.key, r) for r in new}
        if new:
            lacking += len(new)
            tokens = tokens.plus(Tokens(len(question.request) * per_character + quoted, 0, len(new) * written))
    dollars = model.price.dollars(tokens) if model.price else None
    return Estimate(0, lacking, tokens, dollars, measured is not None)


Done = tuple[Seat, list[LiveAsk]]  # a purchase's seat, and what was asked of it about each item


async def _run(
    purchases: Sequence[Purchase],
    store: Store,
    meter: Meter,
    watch: Callable[[Meter], None],
    done: list[Done],  # filled in: asyncio would print a returned giant into its own notes
    dry: bool = False,
) -> None:
    """Put every item of every purchase through its strategy."""
    async with AsyncExitStack() as running:
        lines: dict[str, Line] = {}
        models: dict[tuple[str, str], Model] = {}

        def model(role: str, voice: Voice, seed: int) -> Model:
            """Arms that ask the same of a model share it, and models share an engine."""
            line = lines.setdefault(engine_key(voice.engine), Line(voice.engine, running))
            made = Model(line, role, voice.sampling, seed, store, meter, voice.price, dry)
            return models.setdefault((role, made.settings), made)

        for p in purchases:
            made = {role: model(role, voice, p.seed) for role, voice in p.voices.items()}
            meta = (p.meta[0], made["meta"]) if p.meta else None
            seat = Seat(p.label, p.judge, made["judge"], meter, p.order, p.seed, made.get("scorer"), meta)
            done.append((seat, [LiveAsk(seat, item) for item in p.items]))
        if not dry:
            await _alone(purchases, [m.settings for m in models.values()], store.path, running)
        ticker = asyncio.create_task(_tick(meter, watch))
        try:
            await _stream(
                purchases, [asks for _, asks in done], meter, sum(line.engine.window for line in lines.values())
            )
        finally:
            ticker.cancel()
            watch(meter)


def engine_key(engine: Engine) -> str:
    return canonical({"name": engine.name, "model": engine.model, "revision": engine.revision, **engine.identity()})


async def _stream(purchases: Sequence[Purchase], asks: Sequence[Sequence[LiveAsk]], meter: Meter, at_once: int) -> None:
    """All items of all arms as one stream, so many at once as keep the engines busy; none waits for another's round."""
    unused = np.random.default_rng(0)  # for strategies with a closed form, which leave nothing to chance
    jobs = ((purchase, ask) for purchase, of_item in zip(purchases, asks) for ask in of_item)

    async def work() -> None:
        for purchase, ask in jobs:
            if meter.stopped:
                return
            strategy, item = purchase.strategy, ask.item
            chance = unused if hasattr(strategy, "exact") else seeded(purchase.strategy_seed, strategy.name, item.id)
            try:
                await strategy(ask, len(item.responses), chance)
            except Exception as error:
                meter.stopped = meter.stopped or error
            meter.items += 1

    workers = {asyncio.create_task(work()) for _ in range(at_once)}
    try:
        await _end(workers, meter)
    except asyncio.CancelledError:  # Ctrl-C; a second one ends the wait
        meter.stop("interrupted")
        await _end(workers, meter)
        raise
    if meter.stopped:
        raise meter.stopped


async def _end(workers: set[asyncio.Task[None]], meter: Meter) -> None:
    """Wait for the workers; once the run is stopped, GRACE seconds for what is in flight, which is paid for."""
    waited = 0
    while workers:
        _, workers = await asyncio.wait(workers, timeout=1)
        waited += bool(meter.stopped)
        if meter.stopped and waited > GRACE:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            return


async def _tick(meter: Meter, watch: Callable[[Meter], None]) -> None:
    while True:
        watch(meter)
        await asyncio.sleep(0.2)


async def _alone(purchases: Sequence[Purchase], models: Sequence[str], store: Path, running: AsyncExitStack) -> None:
    """Wait while another process buys from the same judges on the same tasks: what it buys is not bought again."""
    from filelock import FileLock, Timeout

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
                    print(
                        "another run is buying the same judge's verdicts on this task; waiting for it", file=sys.stderr
                    )
                    told = True
                await asyncio.sleep(0.5)
        running.callback(lock.release)


def prompt_digest(judge: Judge) -> str:
    """The first 8 hex digits of a SHA-256 over what the judge makes of a made-up item, and over the knobs set on it."""
    n = max(judge.widths()[0], 1)
    knobs = {
        f.name: value
        for f in dataclasses.fields(judge)  # type: ignore[arg-type]
        if f.name not in ("template", "system") and (value := getattr(judge, f.name)) != f.default
    }  # what the templates say is in the request
    return hashlib.sha256(repr((judge.requests(made_up(n), tuple(range(n))), knobs)).encode()).hexdigest()[:8]


def as_set(
    purchase: Purchase, settings: Mapping[str, Any], judged: Iterable[tuple[Item, Judgment]], store: Path
) -> RecordedSet:
    """An arm's judgments as a recorded set; `settings` says what answered, and how, as a Model's do."""
    records = tuple(Record(i.prompt, i.cluster, i.subset, i.responses, i.gold, judgment) for i, judgment in judged)
    meta = {
        "name": purchase.name,
        "format": "live",
        "tasks": [purchase.name],
        "order": purchase.order,
        "live": {
            "format": purchase.judge.format,
            "prompt": prompt_digest(purchase.judge),
            **settings,
            "strategy_seed": purchase.strategy_seed,
        },
    }
    return RecordedSet(store, purchase.name, meta, records)


def _judged(asks: Sequence[LiveAsk]) -> Iterator[tuple[Item, Judgment]]:
    return ((ask.item, judgment) for ask in asks for judgments in ask.bought.values() for judgment in judgments)


def _settings(seat: Seat) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(seat.model.settings)
    if seat.meta:
        engine = seat.meta[1].line.engine
        settings["meta_rm"] = "@".join(filter(None, (engine.model, engine.revision)))
    return settings
