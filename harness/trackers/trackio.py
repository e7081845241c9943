"""Trackio: local by default, or a Hugging Face Space; progress by seconds and curves by k are its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from judgescale.harness.contracts import RunInfo, TrackedRun, Tracker


@dataclass(frozen=True)
class Trackio(Tracker):
    """Log to Trackio's database on this machine ($TRACKIO_DIR), or to a Space of one's own."""

    name: ClassVar[str] = "trackio"
    needs: ClassVar[tuple[str, ...]] = ("trackio",)
    extra_name: ClassVar[str] = "trackio"

    space: str | None = None
    private: bool = True

    def open(self, about: RunInfo) -> TrackedRun:
        """Begin a run of the project. Nothing about the machine is logged."""
        import trackio

        run = trackio.init(
            project=self.project,
            name=about.name,
            group=about.group,
            space_id=self.space,
            private=self.private,
            config={**about.config, "run_of": dict(about.facts)},
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        return TrackioRun(run, trackio)


class TrackioRun:
    """Log one run."""

    def __init__(self, run: Any, trackio: Any) -> None:
        self._run, self._trackio = run, trackio

    def log_progress(self, seconds: int, values: Mapping[str, float]) -> None:
        """Log progress, a step a second."""
        self._run.log({f"progress/{name}": value for name, value in values.items()}, step=seconds)

    def log_point(self, arm: str, k: int, values: Mapping[str, float]) -> None:
        """Log a point of a curve; the step is k."""
        self._run.log({f"curve/{arm}/{name}": value for name, value in values.items()}, step=k)

    def log_facts(self, facts: Mapping[str, str | float]) -> None:
        """Log the facts with the last step."""
        self._run.log(dict(facts))

    def finish(self, files: Sequence[Path], failed: bool) -> None:
        """Keep the files as one artifact and the figure as a picture, and wait until all is sent."""
        if files:
            artifact = self._trackio.Artifact("results", type="results")
            for file in files:
                artifact.add_file(str(file))
                if file.suffix == ".png":
                    self._run.log({file.stem: self._trackio.Image(str(file))})
            self._run.log_artifact(artifact)
        self._run.log({"failed": int(failed)})
        self._run.finish()
