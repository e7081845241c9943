"""The words of the harness as data: small frozen dataclasses, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

HUMAN = "human"  # the judge name under which a set keeps its annotators' labels
WITH_BUDGET = "{}, thinking ≤ {:,}"  # the name of a judge whose thoughts are held to a budget
TIES = ("zero", "half", "share")  # what a tied decision may earn: nothing, one half, its share 1/m
OWN_TIE = "task"  # what stands in their place where a tie is a class of the task's, so that no rule credits it
STATUSES = ("ok", "unparsed", "truncated", "refused", "failed")


class JudgescaleError(Exception):
    """Something the person at the keyboard can mend; its message is the one line they see."""


class MissingData(JudgescaleError):
    """Data that nobody gave, and that are nowhere else to be had; a suite leaves such a member out.

    Never a path that was given and is wrong, nor a broken file. option: what would give them. why: why the Hub does
    not, where they are there.
    """

    def __init__(self, message: str, option: str = "task.path", why: str = "") -> None:
        super().__init__(message)
        self.option, self.why = option, why


class MisfitError(JudgescaleError):
    """A strategy, a judge or set, and a task that cannot go together, each of them being right: one of all that a
    sweep combines."""


class Unfinished(JudgescaleError):
    """Nothing went wrong, but answers are awaited before there is a result; its message says which."""


@dataclass(frozen=True, kw_only=True)
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
    conversation: tuple[tuple[str, str], ...] = ()  # (role, content); empty where only names were recorded
    texts: tuple[str, ...] = ()  # what each response says, in the order of `responses`
    tags: tuple[tuple[str, str], ...] = ()  # further break-downs it belongs to: ("language", "English"), …
    # what each of several annotators said, one number a response, where `gold` is their majority; no part of the item's
    # digest, for gold says what counts
    labels: tuple[tuple[float, ...], ...] = field(default=(), repr=False)


class Call(NamedTuple):
    """One answer of a model, as far as its cost is concerned; `key` and `rank` say which answer it is."""

    role: str  # of the model: "judge", "scorer" (a judge's second model), "meta" (the meta RM)
    key: bytes
    rank: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
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
    steps: tuple[tuple[float, ...], ...] | None = None  # each response's step scores, of a process reward model
    calls: tuple[Call, ...] = ()  # the answers of a model that a live judgment was read from


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row of a recorded set: a judgment together with what it was about."""

    prompt: str
    cluster: str
    subset: str
    responses: tuple[str, ...]
    gold: tuple[float, ...] | None
    judgment: Judgment


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked; how often it answers is not part of it.

    kind "text": a sampled answer; "score": the number of a scalar head on the conversation, nothing is sampled;
    "steps": the numbers of a token-classification head, one a step of the last message, nothing is sampled.
    """

    messages: tuple[tuple[str, str], ...]  # (role, content); roles system, user, assistant
    kind: str = "text"
    pattern: str | None = None  # a regular expression that the whole answer matches, where the engine can see to it
    labels: tuple[str, ...] = ()  # alternative answers whose log-probabilities are wanted
    order: tuple[int, ...] = ()  # in which order the responses are shown; told apart also where their texts are equal
    marks: tuple[tuple[int, int], ...] = ()  # kind "steps": where in the last message the tag after each step stands
    good_label: int = 1  # kind "steps": which label of the head says that a step is right, where it has several


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 2048  # of the whole answer, thinking included
    thinking_budget: int | None = None  # of those, the most it may think with: then its thought is ended by force


class Output(NamedTuple):
    """One answer of a model, as the engine delivered it; the text is untrusted.

    finish: "stop"; "length" (cut by max_tokens); "refused" (the provider withheld it); "failed" (the engine gave up,
    `error` says why). None stands for a count that the engine does not tell.
    """

    text: str | None = None
    reasoning: str | None = None  # thoughts that the engine delivers apart from the text
    finish: str = "stop"
    score: float | None = None
    logprobs: Mapping[str, float] | None = None  # label -> natural log of its probability as the answer
    prompt_tokens: int | None = None
    cached_tokens: int | None = None  # of prompt_tokens, those not computed for this answer
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    shared: bool = False  # sampled beside another answer of the same request, which paid for the prompt
    seconds: float | None = None
    error: str | None = None
    steps: tuple[float, ...] | None = None  # kind "steps": how probable each step is right


@dataclass(frozen=True, kw_only=True)
class Rules:
    """A protocol: everything besides judge and strategy that moves a number. One file of conf/protocol each."""

    name: str
    tie: str  # credit of a decision tied between m responses: zero, half, share (1/m), or the task's business (task)
    failure: float  # credit of a decision for which no judgment was usable
    unusable: str  # in a vote, an unusable judgment may abstain, or count as a verdict of its own (plurality)
    order: str  # what the owner prescribes: as_is, random, balanced, both, or any
    rollup: str = "items"  # the headline: mean over items, plain mean of sections, or one that the task names
    votes: str = "scores"  # what judgments of several responses are summed by: their scores, or verdicts (a win 1)
    partial: str = (
        "drop"  # a judgment that lacks the score of a response: unusable (drop), of use for the others (use),
    )
    # or that, and an item of which a response has no score at all is left out (leave_out)

    def __post_init__(self) -> None:
        for field_name, allowed in (
            ("tie", (*TIES, OWN_TIE)),
            ("unusable", ("abstain", "plurality")),
            ("votes", ("scores", "verdicts")),
            ("partial", ("drop", "use", "leave_out")),
            ("order", ("any", "as_is", "random", "balanced", "both")),
        ):
            if (value := getattr(self, field_name)) not in allowed:
                raise JudgescaleError(f"protocol.{field_name}={value}: choose one of {', '.join(allowed)}")
        if not isinstance(self.failure, int | float) or not 0 <= self.failure <= 1:
            raise JudgescaleError(f"protocol.failure={self.failure}: a credit lies between 0 and 1")


class Loaded(NamedTuple):
    """Items with their texts, and where they come from."""

    items: Sequence[Item]
    origin: Mapping[str, Any]  # files with their SHA-256, or a data set of the Hub with its revision
    notes: Sequence[str] = ()  # one line each: what the reader must know about them
    partial: frozenset[str] = frozenset()  # sections known not to be the official ones, where their sizes cannot tell


Metric = Callable[[np.ndarray, np.ndarray], float]  # gold (N, n) and decisions (N, n) to a number


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One of several official extents of a benchmark, with published figures of its own."""

    sizes: Mapping[str, int | None]  # items a section
    published: str | None = None  # its name in results/published


@dataclass(frozen=True, kw_only=True)
class Task:
    """A benchmark: how its items are loaded, credited and rolled up.

    credit: one unit's items and their decisions ((D, n) each) to (D,) credits. A unit is one item, unless `unit` says
    that several are only scored together. credit_by_lot: the same if ties were broken by lot, no score being NaN; only
    for units of several items or of more than two responses, and not needed where that is what `credit` says under
    tie=share. metrics: numbers that are no mean of credits (macro F1, ROC-AUC), exact where they are an
    `ExpectedMetric` of stats/classification.py, else averaged over random draws; those named in `of_mean` look at the
    mean of the usable judgments, whatever the protocol's vote makes of unusable ones. extras: per-item figures taken
    from its pools (position agreement). weights: what a subset counts within its section, however many of its items
    there are; without one, every item counts as one. rollups: headlines of this benchmark's own, by name, each the
    weights of its sections, the owner's accuracy first; the protocol chooses one, the others stand beside it where
    their sections are all there.
    """

    name: str
    revision: str
    load: Callable[[Any], list[Item]]  # a RecordedSet to its items
    credit: Callable[[Sequence[Item], Sequence[np.ndarray], Rules], np.ndarray]
    credit_by_lot: Callable[[Sequence[Item], Sequence[np.ndarray], Rules], np.ndarray] | None = None
    section: Callable[[Item], str] = lambda item: item.subset
    unit: Callable[[Item], str] = lambda item: item.id
    weights: Mapping[str, float] = field(default_factory=dict)
    rollups: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    of_mean: frozenset[str] = frozenset()
    tied: Callable[[Item], str | None] = lambda item: None  # what a tie is where no rule credits it: 'is "no error"'
    extras: Callable[[Item, Any], Mapping[str, float]] | None = None  # an item and its Pools to named credits
    read: Callable[[], Loaded] | None = None  # items with their texts, for live judges
    protocols: tuple[str, ...] = ()  # the owners' own rules, by their names in conf/protocol/
    release: Path | None = None  # digests of the owners' labels, which local copies are held against (plan/releases.py)
    published: str | None = None  # the benchmark's name in results/published
    sizes: Mapping[str, int | None] = field(default_factory=dict)  # official items a section, None where nobody tells
    any_set: bool = False  # takes every recorded set with gold labels, whatever benchmark it is of
    editions: Mapping[str, Edition] = field(default_factory=dict)  # besides the one of `sizes` and `published`, by name
    edition: str = ""  # which of those its items are; empty = that of `sizes`, or part of one
    parts_count: bool = True  # whether a section of official size is the published one though others differ
    counts: Mapping[str, int] = field(default_factory=dict)  # official items a subset, where sections are not enough


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty; fractions 0-1. `mc_error` is the standard error that the seed left in it."""

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
    can_split: bool = False  # an even vote, which may tie, and a tie earns other than a lot would
    thinking_budget: int | None = None  # of the arm it is from, where arms of several budgets are one curve
    dollars_per_item: float | None = None


@dataclass(frozen=True)
class Published:
    """A number somebody printed, beside ours; value and delta as fractions 0-1."""

    name: str  # whose number
    section: str
    value: float
    source: str
    status: str  # confirmed, recalled, …
    delta: float | None  # ours minus theirs; None where it is only context
    reason: str = ""  # why the same judge's number is only context: "same model, voting@32"; empty for other judges'
    how: str = ""  # how it was made, in words: "voting@32, Arena-Hard prompt"; empty for a single judgment
    strategy: str = ""  # and by columns, as far as its source says
    k: int | None = None
    k_meta: int | None = None
    temperature: float | None = None
    prompt: str = ""
    protocol: str = ""
    inside_judging_again: bool | None = None  # whether judging the same items again may give it; None: not known


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
    ceiling: Mapping[str, Any] = field(default_factory=dict)  # how well annotators agree with its labels
    published: Sequence[Published] = ()
    comparable: Mapping[str, Any] = field(
        default_factory=dict
    )  # what its numbers at every k are to printed ones (published/candidates.py)
    notes: Sequence[str] = ()  # one line each: what the reader must know to trust the number
    differences: Sequence[str] = ()  # those of the notes that hold it against another arm
    details: Mapping[str, Any] = field(default_factory=dict)  # e.g. the meta RM's AUC and its bounds
    judging: Mapping[str, Any] = field(
        default_factory=dict
    )  # what judging the same items again would give, and its parts
    data: Mapping[str, Any] = field(default_factory=dict)  # where the items come from: what is needed to get them again
    judgments: Sequence[Mapping[str, Any]] = ()  # rows of judgments.parquet; `calls` are keys and ranks in the store
    credits: Mapping[str, Sequence[Any]] = field(
        default_factory=dict
    )  # columns of credits.parquet; NaN in `decision` is empty
    games: pa.Table | None = None  # columns of games.parquet, of a strategy that plays games
    store: Path | None = None  # where the texts of live judgments are
    stops: bool = False  # its strategy may stop before its k, which is the most; how many it took is measured
    thinking_budget: int | None = None  # tokens that its judge might think with; it is in the judge's name
