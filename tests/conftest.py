"""Composing real configs, as the command line would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str, module: str | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """run.py, or a module, in a process of its own."""
    env = {k: v for k, v in os.environ.items() if k not in ("JUDGESCALE_DEBUG", "HYDRA_FULL_ERROR")}
    entry = ["-m", module] if module else [str(ROOT / "run.py")]
    command = [sys.executable, *entry, *arguments]
    return subprocess.run(command, cwd=cwd, env=env | {"COLUMNS": "120"}, capture_output=True, text=True, timeout=120)


def say(main: Callable[[Sequence[str]], None], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints."""
    main(arguments)
    return capsys.readouterr().out


def refuse(main: Callable[[Sequence[str]], None], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command prints which refuses what it is given."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert capsys.readouterr().out == ""
    line = str(stopped.value)
    assert line.startswith("error: ") and "\n" not in line
    return line


@pytest.fixture(autouse=True, scope="session")
def _on_a_terminal() -> Iterator[None]:
    """Let no test depend on where it runs: in a CI job, under a colour setting, or on a dumb terminal."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm")
        yield


@pytest.fixture(scope="session")
def composed() -> Iterator[Callable[..., DictConfig]]:
    """composed("task=judgebench", …) -> config."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield lambda *overrides: compose("config", list(overrides))


@pytest.fixture(scope="session")
def evaluated(composed):
    """evaluated("task=judgebench", …) -> Results by judge; each command line is evaluated once a session."""
    from judgescale.harness.plan import plan_arms
    from judgescale.harness.runner import evaluate_all

    done = {}

    def run(*overrides: str):
        if overrides not in done:
            results = evaluate_all(plan_arms(composed(*overrides)))
            done[overrides] = {r.judge: r for r in results}
        return done[overrides]

    return run
