"""Read the items of a finished run again, with their texts, as its config says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from judgescale.harness import ROOT
from judgescale.harness.options import build
from judgescale.harness.plain_text import flatten_text
from judgescale.harness.plan.common import FOR_HARNESS
from judgescale.harness.types import Item, Task


def list_shipped(group: str) -> set[str]:
    """List what our configs of a group name, "task" or "judge": a run's folder may come from anywhere.

    Its config shall start nothing else.
    """
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "conf" / group).glob("*.yaml")]
    return {found[1] for text in texts if (found := re.search(r"^_target_: *(\S+)", text, re.MULTILINE))} - {"???"}


def read_items(folder: Path, task: str, options: Sequence[str], live: bool) -> tuple[Mapping[str, Item], str]:
    """Read the items of a run's task again, by id, with their texts; or say why there are none.

    options: in place of the config's, as in task.path=FILE, where its texts have moved. live: whether its judge read
    texts, so that these lie where the config says.

    Raises JudgescaleError for an option that the task does not have.
    """
    try:
        cfg = OmegaConf.load(folder / "config.yaml")
        if options:
            cfg = OmegaConf.merge(cfg, OmegaConf.from_dotlist(list(options)))
        assert isinstance(cfg, DictConfig)
        options_of_task = OmegaConf.to_container(cfg.task)
        assert isinstance(options_of_task, dict)
        target = options_of_task.pop("_target_", None)
        if target not in list_shipped("task") or "_target_" in str(options_of_task):
            return {}, f"they are read again for tasks that ship with judgescale, not by {flatten_text(str(target))}"
        made: Task = build(cfg.task, "task", drop=FOR_HARNESS)
    except (OSError, OmegaConfBaseException, AttributeError, AssertionError, ValueError) as error:
        return {}, f"config.yaml tells of no task: {flatten_text(str(error))[:200]}"
    if made.name != task:
        return {}, f"config.yaml is of task={flatten_text(made.name)}"
    if made.read is None or not (live or options):
        return {}, "recorded by name only; task.path=FILE_OR_FOLDER after judgescale view or show gives its texts"
    return {item.id: item for item in made.read().items}, ""
