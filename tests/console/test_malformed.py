"""Hundreds of malformed inputs through the real command line: one clear line each, never a traceback, soon."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from pathlib import Path

import pytest
from conftest import run
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from malformed import EVIL, KINDS

from judgescale.harness.command import main
from judgescale.harness.recorded import write_set
from judgescale.harness.types import Judgment, Record

SECONDS = 10  # the most that any of them may take


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Run the command line in this process: its exit status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "argv", ["judgescale"])
    monkeypatch.delitem(Singleton._instances, GlobalHydra, raising=False)  # other tests go on with theirs
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            if isinstance(ended.code, str):
                print(ended.code, file=err)
    return status, out.getvalue(), err.getvalue()


def find_fault(status: int, out: str, err: str) -> str | None:
    """Say what is wrong with how the command line took an input; None where nothing is."""
    if "Traceback" in out + err or "internal error" in out + err:
        return "no clear error"
    if set("\x1b\x07\u202e\ud800") & set(out + err):
        return "control characters reach the terminal"
    lines = err.strip().splitlines()
    if status:  # Python's own parser of arguments prints its usage first
        return None if len(lines) == 1 or err.startswith("usage:") else f"{len(lines)} lines"
    return None if all(line.startswith("note: ") for line in lines) else "an error without a status"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for files; a small set lies in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JUDGESCALE_DEBUG", raising=False)
    # Hydra composes every config twice, first to see whether a file asks for a sweep: none here does, and it takes long
    monkeypatch.setattr("hydra._internal.hydra.Hydra.get_mode", lambda *args, **kwargs: None)
    judgments = [Judgment(judge="j", shown=(0, 1), scores=(float(i), 0.5), sample=i) for i in range(3)]
    records = [
        Record(prompt=p, cluster=p, subset="s", responses=("a", "b"), gold=(1.0, 0.0), judgment=judgment)
        for p in ("p", "q")
        for judgment in judgments
    ]
    write_set("small.parquet", records, {})
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_inputs_are_one_line(kind: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {}
    for name, arguments in KINDS[kind](place):
        begun = time.monotonic()
        try:
            found = call(arguments, monkeypatch)
            fault = find_fault(*found)
        except Exception as error:
            found, fault = (0, "", str(error)), f"{type(error).__name__} gets out"
        if fault is None and time.monotonic() - begun > SECONDS:
            fault = "takes too long"
        if fault:
            faults[name] = f"{fault}: {found[2].strip()[-200:]!r}"
    assert not faults, "\n".join(f"{name!r}: {fault}" for name, fault in faults.items())


def test_there_are_more_than_300(place: Path) -> None:
    counts = {}
    for kind, cases in KINDS.items():
        (place / kind).mkdir()
        found = [tuple(arguments) for _, arguments in cases(place / kind)]
        assert len(set(found)) == len(found)
        counts[kind] = len(found)
    assert sum(counts.values()) > 300 and min(counts.values()) > 10


@pytest.mark.parametrize("option", ["judge.names=5", "judge=1.5", "strategy.k=${nope}", f"{EVIL}=1"])
def test_a_process_of_its_own_says_the_same(option: str, tmp_path: Path) -> None:
    done = run(option, f"hydra.run.dir={tmp_path / 'out'}")
    assert done.returncode == 1 and find_fault(1, done.stdout, done.stderr) is None, done.stderr
