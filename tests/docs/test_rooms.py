"""The rooms of the program: what each imports is what docs/architecture.md and its picture say, and what it may."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from types import ModuleType

import pytest
from conftest import ROOT

PAGE = ROOT / "docs" / "architecture.md"


@pytest.fixture(scope="module")
def rooms() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_rooms", ROOT / "docs" / "draw_rooms.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["draw_rooms"] = module
    spec.loader.exec_module(module)
    return module


def list_between(rooms: ModuleType) -> dict[str, list[str]]:
    imports = rooms.read_imports()
    return {room: [t for t in rooms.list_imported(imports, room) if t != "ground"] for room in rooms.ROOMS}


def test_the_picture_is_what_the_code_gives(rooms):
    assert rooms.PICTURE.read_text() == rooms.draw(rooms.read_imports()), "run python docs/draw_rooms.py"


def test_the_table_is_what_the_code_gives(rooms):
    rows = re.findall(r"^\| `?(\w+)`? \| .* \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    said = {room: [] if targets == "nothing" else targets.split(", ") for room, targets in rows if room in rooms.ROOMS}
    assert said == list_between(rooms)


def test_the_page_names_every_arrow_against_the_order(rooms):
    order = list(rooms.ROOMS)
    against = {
        (room, target)
        for room, targets in list_between(rooms).items()
        for target in targets
        if order.index(target) < order.index(room)
    }
    assert set(re.findall(r"^- `(\w+)` → `(\w+)`", PAGE.read_text(), re.MULTILINE)) == against


def test_what_may_not_be_imported(rooms):
    imports, between = rooms.read_imports(), list_between(rooms)
    up = [one for targets in imports.values() for one in targets.get("tasks", ()) if one.file.startswith("harness/")]
    assert not up, "a benchmark is chosen by a config, never imported"
    assert "live" not in between["evaluation"], "a number must not depend on how its judgments were bought"
    assert "scorecard" not in between["evaluation"], "nor on which table it is to fill"
    assert between["stats"] == [], "arithmetic knows nothing of the program"


def test_every_import_is_read(rooms):
    """The lines that the reader finds in one file, against a plain search of its text."""
    text = (ROOT / "harness" / "runner.py").read_text()
    found = {line for line, _ in rooms.list_modules(ast.parse(text))}
    assert found == {i for i, line in enumerate(text.splitlines(), 1) if re.match(r"\s*(from|import) judgescale", line)}
    assert len(found) > 5
