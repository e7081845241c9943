"""MLflow: the config as params, progress by seconds and curves by k as metrics, the run's files as artifacts."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from judgescale.harness.contracts import RunInfo, TrackedRun, Tracker
from judgescale.harness.options import list_values

LONGEST = 500  # characters of a param or tag
AT_ONCE = 100  # params in one request, which is what servers take
LOCAL = Path("results")


@dataclass(frozen=True)
class MLflow(Tracker):
    """Log to an MLflow server, or to a local database; what a server needs is in MLflow's own variables."""

    name: ClassVar[str] = "mlflow"
    needs: ClassVar[tuple[str, ...]] = ("mlflow",)
    extra_name: ClassVar[str] = "mlflow"

    uri: str | None = None

    def open(self, about: RunInfo) -> TrackedRun:
        """Begin a run of the experiment that is called like the project."""
        from mlflow import MlflowClient
        from mlflow.entities import Param

        uri, files = self.uri or os.environ.get("MLFLOW_TRACKING_URI"), None
        if uri is None:
            LOCAL.mkdir(exist_ok=True)
            uri, files = f"sqlite:///{LOCAL}/mlflow.db", (LOCAL / "mlflow").resolve().as_uri()
        client = MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(self.project)
        experiment = known.experiment_id if known else client.create_experiment(self.project, artifact_location=files)
        tags = {f"judgescale.{name}": cut(text) for name, text in about.facts.items()}
        tags |= {"judgescale.sweep": about.group} if about.group else {}
        run = client.create_run(experiment, run_name=about.name, tags=tags).info.run_id
        params = [Param(name_metric(name), cut(str(value))) for name, value in list_values(about.config)]
        for start in range(0, len(params), AT_ONCE):
            client.log_batch(run, params=params[start : start + AT_ONCE])
        return MLflowRun(client, run)


class MLflowRun:
    """Log one run."""

    def __init__(self, client: Any, run: str) -> None:
        self._client, self._run = client, run

    def _log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name_metric(name), float(value), now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def log_progress(self, seconds: int, values: Mapping[str, float]) -> None:
        """Log progress, a step a second."""
        self._log({f"progress/{name}": value for name, value in values.items()}, seconds)

    def log_point(self, arm: str, k: int, values: Mapping[str, float]) -> None:
        """Log a point of a curve; the step is k."""
        self._log({f"curve/{arm}/{name}": value for name, value in values.items()}, k)

    def log_facts(self, facts: Mapping[str, str | float]) -> None:
        """Log numbers as metrics and texts as tags."""
        self._log({name: value for name, value in facts.items() if not isinstance(value, str)}, 0)
        for name, value in facts.items():
            if isinstance(value, str):
                self._client.set_tag(self._run, name_metric(name), cut(value, 5000))

    def finish(self, files: Sequence[Path], failed: bool) -> None:
        """Keep the files, and end the run."""
        for file in files:
            self._client.log_artifact(self._run, str(file))
        self._client.set_terminated(self._run, "FAILED" if failed else "FINISHED")


def name_metric(name: str) -> str:
    """Write a name with the characters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)


def cut(text: str, longest: int = LONGEST) -> str:
    """Cut a text that MLflow would refuse."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
