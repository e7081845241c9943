"""Make the site of docs/ whole: pages that lie outside docs/, links between them, and formulas.

Every page is written for those who read it in the repository, and its links are kept so. Here cards, CONTRIBUTING and
the like become pages of the site, and so does any file that a page links to; a link to a file leads to its page.
Formulas (```math) become MathML, which browsers draw themselves.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parent.parent.parent
OUTSIDE = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "measured.md",
    "results/published/README.md": "published.md",
    "results/recorded/README.md": "recorded-format.md",
    "results/recorded/SOURCES.md": "recorded-sources.md",
    "tasks/README.md": "benchmarks/folder.md",
}
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
CODE = re.compile(r"(^[ ]*```.*?^[ ]*```$|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}


def list_outside() -> dict[str, str]:
    """List the pages that lie outside docs/: where each is in the repository, and in the site."""
    cards = sorted(path.parent.name for path in ROOT.glob("tasks/*/README.md"))
    return OUTSIDE | {f"tasks/{name}/README.md": f"benchmarks/{name}.md" for name in cards}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give headings the anchors that a reader of the repository knows, and formulas their writer."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    fences = [{"name": "math", "class": "math", "format": write_formula}]
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = fences
    return config


def write_formula(source: str, *_: Any, **__: Any) -> str:
    """Write a block of LaTeX as MathML, a line of it a formula."""
    lines = [convert(line, display="block") for line in source.splitlines() if line.strip()]
    return f'<div class="math" tabindex="0">{"".join(lines)}</div>'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and a page for each file that a page links to."""
    pages = list_outside()
    for source, there in pages.items():
        files.append(File.generated(config, there, abs_src_path=str(ROOT / source)))
    texts = {f"docs/{file.src_uri}": Path(file.abs_src_path or "").read_text(encoding="utf-8")
             for file in files.documentation_pages() if file.src_uri not in pages.values()}  # fmt: skip
    texts |= {source: (ROOT / source).read_text(encoding="utf-8") for source in pages}
    for source, text in texts.items():
        for _, target, _ in LINK.findall(CODE.sub("", text)):
            linked = resolve(source, target)
            if linked is None or linked in texts or files.get_file_from_path(place_file(linked)):
                continue
            if (ROOT / linked).suffix in (".png", ".svg"):
                files.append(File.generated(config, place_file(linked), abs_src_path=str(ROOT / linked)))
            elif (ROOT / linked).is_file():
                files.append(File.generated(config, place_file(linked), content=show_file(linked)))
    return files


def resolve(source: str, target: str) -> str | None:
    """Return what a link of a page leads to, as a path in the repository; None for an address or an anchor."""
    path = target.partition("#")[0]
    if not path or re.match(r"[a-z]+:", path):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def place_file(path: str) -> str:
    """Return where a file of the repository is in the site."""
    pages = list_outside()
    if path in pages:
        return pages[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"source/{path}" + ("" if Path(path).suffix in (".png", ".svg") else ".md")


def show_file(path: str) -> str:
    """Write a page that shows a file of the repository."""
    text, language = (ROOT / path).read_text(encoding="utf-8"), LANGUAGES.get(Path(path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n````{language}\n{text}\n````\n"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page at the pages of the site."""
    here = page.file.src_uri
    source = {there: source for source, there in list_outside().items()}.get(here, f"docs/{here}")
    if here.startswith("source/"):
        return markdown

    def point(found: re.Match[str]) -> str:
        """Point one link at its page."""
        before, target, after = found.groups()
        linked = resolve(source, target)
        if linked is None:
            return found[0]
        there = os.path.relpath(place_file(linked), posixpath.dirname(here) or ".").replace(os.sep, "/")
        anchor = target.partition("#")[2]
        return f"{before}{there}{'#' + anchor if anchor else ''}{after}"

    parts = CODE.split(markdown)  # every other part is code
    return "".join(part if number % 2 else LINK.sub(point, part) for number, part in enumerate(parts))
