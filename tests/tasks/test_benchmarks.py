"""Every benchmark of conf/task: its name, its owners' protocols, its release file and its docstring."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from omegaconf import DictConfig, OmegaConf

from judgescale.harness.options import build, make
from judgescale.harness.plan.common import FOR_HARNESS, load_rules
from judgescale.harness.published.lists import read_printed
from judgescale.harness.types import Rules, Task
from judgescale.tasks import sanity

# a suite has no items of its own
NAMES = sorted(path.stem for path in (ROOT / "conf/task").glob("*.yaml") if "suite" not in OmegaConf.load(path))


@pytest.fixture(scope="module")
def tasks(composed: Callable[..., DictConfig]) -> dict[str, Task]:
    return {name: build(composed(f"task={name}").task, "task", drop=FOR_HARNESS) for name in NAMES}


def test_a_task_has_the_name_of_its_file(tasks: dict[str, Task]) -> None:
    assert [task.name for task in tasks.values()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_owners_protocols_are_complete_rules(
    name: str, tasks: dict[str, Task], composed: Callable[..., DictConfig]
) -> None:
    """Alone, as they stand in their files, and merged over the common rule, as a run composes them."""
    default = name if (ROOT / f"conf/protocol/{name}.yaml").is_file() else "common"
    assert default in (*tasks[name].protocols, "common") and composed(f"task={name}").protocol.name == default
    for protocol in tasks[name].protocols:
        written = OmegaConf.load(ROOT / f"conf/protocol/{protocol}.yaml")
        assert set(written) == {field.name for field in dataclasses.fields(Rules)} and written.name == protocol
        rules = load_rules(protocol)
        assert rules == make(Rules, composed(f"task={name}", f"protocol={protocol}").protocol, "protocol")


def test_every_protocol_is_some_task_s_own_or_one_that_numbers_were_printed_by(tasks: dict[str, Task]) -> None:
    own = {protocol for task in tasks.values() for protocol in task.protocols}
    others = {path.stem for path in (ROOT / "conf/protocol").glob("*.yaml")} - own - {"common"}
    assert others == {"ties_wrong"} <= {row.protocol for row, _ in read_printed()}


def test_every_release_file_is_its_task_s(tasks: dict[str, Task]) -> None:
    files = {path.parent.name: path for path in (ROOT / "tasks").glob("*/release.json")}
    named = {name: task.release.resolve() for name, task in tasks.items() if task.release}
    assert named == files and all(path.is_file() for path in named.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_s_docstring_tells_its_rule_and_shows_a_row(name: str) -> None:
    target: str = OmegaConf.load(ROOT / f"conf/task/{name}.yaml")._target_
    module = importlib.import_module(target.rpartition(".")[0])
    assert module.__doc__ and module.__doc__.startswith("Judge ")
    lines = module.__doc__.splitlines()
    assert any(line.startswith("Rule") for line in lines) and any(line.startswith("Data: ") for line in lines)
    assert module is sanity or any(line.startswith('    {"') for line in lines)


def test_every_benchmark_has_its_card_beside_it() -> None:
    folders = [path.parent for path in (ROOT / "tasks").glob("*/__init__.py")]
    assert folders and all(Path(folder, "README.md").is_file() for folder in folders)
