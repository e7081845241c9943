"""Choosing an arm's items: subsets, a stratified sample, and what to know about those there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from omegaconf import DictConfig

from judgescale.harness.errors import list_some
from judgescale.harness.evaluation.credits import group_by_unit
from judgescale.harness.options import read_count
from judgescale.harness.seeding import make_rng
from judgescale.harness.types import Item, JudgescaleError, Rules, Task


class Selection(NamedTuple):
    """Hold the items of an arm, how they were selected, and what to know about those there are."""

    items: tuple[Item, ...]
    subsets: tuple[str, ...]
    limit: int | None
    about: tuple[str, ...]


def select_items(cfg: DictConfig, task: Task, rules: Rules, items: Sequence[Item]) -> Selection:
    """Select the items of task.subsets, or a sample of them, as the config says."""
    subsets = read_subsets(cfg)
    kept = sample = take_subsets(task, items, subsets)
    limit = None if cfg.run.limit is None else read_count(cfg, "run.limit", 1)
    if limit is not None and limit < len(kept):
        sample = draw_sample(task, kept, limit, cfg.seed)
    about = (*note_counts(task, kept, subsets), *note_missing_sections(task, rules, sample, kept))
    return Selection(sample, subsets, None if sample is kept else limit, about)


def choose_edition(task: Task, items: Sequence[Item]) -> Task:
    """Return the task with the official sizes and published figures of the edition that these items make whole."""
    counts = Counter(map(task.section, items))
    for name, edition in task.editions.items():
        if counts == edition.sizes:
            revision = f"{task.revision}({name})"
            return replace(task, edition=name, sizes=edition.sizes, published=edition.published, revision=revision)
    return task


def read_subsets(cfg: DictConfig) -> tuple[str, ...]:
    """Read task.subsets, sorted; empty where all are wanted."""
    asked = cfg.task.get("subsets")
    if asked is None:
        return ()
    names = [asked] if isinstance(asked, str) else asked
    if not isinstance(names, Sequence) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise JudgescaleError(f"task.subsets={asked}: must be a list of subsets or sections, or null for all")
    return tuple(sorted(set(names)))


def take_subsets(task: Task, items: Sequence[Item], subsets: Sequence[str]) -> tuple[Item, ...]:
    """Take the items whose section, subset, or folder of subsets is named. Raises JudgescaleError for an unknown."""
    if not subsets:
        return tuple(items)
    known: dict[str, set[str]] = {}  # subset and section -> the names it goes by
    found = []
    for item in items:
        section = task.section(item)
        if (key := f"{section}\n{item.subset}") not in known:
            parts = item.subset.split("/")
            known[key] = {section, *("/".join(parts[: i + 1]) for i in range(len(parts)))}
        if not known[key].isdisjoint(subsets):
            found.append(item)
    every = set().union(*known.values()) - {""}
    if unknown := [name for name in subsets if name not in every]:
        raise JudgescaleError(
            f"task.subsets: task={task.name} has no {unknown[0]!r} here; it has {list_some(sorted(every), 20)}"
            if every
            else f"task.subsets: the items of task={task.name} are not divided into any"
        )
    return tuple(found)


def note_missing_sections(task: Task, rules: Rules, sample: Sequence[Item], items: Sequence[Item]) -> list[str]:
    """Note the sections that the headline counts and a sample lacks. Raises JudgescaleError where it lacks them all."""
    every = dict.fromkeys(task.section(item) for item in items) if rules.rollup == "sections" else ()
    wanted, sections = task.rollups.get(rules.rollup, every), {task.section(item) for item in sample}
    missing = [name for name in wanted if name not in sections]
    if not missing:
        return []
    if len(missing) == len(wanted):
        raise JudgescaleError(
            f"protocol.rollup={rules.rollup} counts {', '.join(missing)}, and no item is of these:"
            " use protocol.rollup=sections or items"
        )
    return [f"The headline counts no {', no '.join(missing)}, of which there are no items here."]


def note_counts(task: Task, items: Sequence[Item], chosen: Sequence[str] = ()) -> list[str]:
    """Note subsets that the benchmark does not have, and counts other than the official ones, a line each.

    chosen: the subsets that the items were chosen by; of others they need have none.
    """
    official = task.counts or task.sizes
    if not official:
        return []
    found = Counter(item.subset if task.counts else task.section(item) for item in items)
    notes = []
    if task.edition:
        notes.append(f"The items are the edition {task.edition}: figures of another one are not set beside it.")
    if unknown := [name for name in found if name not in official]:
        notes.append(f"Not in the official {task.name}: {list_some([repr(name) for name in unknown])}.")
    differ = [
        f"{name or 'items'} {found[name]:,}" + (f" of {size:,}" if size else "")
        for name, size in official.items()
        if (found[name] != size if size else not found[name]) and (found[name] or not chosen)
    ]
    if differ:
        notes.append(f"Counts that differ from the official ones: {list_some(differ)}.")
    return notes


def draw_sample(task: Task, items: Sequence[Item], limit: int, seed: int) -> tuple[Item, ...]:
    """Draw about so many items by seed, every subset in proportion; what is scored together stays together."""
    units = group_by_unit(task, items)
    subsets: dict[str, list[str]] = {}
    for unit, members in units.items():
        subsets.setdefault(items[members[0]].subset, []).append(unit)
    ranked: list[tuple[float, str]] = []  # where in its subset's shuffle a unit stands, as a share of the subset
    for subset, names in subsets.items():
        order = make_rng(seed, "limit", subset).permutation(len(names))
        offset = make_rng(seed, "limit offset", subset).random()
        ranked += [((place + offset) / len(names), names[i]) for place, i in enumerate(order)]
    kept: set[str] = set()
    count = 0
    for _, unit in sorted(ranked):
        if count < limit:
            kept.add(unit)
            count += len(units[unit])
    return tuple(item for item in items if task.unit(item) in kept)
