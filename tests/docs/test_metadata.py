"""CITATION.cff, the hooks and the justfile say what pyproject.toml and .ci/run say."""

from __future__ import annotations

import re
import tomllib

import yaml
from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_citation():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert (cited["title"], cited["version"], cited["license"]) == tuple(
        PROJECT[key] for key in ("name", "version", "license")
    )
    assert cited["abstract"] == PROJECT["description"]


def test_hooks_are_local():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    entries = [hook["entry"] for hook in repo["hooks"]]
    assert entries == [".venv/bin/ruff check", ".venv/bin/ruff format --check", ".venv/bin/mypy"]


def test_the_justfile_runs_what_ci_runs():
    recipes, ci = (ROOT / "justfile").read_text(), (ROOT / ".ci" / "run").read_text()
    for command in (".venv/bin/ruff check .", ".venv/bin/ruff format --check .", ".venv/bin/mypy"):
        assert command in recipes and command in ci
    lane = r"pip install .*xllamacpp.*|pytest -m \"embedded.*"
    assert [line.strip() for line in re.findall(lane, recipes)] == [line.strip() for line in re.findall(lane, ci)]
