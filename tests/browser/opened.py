"""A page opened in a real Chromium, with all that a test must know of what it did there."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import ROOT

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks/page.py"))
REPORTS = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`), true);
"""
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}


@dataclass
class Opened:
    """Hold an open page, and what it said and asked for."""

    page: Any
    title: str
    said: list[str] = field(default_factory=list)  # on the console, errors, dialogs
    asked: list[str] = field(default_factory=list)  # other addresses than its own

    def check(self) -> None:
        """Check that it complained of nothing, asked for nothing, and that nothing in it ran but our script."""
        assert self.said == [] and self.asked == []
        assert self.page.evaluate("window.__violations") == []
        assert self.page.evaluate("window.__hit") is None
        assert self.page.title() == self.title


@contextmanager
def open_page(chromium: Any, path: Path, at: str = "", size: str = "wide", **options: Any) -> Iterator[Opened]:
    """Open a page. at: a hash. options: of the browser's context."""
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(5_000)
    context.add_init_script(REPORTS)
    page, address = context.new_page(), path.resolve().as_uri()
    opened = Opened(page, "")
    page.on("console", lambda message: opened.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: opened.said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (opened.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    context.on("page", lambda other: opened.said.append(f"window: {other.url}"))
    context.on("request", lambda request: opened.asked.append(request.url))
    try:
        page.goto(address + at)
        opened.title = page.title()
        opened.asked = [url for url in opened.asked if url.partition("#")[0] != address]
        yield opened
        opened.asked = [url for url in opened.asked if url.partition("#")[0] != address]
    finally:
        context.close()
