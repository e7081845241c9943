"""The site as mkdocs builds it: whole, strict, readable from a file, and nothing in it comes from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

pytest.importorskip("mkdocs")
pytestmark = pytest.mark.site

LOADING = {"src", "srcset", "poster", "data", "action", "formaction"}  # attributes that a browser follows by itself


class Links(HTMLParser):
    """Gather what a page loads, what it leads to, and the places in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in LOADING or (name == "href" and tag == "link"):
                self.loads.append(value or "")
            elif name == "href" and tag == "a":
                self.leads.append(value or "")
            elif name == "id" and value:
                self.places.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Links]:
    found = {}
    for path in site.rglob("*.html"):
        found[path] = Links()
        found[path].feed(path.read_text(encoding="utf-8"))
    assert len(found) > 60
    return found


def leads_away(address: str) -> bool:
    return bool(urlsplit(address).netloc) or address.startswith("//")


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for path, links in pages.items():
        assert not [address for address in links.loads if leads_away(address)], path
        assert 'class="mermaid"' not in path.read_text(encoding="utf-8")  # the theme would fetch a script for it
    for path in site.rglob("*.css"):
        addresses = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", path.read_text(encoding="utf-8"))
        assert not [a or b for a, b in addresses if leads_away(a or b)], path


def list_targets(pages: dict[Path, Links]) -> Iterator[tuple[Path, str, Path, str]]:
    for page, links in pages.items():
        for address in links.leads + links.loads:
            if (
                page.name != "404.html"
                and not leads_away(address)
                and not re.match(r"(data|mailto|javascript):", address)
            ):
                path, _, place = address.partition("#")
                yield page, address, (page.parent / unquote(path.partition("?")[0])).resolve() if path else page, place


def test_every_link_leads_to_a_file_and_a_place_in_it(pages):
    count = 0
    for page, address, there, place in list_targets(pages):
        assert there.exists(), f"{page.name}: {address}"
        if place and there in pages:
            assert unquote(place) in pages[there].places, f"{page.name}: {address}"
        count += 1
    assert count > 5000


def test_formulas_are_drawn_by_the_browser(site):
    for path in (ROOT / "docs" / "strategies").glob("*.md"):
        page = (site / "strategies" / f"{path.stem}.html").read_text(encoding="utf-8")
        (block,) = re.findall(r"^```math\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        formulas = re.findall(r"<math.*?</math>", page, re.DOTALL)
        assert len(formulas) == len(block.splitlines())
        assert not [formula for formula in formulas if "\\" in re.sub(r"<annotation.*?</annotation>", "", formula)]


def test_the_search_works_from_a_file(site):
    script = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    index = json.loads(script.removeprefix("var __index = "))
    places = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {"strategies/elo.html", "benchmarks/judgebench.html", "contributing.html"} <= places
    assert not [place for place in places if place.startswith("source/")]
    assert (site / "site" / "iframe-worker.js").exists()


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path):
    text = (ROOT / "mkdocs.yml").read_text().replace("glossary.md", "glossary-that-is-not-there.md")
    config = tmp_path / "mkdocs.yml"
    text = text.replace("docs_dir: docs", f"docs_dir: {ROOT}/docs")
    config.write_text(text.replace("docs/site/hooks.py", f"{ROOT}/docs/site/hooks.py"))
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "glossary-that-is-not-there.md" in done.stdout + done.stderr
