"""What each kind of part promises the harness, with a default for everything it need not have.

A strategy, a judge format, a meta RM and an engine are frozen dataclasses whose fields are their knobs (the options of
their YAML). What a part can do is declared here, as a class attribute or a method with a default, and never guessed
from what its class happens to hold.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np

from judgescale.harness.types import Item, JudgescaleError, Output, Request, Rules, Sampling

if TYPE_CHECKING:
    from judgescale.harness.stats.counting import Curve


# ---------------------------------------------------------------------------------------------- strategies


class Answers(NamedTuple):
    """Hold what a judge said to a strategy in each of D independent replays of one item and Q questions.

    scores: (D, Q, k, m) in the order in which the question lists its responses; NaN where a judgment is unusable; in a
        pointwise set one may lack the scores of some responses only.
    meta: (D, Q, k), the meta RM's score of each judgment, or the weight of its vote; NaN where there is none.
    """

    scores: np.ndarray
    meta: np.ndarray


class Games(NamedTuple):
    """Say how the games of a strategy that lets responses play in pairs are read."""

    score: str  # what its decision's scores are: "rating", "rounds survived", …
    start: float = 0.0  # the score of who has played nothing
    lives: int | None = None  # after so many lost games a response is out; None = nobody drops out
    by_verdicts: bool = False  # who has more judgments for it wins a game; else whose scores sum to more


class Ask(Protocol):
    """Put questions about one item to a judge. A live run asks in one replay; a scaling curve replays a pool D times.

    questions: indices of responses, (Q, m), or (D, Q, m) where the replays ask different things.
    """

    draws: int  # D

    async def __call__(self, questions: np.ndarray, k: int | np.ndarray) -> Answers:
        """Return k judgments of each question.

        k: a number, or (D,) where the replays ask for different numbers; answers beyond a replay's own are NaN. Which
        judgment is a question's j-th does not depend on k, so those that a replay has bought already cost nothing more.
        """


class AskAll(Protocol):
    """Put questions about all N items of a run to a judge, for a strategy that weighs one item against another."""

    draws: int  # D
    most: int  # judgments of one question that can be had

    @property
    def sizes(self) -> np.ndarray:
        """Return how many responses each item has, (N,)."""

    async def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Return the first judgments of each item: scores (D, N, n, K), NaN where unusable and beyond what was asked.

        K is at least the largest count. What was asked before costs nothing.
        counts: how many of each question of each item (`Strategy.questions`), (D, N, questions).
        """


@dataclass(frozen=True)
class Strategy:
    """Choose which judgments to buy, and turn them into one decision about an item.

    A strategy must give `name`, `questions`, `judgments` and `__call__`; everything else has a default. One that looks
    `across` items gives `decide_all` in place of `__call__`. Its fields are in the signature; one with the metadata
    {"signed_by_default": False} only where it is not at its default.
    """

    name: ClassVar[str] = ""
    adaptive: ClassVar[bool] = False  # what it asks depends on earlier verdicts: a live run buys only what it asked
    across: ClassVar[bool] = False  # it weighs items against each other, and decides about all of them at once
    stops: ClassVar[bool] = False  # it may stop before its k: what a decision costs is measured (it is `adaptive` too)
    calibrated: ClassVar[bool] = False  # it asks judges in turn, and learns from labels of other items when to stop
    slow: ClassVar[bool] = False  # it computes so much that it is replayed less often where there are many items
    random: ClassVar[bool] = True  # more than which judgments it gets is left to chance: lots of its own, their order
    may_tie: ClassVar[bool] = True  # its decision may be tied; False where it breaks every tie itself
    plain_vote: ClassVar[bool] = False  # it takes the k judgments as they come: at k=1 it is a single judgment
    fixed_k: ClassVar[int | None] = None  # the only k that it has
    next_try: ClassVar[str] = "voting"  # another strategy that is worth a look on the same judgments

    k: int | None = None  # judgments a question; None = all that were recorded

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """List every question it may ask about an item of n responses, each as ascending indices."""
        raise NotImplementedError

    def judgments(self, n: int) -> int:
        """Count the judgments that one decision about n responses costs at its k; the most, where it may stop."""
        raise NotImplementedError

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray:
        """Decide: one score a response, (D, n); a row of NaN where no judgment was usable."""
        raise NotImplementedError

    async def decide_all(
        self, ask: AskAll, ks: Sequence[int], rng: np.random.Generator
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Decide about all items at each of these k, ascending, the judgments of one being part of the next's.

        Returns for each one score a response, (D, N, n), NaN where an item has fewer or no judgment was usable; and
        how many judgments each item took, (D, N).
        """
        raise NotImplementedError

    @property
    def games(self) -> Games | None:
        """Tell how its games are read, which a run then keeps (evaluation/games.py); None where none are played."""
        return None

    @property
    def measured(self) -> bool:
        """Tell whether what a decision takes is measured: it may stop before its k, or take it from other items."""
        return self.stops or self.across

    @property
    def unusable(self) -> str | None:
        """Tell how its vote takes unusable judgments (abstain, plurality); None where it takes no such vote."""
        return None

    @property
    def closed_form(self) -> bool:
        """Tell whether `exact` counts its curve for items of one or two responses."""
        return False

    @property
    def one_scale(self) -> bool:
        """Tell whether it wants the z-scores of every judge in place of the scores (evaluation/scales.py)."""
        return False

    @property
    def mixes_scales(self) -> bool:
        """Tell whether it may put judges together who score on scales of their own."""
        return self.one_scale

    @property
    def printed_as(self) -> str:
        """Name it as papers do: numbers that were printed for a strategy of another name are not its own."""
        return self.name

    @property
    def breaks_ties(self) -> bool:
        """Tell whether it decides nearly every tied vote itself, by a coin or the order of its games."""
        return not self.may_tie

    def let_unusable_abstain(self) -> Strategy:
        """Return the same strategy, with a vote from which unusable judgments abstain."""
        return self

    @property
    def meta_rm(self) -> str | None:
        """Tell which meta RM scores the judgments for it (evaluation/meta.py); None where it needs none."""
        return None

    @property
    def weighed_by(self) -> str | None:
        """Tell which fit gives each judgment's vote its weight (evaluation/jury.py); None where all weigh alike."""
        return None

    def count_voters(self, k: int) -> int:
        """Count how many of k judgments decide."""
        return k

    def baseline(self) -> Strategy | None:
        """Return the plainer strategy that its result is held against on the same judgments, if any."""
        return None

    def make_buyer(self, samples: int) -> Strategy:
        """Return the strategy that buys `samples` judgments of every question, for pools larger than k."""
        return dataclasses.replace(self, k=samples)

    def caveats(self, rules: Rules) -> list[str]:
        """List what a reader must know about its numbers under these rules, one line each."""
        return []

    def tiers(self, judges: int) -> tuple[int, ...]:
        """Count the judgments that it takes of each of so many judges, in their order; of a `calibrated` one."""
        raise NotImplementedError

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Return from which confidence on each judge but the last decides, infinite for never; if `calibrated`."""
        return ()

    def examine(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what one judge's judgments (D, k, n) decide, (D, n), and how sure they are, (D,); if `calibrated`."""
        raise NotImplementedError

    def calibrate(self, confidence: np.ndarray, right: np.ndarray) -> Self:
        """Return the same strategy, ready to decide about other items than these M; of a `calibrated` one.

        confidence, right: how sure each judge is of each item, and whether the label says that it decides rightly,
        (M, judges) each.
        """
        raise NotImplementedError

    def exact(
        self, margins: Sequence[np.ndarray], meta: Sequence[np.ndarray], ks: Sequence[int], draws: int, seed: int
    ) -> Curve | None:
        """Count its whole curve for items of one or two responses; None where this cannot be counted.

        margins, meta: one array an item, a number a judgment (see stats/counting.py).
        """
        return None

    def at(self, k: int) -> Self:
        """Return the same strategy with this k."""
        return dataclasses.replace(self, k=k)


def has_closed_form(strategy: Strategy, items: Sequence[Item]) -> bool:
    """Tell whether a strategy's curve can be counted on these items instead of replayed."""
    return strategy.closed_form and all(len(item.responses) <= 2 for item in items)


# ---------------------------------------------------------------------------------------------- judges


class Reading(NamedTuple):
    """Hold what a parser made of an answer: scores in shown order exactly when status is "ok"."""

    status: str
    scores: tuple[float, ...] | None = None
    steps: tuple[tuple[float, ...], ...] | None = None  # what the scores were made of, where a model scores steps


@dataclass(frozen=True)
class Judge:
    """Ask a model about responses, and read its verdict: a prompt format and its parser.

    A format must give `format`, `widths`, `requests` and `read`.
    """

    format: ClassVar[str] = ""  # its name: "pairwise", …

    def widths(self) -> tuple[int, int]:
        """Return the fewest and the most responses that one judgment looks at."""
        raise NotImplementedError

    def requests(self, item: Item, shown: tuple[int, ...]) -> tuple[Request, ...]:
        """Write what one judgment of the responses, in the order shown, asks: one request, or one a response."""
        raise NotImplementedError

    def read(self, item: Item, shown: tuple[int, ...], outputs: Sequence[Output]) -> Reading:
        """Read the judgment in the answers to those requests, one each."""
        raise NotImplementedError

    def then(
        self, item: Item, shown: tuple[int, ...], request_index: int, request: Request, output: Output
    ) -> Request | None:
        """Write what a second model, the scorer, is asked about an answer; None where there is nothing to ask.

        Only called where judge.scorer names a second model; `read` then sees its answers in place of the first's.
        """
        return None

    @property
    def missing(self) -> float | None:
        """Tell which score stands for a response whose own answer could not be read; None = the judgment is lost."""
        return None


class MetaRM(Protocol):
    """Say how far a judgment is to be trusted, from what was asked and what was answered."""

    def request(self, request: Request, output: Output) -> Request:
        """Write what the meta RM is asked about one answer of a judge."""

    def read(self, output: Output) -> float | None:
        """Read its score, the higher the more trusted; None where there is none."""


# ---------------------------------------------------------------------------------------------- engines


class Faults(Counter[str]):
    """Count what went wrong, by kind, and keep for the log of the run what was said of it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.first: dict[str, str] = {}  # what was said of the first fault of a kind
        self.told: list[str] = []  # what else happened, one line each: a server is left alone, or is back

    def note(self, kind: str, said: str) -> None:
        """Count a fault."""
        self[kind] += 1
        self.first.setdefault(kind, said)

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self.first.clear()
        self.told.clear()


class EngineSession(Protocol):
    """Run one model: requests and seeds in, answers out as they come."""

    faults: Counter[str]  # what went wrong, also where a retry mended it: "429", "timeout", …; Faults tell more

    def __call__(self, request: Request, sampling: Sampling, seeds: Sequence[int]) -> AsyncIterator[tuple[int, Output]]:
        """Yield one answer for every seed, as (index into seeds, answer), each as soon as it is there.

        What cannot be had (retries used up, the prompt is too long) comes as finish="failed". Raises JudgescaleError
        for what no other request would survive: a refused key, an unknown model.
        """


class BatchLines(Protocol):
    """Ask a model through batch files: requests are written down, and answers read once they came back."""

    @property
    def most(self) -> int:
        """Return how many samples of one prompt a line may ask for."""

    @property
    def address(self) -> str:
        """Return the address of the server that takes batch files, without any secret."""

    @property
    def key_variable(self) -> str:
        """Return the name of the environment variable that holds the key."""

    @property
    def share(self) -> float | None:
        """Return which share of the price a batch costs; None where nobody said."""

    def write(self, request: Request, sampling: Sampling, seed: int, n: int) -> str:
        """Write the body of a line that asks for n samples, as JSON."""

    def read(self, request: Request, n: int, status: int, reply: Any) -> list[Output]:
        """Read the answers to a line that asked for n samples: n at most, and fewer where fewer came.

        status, reply: an HTTP status and a reply's parsed JSON; 0 and an error where there was no reply. What will
        never be had comes as finish="failed". Raises ValueError, saying why, where asking again may help.
        """


@dataclass(frozen=True)
class Engine:
    """Hold the options of what runs one model. Nothing is loaded, connected or spent before `open`.

    An engine must give `name`, `window`, `identity` and `open`.
    """

    name: ClassVar[str] = ""  # "vllm", "openai", …
    source: ClassVar[str] = "model"  # where judgments come from: a "model" that is asked, or a "recorded" set
    needs: ClassVar[tuple[str, ...]] = ()  # modules that must be installed,
    extra_name: ClassVar[str] = ""  # and the extra of this package that installs them
    kinds: ClassVar[tuple[str, ...]] = ("text", "score")  # of requests that it can answer (types.Request)

    model: str
    revision: str | None = None
    kind: str = "text"  # of the requests that it is for; "score": a scalar head, "steps": one number a step

    @property
    def window(self) -> int:
        """Return how many requests keep it busy."""
        raise NotImplementedError

    @property
    def asks_twice(self) -> bool:
        """Tell whether it ends a thought by asking again, with the prompt and the thought so far."""
        return False

    def check_thinking_budget(self) -> None:
        """Raise JudgescaleError where it cannot end a thought at `Sampling.thinking_budget`, or not as its options are.

        Called before anything is bought. The answer is then the thought, `</think>` and what follows; the tokens of the
        thought are its `reasoning_tokens`, where they are known.
        """
        raise JudgescaleError(
            f"judge.thinking_budget: engine={self.name} cannot end a thought; engine=vllm and engine=openai can"
        )

    def identity(self) -> Mapping[str, Any]:
        """Return every option, besides model and revision, that may change what it answers; no secret."""
        raise NotImplementedError

    def log_to(self, folder: Path) -> Self:
        """Return the same engine, with the log that it keeps, if any, in the folder of a run."""
        return self

    def open(self) -> AbstractAsyncContextManager[EngineSession]:
        """Start the model: `async with engine.open() as session`. Raises JudgescaleError where it cannot start."""
        raise NotImplementedError

    def make_batch_lines(self) -> BatchLines | None:
        """Return how it is asked through batch files (run.batch); None where it cannot be.

        Raises JudgescaleError where it cannot be as its options are.
        """
        return None

    def stop_sending(self, session: EngineSession) -> None:
        """Tell its session that the run was stopped: it must ask nothing again; what is in flight may still come."""


# ---------------------------------------------------------------------------------------------- trackers


class RunInfo(NamedTuple):
    """Hold what an experiment tracker is told of a run when it begins."""

    name: str  # of its folder
    group: str | None  # the sweep that it is a job of
    config: Mapping[str, Any]  # without secrets
    facts: Mapping[str, str]  # the command, versions, …


class TrackedRun(Protocol):
    """Take what a run says of itself to an experiment tracker. It gets numbers and files, and no text of any judge."""

    def log_progress(self, seconds: int, values: Mapping[str, float]) -> None:
        """Log how far buying is, so many seconds after it began: "judgments", "tokens", "dollars", …"""

    def log_point(self, arm: str, k: int, values: Mapping[str, float]) -> None:
        """Log a point of an arm's curve: "accuracy", "low" and "high" (its interval), "judgments_per_item"."""

    def log_facts(self, facts: Mapping[str, str | float]) -> None:
        """Log what became known at the end: signatures and headlines, by name."""

    def finish(self, files: Sequence[Path], failed: bool) -> None:
        """Keep these files with the run where that can be, and end it; what is on its way is waited for."""


@dataclass(frozen=True)
class Tracker:
    """Hold the options of an experiment tracker. It runs in a process of its own, where it can neither stop nor slow
    the run: whatever it raises is one line of warning there.

    A tracker must give `name` and `open`.
    """

    name: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()  # modules that must be installed,
    extra_name: ClassVar[str] = ""  # and the extra of this package that installs them

    project: str = "judgescale"
    every: float = 15.0  # seconds between two reports of the progress
    patience: float = 60.0  # seconds that it is given at the end to send what it has

    def open(self, about: RunInfo) -> TrackedRun:
        """Begin a run there. May raise anything, and take its time."""
        raise NotImplementedError
