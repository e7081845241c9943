"""Live runs of a judge whose every answer is known: a server that answers by the texts it is shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402

from judgescale.harness.exports.__main__ import main  # noqa: E402
from judgescale.harness.runner import run  # noqa: E402
from judgescale.harness.types import Item  # noqa: E402
from judgescale.tasks.sanity import task as sanity  # noqa: E402

Say = Callable[[Item, Sequence[int], int], str]  # an item, its responses in the order shown, and a seed, to an answer


def draw(*what: object) -> float:
    """A number from 0 to 1, always the same for the same things."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:7]) / 2**56


class LiveJudge:
    """A judge of sanity's items; it keeps every conversation that it was asked about."""

    def __init__(self, say: Say, size: int, responses: int = 2):
        read = sanity(size=size, responses=responses).read
        assert read is not None
        self.say, self.items = say, {item.id: item for item in read().items}
        self.asked: set[tuple[tuple[str, str], ...]] = set()
        self.options = [f"task.size={size}", f"task.responses={responses}"]

    def __call__(self, messages: list[dict[str, Any]], seed: int) -> str:
        self.asked.add(tuple((turn["role"], turn["content"]) for turn in messages))
        text = messages[-1]["content"]
        item = next(i for i in self.items.values() if i.conversation[-1][1] in text and i.texts[0] in text)
        shown = sorted(range(len(item.texts)), key=lambda place: text.index(item.texts[place]))
        return self.say(item, shown, seed)

    def run(self, composed: Callable[..., Any], folder: Path, *overrides: str) -> Path:
        """Run it, and return the run's folder."""
        with FaultyServer(answer=self) as server:
            asked = [
                "judge.model=local", "engine=openai", f"engine.base_url={server.url}", "judge.sampling.max_tokens=64",
                "task=sanity", *self.options, f"run.store={folder}.sqlite",
            ]  # fmt: skip
            run([composed(*overrides, *asked)], folder, show=False)
        return folder


def pick(accuracy: float) -> Say:
    """Pick the right one of two with this chance, as RRM does."""

    def say(item: Item, shown: Sequence[int], seed: int) -> str:
        right = draw(item.id, seed) < accuracy
        place = next(i for i, response in enumerate(shown) if (item.gold[response] >= 1) == right)
        return rf"Weighed. \boxed{{Assistant {place + 1}}}"

    return say


def export(name: str, folder: Path, out: Path, *arguments: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Export a run, and read the rows to train on and about.json."""
    main([name, str(folder), "--out", str(out), *arguments])
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    return rows, json.loads((out / "about.json").read_text(encoding="utf-8"))
