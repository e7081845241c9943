"""One folder for local copies of all benchmarks: `data.root=FOLDER` serves every task, suite and sweep.

A benchmark's copy is the folder or file there that is named as its folder in tasks/: FOLDER/llmbar,
FOLDER/rewardbench2.parquet.
Tasks that share their owners' data may share a copy, named after the words that they begin with: `ppe_preference` and
`ppe_correctness` both find FOLDER/ppe, and `rmb_bon` finds FOLDER/rmb, where there is none of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from judgescale.harness.errors import list_some
from judgescale.harness.types import JudgescaleError


def fill_path(cfg: DictConfig) -> DictConfig:
    """Return a live run's config with task.path set, where it is not given and `data.root` has the benchmark's copy.

    Raises JudgescaleError where `data.root` is no folder, or several files in it could be the copy.
    """
    if OmegaConf.select(cfg, "data.root") is None or "_target_" not in cfg.judge:
        return cfg
    root = Path(str(cfg.data.root)).expanduser()
    if not root.is_dir():
        raise JudgescaleError(f"data.root={cfg.data.root}: there is no such folder")
    if "path" in cfg.task and cfg.task.path is None and (found := find_copy(root, cfg.task._target_.split(".")[-2])):
        cfg.task.path = str(found)
    return cfg


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
