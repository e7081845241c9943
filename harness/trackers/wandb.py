"""Weights & Biases: progress by seconds, curves by k, headlines in the summary, the run's files as an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from judgescale.harness.contracts import RunInfo, TrackedRun, Tracker


@dataclass(frozen=True)
class WandB(Tracker):
    """Log to W&B; the key is $WANDB_API_KEY, or that of `wandb login`."""

    name: ClassVar[str] = "wandb"
    needs: ClassVar[tuple[str, ...]] = ("wandb",)
    extra_name: ClassVar[str] = "wandb"

    entity: str | None = None
    mode: str | None = None
    folder: str = "results"

    def open(self, about: RunInfo) -> TrackedRun:
        """Begin a run of the project. Neither the machine, its output, nor any code is sent."""
        import wandb

        Path(self.folder).mkdir(parents=True, exist_ok=True)
        silent = wandb.Settings(
            console="off",
            silent=True,
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            host="",
            username="",
        )
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            name=about.name,
            group=about.group,
            config={**about.config, "run_of": dict(about.facts)},
            dir=self.folder,
            mode=self.mode,
            settings=silent,
        )
        run.define_metric("progress/*", step_metric="progress/seconds")
        run.define_metric("curve/*", step_metric="k")
        return WandBRun(run, wandb)


class WandBRun:
    """Log one run."""

    def __init__(self, run: Any, wandb: Any) -> None:
        self._run, self._wandb = run, wandb

    def log_progress(self, seconds: int, values: Mapping[str, float]) -> None:
        """Log progress over the seconds since buying began."""
        self._run.log({"progress/seconds": seconds} | {f"progress/{name}": value for name, value in values.items()})

    def log_point(self, arm: str, k: int, values: Mapping[str, float]) -> None:
        """Log a point of a curve over k."""
        self._run.log({"k": k} | {f"curve/{arm}/{name}": value for name, value in values.items()})

    def log_facts(self, facts: Mapping[str, str | float]) -> None:
        """Put the facts into the run's summary."""
        self._run.summary.update(dict(facts))

    def finish(self, files: Sequence[Path], failed: bool) -> None:
        """Send the files as one artifact, and the figure as a picture too."""
        if files:
            artifact = self._wandb.Artifact(f"results-{self._run.id}", type="results")
            for file in files:
                artifact.add_file(str(file))
                if file.suffix == ".png":
                    self._run.log({file.stem: self._wandb.Image(str(file))})
            self._run.log_artifact(artifact)
        self._run.finish(exit_code=int(failed))
