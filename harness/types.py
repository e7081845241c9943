"""The words of the harness as data: small frozen dataclasses, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

HUMAN = "human"  # the judge name under which a set keeps its annotators' labels
TIES = ("zero", "half", "share")  # what a tied decision may earn: nothing, one half, its share 1/m
STATUSES = ("ok", "unparsed", "truncated", "refused", "failed")


class JudgescaleError(Exception):
    """Something the person at the keyboard can mend; its message is the one line they see."""


@dataclass(frozen=True)
class Item:
    """One benchmark example.

    `prompt` and the names in `responses` together say what a judge would be shown; `cluster` names the items that
    stand or fall together (pairs drawn from one question). `gold` has one number a response; the task says how it is
    read (1 for every right answer; for an error detector (1,) means "has an error").
    """

    id: str
    prompt: str
    cluster: str
    responses: tuple[str, ...]
    gold: tuple[float, ...]
    subset: str = ""


@dataclass(frozen=True)
class Judgment:
    """One sampled output of a judge: `scores[i]` is about `responses[shown[i]]`, the order the judge saw."""

    judge: str
    shown: tuple[int, ...]
    scores: tuple[float, ...] | None  # None exactly when status is not "ok"
    status: str = "ok"
    sample: int = 0
    variant: str = ""  # what else differs between judgments: a prompt template, an arrangement
    meta: float | None = None  # a meta RM's score of this judgment, where one was recorded
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    chars: int | None = None  # length of the judge's text


@dataclass(frozen=True)
class Record:
    """One row of a recorded set: a judgment together with what it was about."""

    prompt: str
    cluster: str
    subset: str
    responses: tuple[str, ...]
    gold: tuple[float, ...] | None
    judgment: Judgment


class Answers(NamedTuple):
    """What a judge said to a strategy, for each of D independent replays of one item and Q questions.

    scores: (D, Q, k, m), aligned with the question's response indices (already un-shuffled); NaN where a judgment is
    unusable. meta: (D, Q, k), the meta RM's score of each judgment, NaN where there is none.
    """

    scores: np.ndarray
    meta: np.ndarray


class Ask(Protocol):
    """The judge as a strategy sees it. A live run asks for one replay; the scaling curve replays a pool D times.

    `questions` holds response indices: (Q, m), or (D, Q, m) where the replays ask different things.
    """

    draws: int

    async def __call__(self, questions: np.ndarray, k: int) -> Answers: ...


class Strategy(Protocol):
    """Which judgments to buy and how to turn them into one decision: a frozen dataclass whose fields are its knobs.

    Calling it returns the decision, one score a response: (D, n); NaN rows where no judgment was usable. A strategy
    that leaves nothing to chance once the judgments are drawn may have a method `exact` (see voting.py), which gives
    its whole curve for items of one or two responses without replaying anything. A method `caveats(rules)` may return
    notes that its numbers need.
    """

    @property
    def name(self) -> str: ...

    @property
    def k(self) -> int | None:
        """Judgments per question; None = all that were recorded."""

    def questions(self, n: int) -> list[tuple[int, ...]]:
        """Every question it may ask about an item of n responses."""

    def judgments(self, n: int) -> int:
        """Judgments one decision costs at its k."""

    async def __call__(self, ask: Ask, n: int, rng: np.random.Generator) -> np.ndarray: ...


@dataclass(frozen=True)
class Rules:
    """A protocol: everything besides judge and strategy that moves a number. One file of conf/protocol each."""

    name: str
    tie: str  # credit of a decision tied between m responses: zero, half, or share (1/m)
    failure: float  # credit of a decision for which no judgment was usable
    unusable: str  # in a vote, an unusable judgment may abstain, or count as a verdict of its own (plurality)
    order: str  # what the owner prescribes: as_is, random, balanced, both, or any

    def __post_init__(self) -> None:
        for field_name, allowed in (
            ("tie", TIES),
            ("unusable", ("abstain", "plurality")),
            ("order", ("any", "as_is", "random", "balanced", "both")),
        ):
            if (value := getattr(self, field_name)) not in allowed:
                raise JudgescaleError(f"protocol.{field_name}={value}: choose one of {', '.join(allowed)}")
        if not isinstance(self.failure, int | float) or not 0 <= self.failure <= 1:
            raise JudgescaleError(f"protocol.failure={self.failure}: a credit lies between 0 and 1")


Metric = Callable[[np.ndarray, np.ndarray], float]  # gold (N, n) and decisions (N, n) to a number


@dataclass(frozen=True)
class Task:
    """A benchmark: how its items are loaded, credited and rolled up.

    credit: one unit's items and their decisions ((D, n) each) to (D,) credits. A unit is one item, unless `unit` says
    that several are only scored together. metrics: numbers that are no mean of credits (macro F1, ROC-AUC); those named
    in `of_mean` look at the mean of the usable judgments, whatever the protocol's vote makes of unusable ones. extras:
    per-item figures taken from the pool itself (position agreement). headline: "items" (mean over all) or "sections"
    (plain mean of section means).
    """

    name: str
    revision: str
    load: Callable[[Any], list[Item]]  # a RecordedSet to its items
    credit: Callable[[Sequence[Item], Sequence[np.ndarray], Rules], np.ndarray]
    headline: str = "items"
    section: Callable[[Item], str] = lambda item: item.subset
    unit: Callable[[Item], str] = lambda item: item.id
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    of_mean: frozenset[str] = frozenset()
    extras: Callable[[Item, Any], Mapping[str, float]] | None = None  # an item and its Pool to named credits
    published: str | None = None  # the benchmark's name in results/published
    published_with: tuple[str, int] = ("single", 1)  # the strategy and k that the published figures are of
    sizes: Mapping[str, int] = field(default_factory=dict)  # official items a section: others are not compared


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty; fractions 0-1. `mc_error` is the standard error left by sampling subsets."""

    metric: str
    value: float
    ci: tuple[float, float] | None
    items: int
    mc_error: float = 0.0


@dataclass(frozen=True)
class CurvePoint:
    """One row of curve.csv."""

    section: str  # "overall" or a section's name
    k: int
    estimate: Estimate
    judgments_per_item: float
    tokens_per_item: float | None
    flops_per_item: float | None


@dataclass(frozen=True)
class Published:
    """A number somebody printed, beside ours; value and delta as fractions 0-1."""

    name: str  # whose number
    section: str
    value: float
    source: str
    status: str  # confirmed, recalled, …
    delta: float | None  # ours minus theirs; None where it is only context (another judge's number)


@dataclass(frozen=True)
class Result:
    """Everything one arm of a run (judge x strategy x task) found; the report reads only this."""

    judge: str
    engine: str
    strategy: str
    task: str
    seed: int
    k: int
    items: int
    signature: str
    headline: Estimate
    sections: Mapping[str, Estimate]
    subsets: Mapping[str, Estimate]
    curve: Sequence[CurvePoint]
    compute: Mapping[str, float | None]
    health: Mapping[str, Any]
    published: Sequence[Published] = ()
    notes: Sequence[str] = ()  # one line each: what the reader must know to trust the number
    details: Mapping[str, Any] = field(default_factory=dict)  # e.g. the meta RM's AUC and its bounds
    judgments: Sequence[Mapping[str, Any]] = ()  # rows of judgments.parquet
