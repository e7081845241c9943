"""The configs of a sweep's jobs: Hydra composes them all to check the sweep, then each again to run it; here once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig


class KeptConfigs:
    """Compose each job's config as the loader does, and hand out again, once, what was composed to check the sweep."""

    def __init__(self, loader: ConfigLoader) -> None:
        self.loader = loader
        self.kept: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """Return the config of a job."""
        given = tuple(sweep_overrides)
        if (kept := self.kept.pop(given, None)) is not None:
            return kept
        composed = type(self.loader).load_sweep_config(self.loader, master_config, list(given))
        self.kept[given] = composed
        return composed

    def __getstate__(self) -> dict[str, Any]:
        """Leave the configs behind: jobs in other processes get a copy of this."""
        return {"loader": self.loader, "kept": {}}


def keep_checked_configs() -> None:
    """Let the sweep that begins compose the config of each of its jobs once."""
    loader: Any = GlobalHydra.instance().config_loader()
    loader.load_sweep_config = KeptConfigs(loader)
