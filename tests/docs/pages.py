"""The repository's Markdown pages, and the parts of them that tests read."""

from __future__ import annotations

import re
from pathlib import Path

from conftest import ROOT

HIDDEN = re.compile(r"^(\.|.*\.egg-info$|build$|results/(runs|sweeps)$|multirun$|outputs$)")


def find_pages(folder: Path = ROOT) -> list[Path]:
    """Find every Markdown file of the checkout: nothing below hidden folders, links and what a run wrote."""
    pages = sorted(folder.glob("*.md"))
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.is_symlink() and not HIDDEN.match(child.relative_to(ROOT).as_posix()):
            pages += find_pages(child)
    return pages


GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *find_pages(ROOT / "docs")]


def drop_blocks(text: str) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
