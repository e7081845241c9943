"""What LaTeX would make of a table: how wide it sets it, and the page where a LaTeX is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

PAGE = r"\documentclass{article}\usepackage{booktabs}\usepackage[T1]{fontenc}\begin{document}"
COMPILERS = {"tectonic": [], "pdflatex": ["-interaction=nonstopmode", "-halt-on-error"]}


def measure_latex(text: str) -> list[float]:
    """Measure each tabular as LaTeX would set it, in points: cells in Computer Modern, and the space between them."""
    import matplotlib
    from PIL import ImageFont

    face = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/cmr10.ttf", 1000)
    em = {"small": 9.25, "footnotesize": 8.5, "scriptsize": 7.97}[re.search(r"\\centering\\(\w+)", text)[1]]  # type: ignore[index]
    gap = float(re.search(r"tabcolsep}{([\d.]+)pt", text)[1])  # type: ignore[index]
    widths = []
    for tabular in re.findall(r"\\begin{tabular}(.*?)\\end{tabular}", text, re.DOTALL):
        columns: list[float] = []
        for row in re.findall(r"^{}(.*) \\\\$", tabular, re.MULTILINE):
            for j, cell in enumerate(re.split(r"(?<!\\)&", row)):
                boxed = re.fullmatch(r"\s*\\parbox\[b\]{([\d.]+)em}{\\raggedright (.*)}\s*", cell)
                whole = re.split(r" |\\allowbreak{}", boxed[2]) if boxed else [cell]
                plain = [re.sub(r"\$\\\w+\$", "M", re.sub(r"\\text\w+{}", "~", piece)) for piece in whole]
                wide = max(face.getlength(re.sub(r"[\\{}$]", "", piece).strip()) / 1000 * em for piece in plain)
                if boxed:
                    assert wide <= float(boxed[1]) * em  # no piece sticks out
                    wide = float(boxed[1]) * em
                columns[j:] = [max(wide, *columns[j : j + 1], 0.0), *columns[j + 1 :]]
        widths.append(sum(columns) + 2 * gap * len(columns))
    return widths


def find_latex() -> list[str]:
    """The command that compiles a page; empty where there is none."""
    return next(([found, *options] for name, options in COMPILERS.items() if (found := shutil.which(name))), [])


def compile_latex(text: str, folder: Path) -> str:
    """Compile tables as a page of their own, and return what the compiler says."""
    page = folder / "page.tex"
    page.write_text(f"{PAGE}\n{text}\n\\end{{document}}\n", encoding="utf-8")
    done = subprocess.run([*find_latex(), page.name], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
