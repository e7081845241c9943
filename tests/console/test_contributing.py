"""The additions that CONTRIBUTING.md works through: copied out of it, and run, inside a checkout and outside."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^```sh\npython run\.py (.*)\n```$", PAGE, re.MULTILINE)
LINES = {".py": 40, ".yaml": 8}  # the most that an addition may need


def go(folder: Path, entry: list[str], arguments: list[str], path: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(path)}
    env.pop("JUDGESCALE_DEBUG", None)
    more = [f"hydra.run.dir={folder}/out", f"run.store={folder}/store.sqlite", "run.draws=20"]
    return subprocess.run(
        [sys.executable, *entry, *arguments, *more], cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )


def headline(folder: Path) -> dict:
    return json.loads((folder / "out" / "summary.json").read_text())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout with the files of the page in it."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "runs", "store.sqlite*")
    for name in ("harness", "tasks", "conf", "results"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copytree(ROOT / "judgescale", folder / "judgescale", symlinks=True, ignore=ignored)
    shutil.copy(ROOT / "run.py", folder)
    for name, text in FILES.items():
        assert not (folder / name).exists(), name  # nothing that exists is touched
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", FILES)
def test_an_addition_is_short(name: str) -> None:
    assert len(FILES[name].splitlines()) <= LINES.get(Path(name).suffix, 8)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_addition_runs_in_a_checkout(checkout: Path, command: str) -> None:
    done = go(checkout, ["run.py"], shlex.split(command), checkout)
    assert done.returncode == 0, done.stderr
    assert 0 <= headline(checkout)["headline"]["value"] <= 1
    shutil.rmtree(checkout / "out")


def test_a_task_without_a_protocol_has_the_common_one(checkout: Path) -> None:
    done = go(checkout, ["run.py"], ["task=sums", "task.path=sums.jsonl", "judge=random"], checkout)
    assert done.returncode == 0, done.stderr
    assert "protocol:common(" in headline(checkout)["signature"]
    shutil.rmtree(checkout / "out")


def test_a_misspelt_protocol_is_not_taken_for_the_common_one(checkout: Path) -> None:
    done = go(checkout, ["run.py"], ["protocol=comon"], checkout)
    assert done.returncode == 1 and "protocol=comon: no such choice; did you mean common?" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_an_addition_runs_from_outside(tmp_path: Path, command: str) -> None:
    """The same files in a folder of one's own, with names that this repository has too."""
    for name, text in FILES.items():
        *folders, last = Path(name).parts
        if name.endswith(".yaml"):
            place = tmp_path / "settings" / Path(*folders[1:]) / last
            text = text.replace("judgescale.harness.", "mine.harness.").replace("judgescale.tasks.", "mine.tasks.")
        else:
            place = tmp_path / ("mine" if name.endswith(".py") else ".") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    arguments = ["--config-dir", str(tmp_path / "settings"), *shlex.split(command)]
    done = go(tmp_path, ["-m", "judgescale"], arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    assert 0 <= headline(tmp_path)["headline"]["value"] <= 1


def test_a_judge_without_the_inherited_options_runs(checkout: Path) -> None:
    (checkout / "conf/judge/bare.yaml").write_text("_target_: judgescale.harness.judges.thumbs.Thumbs\nmodel: nobody\n")
    done = go(checkout, ["run.py"], ["judge=bare", "engine=random", "task=sanity", "task.size=8"], checkout)
    assert done.returncode == 0, done.stderr
    assert headline(checkout)["judge"] == "nobody"
    shutil.rmtree(checkout / "out")


def test_a_knockout_that_forgets_to_be_adaptive_is_refused_before_it_buys(checkout: Path) -> None:
    source = (checkout / "harness/strategies/knockout.py").read_text(encoding="utf-8")
    lines = [line for line in source.splitlines() if "adaptive:" not in line]
    assert len(lines) < len(source.splitlines())
    clone = "\n".join(lines).replace('"knockout"', '"cup"').replace("class Knockout", "class Cup")
    (checkout / "harness/strategies/cup.py").write_text(clone, encoding="utf-8")
    yaml = "_target_: judgescale.harness.strategies.cup.Cup\nk: null\n"
    (checkout / "conf/strategy/cup.yaml").write_text(yaml, encoding="utf-8")
    arguments = ["strategy=cup", "judge=random", "task=sanity", "task.responses=4", "task.size=8", "strategy.k=2"]
    (checkout / "store.sqlite").unlink(missing_ok=True)
    done = go(checkout, ["run.py"], arguments, checkout)
    assert done.returncode == 1 and "adaptive = True" in done.stderr and "strategy=cup" in done.stderr
    assert not (checkout / "store.sqlite").exists() and not (checkout / "out").exists()
