"""The page of a run: whole, harmless whatever others wrote, and never the reason why a run is lost."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import conftest
import pytest
from omegaconf import DictConfig

from judgescale.harness import command, runner
from judgescale.harness.page import write
from judgescale.harness.page.__main__ import main
from judgescale.harness.types import JudgescaleError

Compose = Callable[..., DictConfig]
say = partial(conftest.say, main)
refuse = partial(conftest.refuse, main)
HIT = "<script>hit()</script>"
EVIL = f'Evil "><img src=x onerror=hit()>{HIT}\u202egnp\x00 {{{{7*7}}}}'
PARTS = ["headline", "curves", "frontier", "items", "sections", "health", "notes", "compute", "versions"]
VOID = {"meta", "link", "input", "br", "img", "hr"}


class Elements(HTMLParser):
    """Collect the elements of a page, and whether each is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def list_attributes(self, name: str, tag: str = "") -> list[str]:
        return [a[name] or "" for t, a in self.found if name in a and tag in ("", t)]


@pytest.fixture(scope="module")
def live(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live run of two arms whose judge has a hostile name."""
    folder = tmp_path_factory.mktemp("runs") / "live"
    store = f"run.store={folder.parent / 's.sqlite'}"
    options = ["task=sanity", "judge=random", "strategy.k=3", "run.limit=6", "run.draws=10", store]
    cfgs = [composed(*options, f"strategy={name}") for name in ("voting", "single")]
    for cfg in cfgs:
        cfg.judge.label = EVIL
    runner.run(cfgs, folder, show=False)
    return folder


@pytest.fixture(scope="module")
def paired(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run that was judged in both orders, on a sample of the items."""
    folder = tmp_path_factory.mktemp("runs") / "paired"
    cfg = composed("task=vicuna80_pairs", "run.limit=60")
    runner.run([cfg], folder, show=False)
    return folder


def read(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_every_part_is_there_and_every_element_is_closed(live: Path, paired: Path) -> None:
    for folder in (live, paired):
        page = Elements(read(folder))
        assert not page.open
        ids = page.list_attributes("id")
        assert [i for i in ids if i in PARTS] == PARTS and len(ids) == len(set(ids))
        targets = {link[1:] for link in page.list_attributes("href", "a") if re.fullmatch(r"#[\w-]+", link)}
        assert targets <= set(ids)
        levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    headline = json.loads((paired / "summary.json").read_text())["headline"]
    text = read(paired)
    assert f"<strong>{100 * headline['value']:.1f}" in text and "Does the verdict follow the order?" in text
    assert "Are votes right as often as they are clear?" in text and "calibration error" in text


def test_a_frontier_that_takes_long_is_left_to_others(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write.read_run_for_page(live)
    assert isinstance(write.rank([run], at_once=True), list)
    work = sum(write.measure_work(*counts) for counts in write.count_points(write.list_arms([run])))
    monkeypatch.setattr(write, "AT_ONCE", work - 1)
    assert "judgescale view FOLDER --again" in write.rank([run], at_once=True)
    assert isinstance(write.rank([run]), list)
    monkeypatch.setattr(write, "PATIENCE", work - 1)
    assert "judgescale report FOLDER" in write.rank([run])


def test_nothing_may_run_but_our_own_script(live: Path) -> None:
    text = read(live)
    page = Elements(text)
    first, policy = page.found[page.found.index(("head", {})) + 1]
    assert first == "meta" and policy["http-equiv"] == "Content-Security-Policy"
    told = policy["content"] or ""
    assert told.startswith("default-src 'none';") and "unsafe" not in told and "require-trusted-types-for" in told
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    for what, content in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{what}-src 'sha256-{digest}'" in told
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)
    for _, attributes in page.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    kinds = [a.get("type") for tag, a in page.found if tag == "script"]
    assert kinds.count(None) == 1 and set(kinds) == {None, "application/octet-stream"}
    links = page.list_attributes("href") + page.list_attributes("src")
    assert all(link.startswith("#") or link == "data:," for link in links)


def test_what_others_wrote_is_text(live: Path) -> None:
    text = read(live)
    assert HIT not in text and "<img" not in text and "\u202e" not in text and "\x00" not in text
    assert html.escape(HIT) in text and "\\u202egnp" in text and "{{7*7}}" in text


def test_points_are_links_with_names_of_their_own(live: Path) -> None:
    points = [a for tag, a in Elements(read(live)).found if tag == "a" and a.get("class") == "dot"]
    assert points
    for point in points:
        assert re.fullmatch(r"#/items\?task=0&arm=[01]&k=\d&show=wrong", point["href"] or "")
        assert "judgments an item" in (point["aria-label"] or "")
    arms = json.loads((live / "summary.json").read_text())["arms"]
    drawn = [p for arm in arms for p in arm["curve"] if p["section"] == "overall"]
    assert len(points) == len(drawn)


def test_texts_may_be_left_out(composed: Compose, tmp_path: Path) -> None:
    store = f"run.store={tmp_path / 's.sqlite'}"
    options = ["task=sanity", "judge=random", "strategy.k=2", "run.limit=6", store]
    sizes = {}
    for texts in (True, False):
        runner.run([composed(*options, f"report.texts={str(texts).lower()}")], tmp_path / str(texts), show=False)
        sizes[texts] = len(read(tmp_path / str(texts)))
    assert sizes[False] < sizes[True] and not write.says_texts(tmp_path / "False")
    write.write_page_of([tmp_path / "False"], tmp_path / "again.html")
    assert abs(len((tmp_path / "again.html").read_text()) - sizes[False]) < 200
    with pytest.raises(JudgescaleError, match="report.texts=perhaps: must be true or false"):
        runner.run([composed(*options, "report.texts=perhaps")], tmp_path / "none", show=False)


def test_a_page_that_fails_costs_no_run(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(write, "render_page", lambda *given: 1 / 0)
    results = runner.run([composed("task=vicuna80_pairs", "run.limit=20")], tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert results and {"summary.json", "judgments.parquet", "table.md"} <= names and "report.html" not in names
    told = " ".join(capsys.readouterr().out.split())
    assert "report.html could not be written, all other files are there: ZeroDivisionError" in told


def test_runs_side_by_side(live: Path, paired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.run_command(["view", str(live), str(paired), "--no-open", "--out", str(tmp_path)])
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    page = Elements(read(tmp_path))
    assert not page.open
    arms = {int(link.split("arm=")[1].split("&")[0]) for link in page.list_attributes("href") if "arm=" in link}
    assert arms == {0, 1, 2}
    assert {link.split("task=")[1][0] for link in page.list_attributes("href") if "task=" in link} == {"0", "1"}


def test_view_opens_the_page(
    paired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda place: not opened.append(place))
    before = (paired / "report.html").stat().st_mtime_ns
    say(capsys, str(paired))
    assert opened == [(paired / "report.html").as_uri()] and (paired / "report.html").stat().st_mtime_ns == before
    say(capsys, str(paired), "--again", "--no-open")
    assert len(opened) == 1 and (paired / "report.html").stat().st_mtime_ns > before
    assert "no such folder" in refuse(capsys, str(tmp_path / "none"))
    assert "no finished run in it" in refuse(capsys, str(tmp_path))
    assert "give only options of the task" in refuse(capsys, str(paired), "strategy.k=3")
    assert "give the folder of a finished run" in refuse(capsys, "task.path=x")
