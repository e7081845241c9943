"""Every link, anchor, path and dotted name that the documentation mentions is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from conftest import ROOT
from pages import GUIDES, drop_blocks, find_pages

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:harness|tasks|conf|tests|docs|benchmarks|judgescale)/[\w./*-]*)`")
DOTTED = re.compile(r"(?<![\w/.])judgescale(?:\.[A-Za-z_]\w*)+(?![\w/])")
FILE = re.compile(r"<!-- file: (\S+) -->")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def list_anchors(page: Path) -> set[str]:
    """List the anchors that GitHub gives the headings of a page."""
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", drop_blocks(page.read_text()), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug, number = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-"), 0
        while (anchor := f"{slug}-{number}" if number else slug) in anchors:
            number += 1
        anchors.add(anchor)
    return anchors


@pytest.mark.parametrize("page", find_pages(), ids=name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", drop_blocks(page.read_text()))):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists() and there.is_relative_to(ROOT), f"{target}: no such file"
        assert not anchor or anchor in list_anchors(there), f"{target}: {name(there)} has no such heading"


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_paths_are_there(page):
    text = page.read_text()
    made = set(FILE.findall(text))  # a page that shows how to write a file says so
    for path in PATH.findall(text):
        if path not in made and "NAME" not in path:
            assert list(ROOT.glob(path.rstrip("/"))), f"{path}: no such file or folder"


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_dotted_names_import(page):
    text = page.read_text()
    made = tuple(re.sub(r"(/__init__)?\.py$", "", file).replace("/", ".") for file in FILE.findall(text))
    for dotted in DOTTED.findall(text):
        if not dotted.removeprefix("judgescale.").startswith(made or "-"):
            assert find(dotted) is not None, f"{dotted}: no such module, function or class"


def find(dotted: str) -> object:
    """Import what a dotted name stands for: a module, or something in one; None where there is no such thing."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError as error:
            if not dotted.startswith(error.name or " "):
                raise  # a dependency is missing
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return found
    return None
