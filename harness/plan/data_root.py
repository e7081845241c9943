"""One folder for local copies of all benchmarks: `data.root=FOLDER` serves every task, suite and sweep.

A benchmark's copy is the folder or file there that is named as its folder in tasks/: FOLDER/llmbar,
FOLDER/rewardbench2.parquet.
Tasks that share their owners' data may share a copy, named after the words that they begin with: `ppe_preference` and
`ppe_correctness` both find FOLDER/ppe, and `rmb_bon` finds FOLDER/rmb, where there is none of their own.

`data.paths.TASK=FILE_OR_FOLDER` names the copy of one task, and counts before the root; a `task.path` before both.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.errors import list_some
from judgescale.harness.options import find_file
from judgescale.harness.types import JudgescaleError


def fill_path(cfg: DictConfig, task: str | None = None) -> DictConfig:
    """Return a live run's config with task.path set, where it is not given and `data` has the benchmark's copy.

    task: its name among the choices of tasks, by which `data.paths` calls it; None where nothing is in `data.paths`.

    Raises JudgescaleError where `data.paths` has a name that no task has, or a path that leads nowhere, where
    `data.root` is no folder, or several files in it could be the copy.
    """
    paths = read_paths(cfg)
    if "_target_" not in cfg.judge:
        return cfg
    root = None if OmegaConf.select(cfg, "data.root") is None else Path(str(cfg.data.root)).expanduser()
    if root and not root.is_dir():
        raise JudgescaleError(f"data.root={cfg.data.root}: there is no such folder")
    if "path" not in cfg.task or cfg.task.path is not None:
        return cfg
    if task in paths:
        cfg.task.path = paths[task]
    elif root and (found := find_copy(root, cfg.task._target_.split(".")[-2])):
        cfg.task.path = str(found)
    return cfg


def read_paths(cfg: DictConfig) -> dict[str, str]:
    """Read `data.paths`: files and folders by the names of their tasks. Raises JudgescaleError as `fill_path` does."""
    given = OmegaConf.select(cfg, "data.paths")
    paths: Any = OmegaConf.to_container(given, resolve=True) if isinstance(given, DictConfig) else given
    if not paths:
        return {}
    if not isinstance(paths, dict):
        raise JudgescaleError(f"data.paths={paths}: name a task, as in data.paths.llmbar=FILE_OR_FOLDER")
    known = GlobalHydra.instance().config_loader().get_group_options("task")
    for task, path in paths.items():
        if task not in known:
            close = difflib.get_close_matches(str(task), known, 1)
            hint = f"did you mean data.paths.{close[0]}?" if close else f"there are {', '.join(known)}"
            raise JudgescaleError(f"data.paths.{task}: no such task; {hint}")
        if path is not None and not find_file(os.path.expanduser(str(path))).exists():
            raise JudgescaleError(f"data.paths.{task}={path}: there is no such file or folder")
    return {str(task): str(path) for task, path in paths.items() if path is not None}


def find_copy(root: Path, task: str) -> Path | None:
    """Find the folder or file of a benchmark; None where there is none.

    Raises JudgescaleError where several files could be it.
    """
    for name in shorten_name(task):
        if (root / name).exists():
            return root / name
        if several := sorted(path for path in root.glob(f"{name}.*") if path.is_file()):
            if len(several) > 1:
                names = list_some([path.name for path in several])
                raise JudgescaleError(
                    f"data.root={root}: task={task} has several files there: {names}; put them in {name}/"
                )
            return several[0]
    return None


def shorten_name(task: str) -> Iterator[str]:
    """Yield a task's name, then what is left as its last words are dropped one by one."""
    words = task.split("_")
    for length in range(len(words), 0, -1):
        yield "_".join(words[:length])
