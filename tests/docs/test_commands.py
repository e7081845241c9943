"""Every shell command of the README and of docs/ does what the page says it does.

The blocks of ```sh are run, each in an empty folder with the files that its page shows (`<!-- file: NAME -->` before a
block). A comment before a block says what cannot be done here:
    <!-- composed: why -->    its configs are composed and nothing is run: a key, a GPU or the network is needed
    <!-- not run: why -->     it is left alone
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import ROOT
from pages import find_pages

BLOCK = re.compile(r"^((?:<!-- [^\n]* -->\n)*)```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE, COMPOSED, NOT_RUN = (re.compile(rf"<!-- {word}: ([^\n]+) -->") for word in ("file", "composed", "not run"))
ALONE = (
    "recorded",
    "store",
    "plan",
    "published",
    "compare",
    "leaderboard",
    "scorecard",
    "show",
    "report",
    "export",
    "--version",
    "--help",
)  # they are no runs
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


class Block(NamedTuple):
    """Hold one block of shell commands, with the files that its page shows."""

    page: str
    number: int
    marks: str
    text: str
    files: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def list_blocks() -> Iterator[Block]:
    for page in [ROOT / "README.md", *find_pages(ROOT / "docs")]:
        blocks = BLOCK.findall(page.read_text())
        files = tuple((found[1], text) for marks, _, text in blocks if (found := FILE.search(marks)))
        shells = [(marks, text) for marks, language, text in blocks if language in ("sh", "bash", "shell")]
        for number, (marks, text) in enumerate(shells):
            yield Block(page.relative_to(ROOT).as_posix(), number, marks, text, files)


BLOCKS = list(list_blocks())


def split_commands(text: str) -> list[list[str]]:
    """Split a block into the words of its commands: one a line, or several between &&."""
    commands: list[list[str]] = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            commands.append(words[: words.index("&&")])
            words = words[words.index("&&") + 1 :]
        commands.append(words)
    return [words for words in commands if words]


@pytest.fixture(scope="module")
def running(request, tmp_path_factory) -> Iterator[dict[Block, Future[None]]]:
    """Run the blocks of the tests that were chosen, as many at a time as there are processors."""
    chosen = [item.callspec.params["block"] for item in request.session.items if item.function is test_commands]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {block: pool.submit(run_block, block, tmp_path_factory.mktemp("block")) for block in chosen}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_commands(block, running):
    running[block].result()


def run_block(block: Block, folder: Path) -> None:
    """Run the commands of a block one after another in a folder. Raises AssertionError where one fails."""
    if NOT_RUN.search(block.marks):
        return
    for name, text in block.files:
        (folder / name).write_text(text)
    for number, words in enumerate(split_commands(block.text)):
        if words[0].endswith("pip") or words[:3] == ["python3", "-m", "venv"]:
            check_setup(words)
        elif not words[0].endswith("pytest"):  # which is running
            arguments = find_arguments(words)
            run_words(complete(arguments, folder / f"run-{number}", bool(COMPOSED.search(block.marks))), folder)


def check_setup(words: list[str]) -> None:
    """Check that what pip is told to install is declared."""
    for word in words:
        for extra in re.findall(r"[\w-]+", (re.match(r"\.\[(.*)\]$", word) or [""])[0]):
            assert extra in EXTRAS, f"{word}: pyproject.toml has no such extra"
        assert not word.endswith(".txt") or (ROOT / word).exists(), f"{word}: no such file"


def find_arguments(words: list[str]) -> list[str]:
    """Return what follows `python` as absolute paths, or what a command of the package is here."""
    if words[0] == "judgescale":
        return [str(ROOT / "run.py"), *words[1:]]
    assert words[0] in ("python", ".venv/bin/python"), f"{shlex.join(words)}: say in test_commands.py how to test it"
    return [str(ROOT / words[1]), *words[2:]]


def complete(arguments: list[str], folder: Path, composed: bool) -> list[str]:
    """Add to a command where it may write, and that it takes few items; or, where it is only composed, that it shall
    only print its config."""
    script, *given = arguments
    if not script.endswith("run.py") or (given and given[0] in ALONE):
        return arguments
    if composed:
        return [*arguments, "--cfg", "job"]
    store = [] if any(word.startswith("run.store=") for word in given) else [f"run.store={folder}/store.sqlite"]
    where = [] if any(word.startswith("hydra.run.dir=") for word in given) else [f"hydra.run.dir={folder}"]
    where += [] if any(word.startswith("hydra.sweep.dir=") for word in given) else [f"hydra.sweep.dir={folder}"]
    read_later = any(word.startswith(("hydra.run.dir=", "hydra.sweep.dir=")) for word in given)  # by another command
    few = [] if read_later or any(word.startswith("run.limit=") for word in given) else ["run.limit=60"]
    return [*arguments, *where, "run.draws=20", *few, *store]


def run_words(arguments: list[str], folder: Path) -> None:
    """Run Python with these arguments in a folder. Raises AssertionError where it fails."""
    env = {k: v for k, v in os.environ.items() if k not in ("JUDGESCALE_DEBUG", "HYDRA_FULL_ERROR")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{shlex.join(arguments)}\n{done.stdout}\n{done.stderr}"


def test_most_blocks_are_run():
    left = [block for block in BLOCKS if NOT_RUN.search(block.marks)]
    assert len(BLOCKS) > 10 and len(left) <= len(BLOCKS) / 10
    shown = {word for block in BLOCKS for words in split_commands(block.text) for word in words}
    tournaments = ("elo", "knockout", "swiss", "double_elimination", "information_gain")
    for choice in ("single", "voting", "meta_voting", *tournaments):
        assert any(re.fullmatch(rf"strategy=(\w+,)*{choice}(,\w+)*", word) for word in shown), choice


def test_the_command_of_the_tests_is_the_one_that_ci_runs():
    """.ci/run takes it from the README by its mark."""
    (marked,) = [block for block in BLOCKS if "<!-- test command -->" in block.marks]
    assert split_commands(marked.text)[-1] == [".venv/bin/pytest", "-n", "auto"]
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()
