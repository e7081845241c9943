"""The package as it is installed: what it imports is declared, and it owns one top-level name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = [path for folder in ("harness", "tasks", "judgescale") for path in (ROOT / folder).rglob("*.py")]
# import name -> distribution, where they differ
NAMES = {
    "hydra": "hydra-core", "sklearn": "scikit-learn", "yaml": "pyyaml", "openvino": "openvino-genai",
    "openvino_genai": "openvino-genai", "lm_eval": "lm-eval", "huggingface_hub": "huggingface-hub",
    "fontTools": "fonttools", "mlflow": "mlflow-skinny", "inspect_ai": "inspect-ai",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ;]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_import_is_declared_and_ours_have_one_name(path: Path) -> None:
    known = declared(PROJECT["dependencies"]).union(*map(declared, PROJECT["optional-dependencies"].values()))
    names = imported(path)
    assert not names & {"harness", "tasks", "conf"}, "import judgescale.harness and judgescale.tasks"
    assert {NAMES.get(name, name) for name in names - {"judgescale"}} <= known


def test_the_links_lead_to_the_folders() -> None:
    assert {path.name: path.readlink().as_posix() for path in (ROOT / "judgescale").iterdir() if path.is_symlink()} == {
        name: f"../{name}" for name in ("harness", "tasks", "conf", "results")
    }


def test_the_command_says_its_version() -> None:
    for command in (["run.py"], ["-m", "judgescale"]):
        done = subprocess.run([sys.executable, *command, "--version"], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout == f"judgescale {metadata.version('judgescale')}\n" and not done.returncode


@pytest.mark.parametrize("folder", ["harness", "tasks"])
def test_no_room_reaches_up(folder: str) -> None:
    """harness/ knows nothing of tasks/; pure evaluation knows nothing of buying."""
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if folder == "harness":
            assert not re.search(r"^\s*(from|import) judgescale\.tasks", text, re.MULTILINE), path
        if "evaluation" in path.parts or "stats" in path.parts:
            assert "judgescale.harness.live" not in text, path
