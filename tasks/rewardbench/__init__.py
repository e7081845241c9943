"""RewardBench: is the chosen answer preferred to the rejected one? 23 subsets (arXiv 2403.13787; allenai/reward-bench).

A section is the mean of its subsets weighted by their official counts, math-prm counting as 984 items. The headline is
the plain mean of the four sections. The older leaderboard adds, at half a section's weight, "Prior Sets": the plain
mean of four older preference sets.

Texts: the owners' file of the split `filtered` (Parquet or JSON Lines), or its folder; rows {"id", "subset", "prompt",
"chosen", "rejected"}. Prior sets: the folder of their files, named after them as in shp-00000-of-00001.parquet, and not
asked for their column `subset`, which names a part of the set; rows {"id", "prompt": [{"role", "content"}, …],
"chosen", "rejected"}. Items of one prompt share their cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from judgescale.harness.evaluation.credit import best
from judgescale.harness.recorded import RecordedSet
from judgescale.harness.types import Item, JudgescaleError, Loaded, Task
from judgescale.tasks.loading import pairs_with_gold, place
from judgescale.tasks.texts import Data, Placed, Row, question_key, reader, unranked

CHAT = {"alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95, "mt-bench-easy": 28, "mt-bench-med": 40}
CHAT_HARD = {
    "mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92,
    "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46,
}  # fmt: skip
SAFETY = {
    "refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 154, "xstest-should-respond": 250,
    "donotanswer": 136,
}  # fmt: skip
REASONING = {"math-prm": 447} | {f"hep-{language}": 164 for language in ("cpp", "go", "java", "js", "python", "rust")}
PRIOR = {"anthropic_helpful": 6192, "anthropic_hhh": 221, "shp": 1741, "summarize": 9000}
FOUR = {"Chat": CHAT, "Chat Hard": CHAT_HARD, "Safety": SAFETY, "Reasoning": REASONING}
SECTIONS = FOUR | {"Prior Sets": PRIOR}
SECTION = {subset: name for name, subsets in SECTIONS.items() for subset in subsets}
EVEN = dict.fromkeys(PRIOR, sum(PRIOR.values()) / len(PRIOR))
WEIGHTS = {**CHAT, **CHAT_HARD, **SAFETY, **REASONING, "math-prm": 984, **EVEN}
ROLLUPS = {"four_sections": dict.fromkeys(FOUR, 1.0)}
ROLLUPS["with_prior_sets"] = ROLLUPS["four_sections"] | {"Prior Sets": 0.5}


def section(item: Item) -> str:
    """An unknown subset is a section of its own, which no headline counts."""
    return SECTION.get(item.subset, item.subset)


def load(data: RecordedSet) -> list[Item]:
    return sorted(pairs_with_gold(data), key=_place)


def _place(item: Item) -> int:
    return place(section(item), SECTIONS)


def read(data: Data) -> Iterator[Placed]:
    placed = [_item(row, row.text("subset")) for row in data.rows("**/filtered*")]
    yield from sorted(placed, key=lambda p: _place(p.item))


def read_prior(data: Data) -> Iterator[Placed]:
    """The four sets; one file of all of them has to name each row's in `subset`."""
    if data.hub is not None:
        for split in data.hub.split:
            part = replace(data, hub=replace(data.hub, split=[split]))
            yield from (_item(row, split) for row in part.rows())
    elif data.path is not None and data.path.is_dir():
        yield from (_item(row, subset) for subset in PRIOR for row in data.rows(f"**/{subset}[-.]*"))
    else:
        for row in data.rows():
            if (subset := row.text("subset")) not in PRIOR:
                row.wrong("subset", f"{subset!r} is none of {', '.join(PRIOR)}; give the folder of the sets' files")
            yield _item(row, subset)


def _item(row: Row, subset: str) -> Placed:
    name = f"{subset}/{row.name('id')}"
    said = [(field, row.text(field, empty=True), gold) for field, gold in (("chosen", 1.0), ("rejected", 0.0))]
    responses, texts, gold = zip(*unranked(name, said))
    conversation = row.turns("prompt", empty=True)  # dialogues of the prior sets hold empty turns
    item = Item(
        id=name,
        prompt=name,
        cluster=question_key(conversation),
        responses=responses,
        gold=gold,
        subset=subset,
        conversation=conversation,
        texts=texts,
    )
    return Placed(item, row)


def _both(main: Callable[[], Loaded], prior: Callable[[], Loaded]) -> Loaded:
    """The items of both, and their origins as that of a benchmark that is spread over several data sets."""
    one = main()
    try:
        other = prior()
    except JudgescaleError as error:  # the shared readers name the options of the main set
        told = str(error).replace("task.path=", "task.prior_path=").replace("task.hub", "task.prior_hub")
        raise JudgescaleError(told) from error
    origin = {
        key: {**one.origin.get(key, {}), **other.origin.get(key, {})}
        if key == "files"
        else "+".join(o[key] for o in (one.origin, other.origin) if key in o)
        for key in {**one.origin, **other.origin}
    }
    return Loaded([*one.items, *other.items], origin, (*one.notes, *other.notes))


def task(
    path: str | None = None,
    hub: Mapping[str, Any] | None = None,
    prior: bool = False,
    prior_path: str | None = None,
    prior_hub: Mapping[str, Any] | None = None,
) -> Task:
    if prior not in (True, False):
        raise JudgescaleError(f"task.prior={prior}: must be true or false")
    if prior_path is not None and not prior:
        raise JudgescaleError(f"task.prior_path={prior_path}: is only read with task.prior=true")
    made = reader(read, path, hub)
    if made and prior:
        if (more := reader(read_prior, prior_path, prior_hub)) is None:
            raise JudgescaleError("task.prior=true: name the prior sets with task.prior_path=FOLDER or task.prior_hub")
        made = partial(_both, made, more)
    official = SECTIONS if prior else FOUR
    return Task(
        name="rewardbench",
        revision="1",
        protocols=(
            "rewardbench",
            "rewardbench_prior",
            "rewardbench_scalar",
        ),
        load=load,
        credit=best,
        section=section,
        weights=WEIGHTS,
        rollups=ROLLUPS,
        read=made,
        published="RewardBench",
        sizes={name: sum(subsets.values()) for name, subsets in official.items()},
        counts={subset: count for subsets in official.values() for subset, count in subsets.items()},
    )
