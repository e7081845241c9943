"""The pages of the site: each strategy, benchmark and page is there, and what code wrote into them is what it gives."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml
from conftest import ROOT

from judgescale.harness.plan import plan_arms

DOCS = ROOT / "docs"
STRATEGIES = sorted(path.stem for path in (ROOT / "conf" / "strategy").glob("*.yaml"))
CARDS = sorted(path.parent.name for path in (ROOT / "tasks").glob("*/README.md"))
BYTES_AT_MOST = 60_000  # of a figure


def load(name: str) -> ModuleType:
    """Load a script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    return load("draw_strategies")


def list_pages(nav: Any) -> Iterator[str]:
    """List the pages of a part of the navigation."""
    for entry in nav:
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(target, str):
                yield target
            else:
                yield from list_pages(target)


def test_every_page_is_in_the_navigation():
    nav = list(list_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert written <= {*nav} and len(nav) == len({*nav})
    assert {f"strategies/{name}.md" for name in STRATEGIES} <= {*nav}
    assert {f"benchmarks/{name}.md" for name in CARDS} <= {*nav}  # the site has the cards there
    assert {"contributing.md", "changelog.md"} <= {*nav}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_has_a_whole_page(name, drawing):
    page = (DOCS / "strategies" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n") and "```math\n" in page
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == [
        "Formula",
        "What it buys",
        "What it costs",
        "When",
        "Options",
    ]
    assert f"(../../harness/strategies/{name}.py)" in page and f"]({name}.svg)" in page
    assert f"`python docs/draw_strategies.py {name}`" in page and name in drawing.PICTURES
    assert f"](strategies/{name}.md)" in (DOCS / "strategies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_command_of_a_strategy_is_planned(name, composed):
    page = (DOCS / "strategies" / f"{name}.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```console\npython run.py (.*?)```", page, re.DOTALL)
    arms = plan_arms(composed(*shlex.split(block.replace("\\\n", " ")), "run.limit=20"))
    assert name in {arm.strategy.name for arm in arms}


def test_tables_that_code_wrote_are_up_to_date():
    options, benchmarks = load("list_strategies"), load("list_benchmarks")
    assert options.list_strategies() == STRATEGIES
    for name in STRATEGIES:
        page = (options.PAGES / f"{name}.md").read_text(encoding="utf-8")
        assert options.BEGIN in page and options.END in page
        table = options.write_table(name)
        assert options.replace_table(page, table) == page, "run python docs/list_strategies.py --write"
        keys = yaml.safe_load((ROOT / "conf" / "strategy" / f"{name}.yaml").read_text()).keys() - {"_target_"}
        assert set(re.findall(r"`strategy\.(\w+)`", table)) == keys
    page = benchmarks.PAGE.read_text(encoding="utf-8")
    assert benchmarks.BEGIN in page and benchmarks.END in page
    assert benchmarks.replace_table(page, benchmarks.write_table()) == page, (
        "run python docs/list_benchmarks.py --write"
    )
    assert all(f"(../tasks/{name}/README.md)" in benchmarks.write_table() for name in CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_every_card_says_what_a_card_should(name):
    card = (ROOT / "tasks" / name / "README.md").read_text(encoding="utf-8")
    said = re.findall(r"^## (\w+)", card, re.MULTILINE)
    assert {"Items", "Scoring", "Chance", "Data", "Traps"} <= {*said}
    if name not in ("custom", "sanity"):  # whose items are nobody's
        assert "Licence" in said and "arXiv" in card


def test_figures_are_small_and_show_the_numbers_that_are_kept(drawing):
    kept = json.loads(drawing.NUMBERS.read_text())
    assert list(kept) == list(drawing.PICTURES) and {*kept} == {*STRATEGIES}
    for name, curves in kept.items():
        assert not drawing.is_other_picture(name, curves), f"run python docs/draw_strategies.py --redraw {name}"
        assert (drawing.FOLDER / f"{name}.svg").stat().st_size < BYTES_AT_MOST


def test_a_figure_whose_numbers_changed_is_found(drawing, monkeypatch):
    assert list(drawing.find_stale(["knockout"])) == []  # evaluated anew; the lane `site` does it for more
    made = json.loads(drawing.NUMBERS.read_text())["knockout"]
    other = {label: [[cost + 1, *rest] for cost, *rest in points] for label, points in made.items()}
    picture = drawing.PICTURES["knockout"]
    monkeypatch.setitem(drawing.PICTURES, "knockout", picture._replace(make=lambda: other))
    assert list(drawing.find_stale(["knockout"])) == [
        "knockout: its numbers changed; run python docs/draw_strategies.py knockout"
    ]
