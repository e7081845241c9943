"""The fonts of figures without their layout tables, which a PDF would read whole to embed a few letters.

matplotlib cuts a font down to the letters of a figure for every PDF. Of its own fonts, DejaVu, most of that time goes
into tables for ligatures and scripts that no name here needs. All letters and the kerning stay.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

OURS = ("DejaVu Sans", "DejaVu Sans Mono")  # that come with matplotlib
LAYOUT = ("GSUB", "GPOS", "GDEF", "JSTF", "BASE", "MATH")
NAMES = (1, 4, 16)  # of a font: its family, whole and typographic name


def list_lean_fonts() -> dict[str, Any]:
    """List settings of matplotlib that put the lean fonts before those that it comes with; yours stay as they are."""
    import matplotlib

    settings = {}
    for setting in ("font.sans-serif", "font.monospace"):
        families = list(matplotlib.rcParams[setting])
        if families[:1] and families[0] in OURS and (lean := register_lean_font(families[0])):
            settings[setting] = [lean, *families]
    return settings


@cache
def register_lean_font(family: str) -> str | None:
    """Write a font without its layout tables, once a process, and return the family's name; None where it cannot be."""
    from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]
    from matplotlib import font_manager

    try:
        place = Path(make_folder().name) / f"{family}.ttf"
        with TTFont(font_manager.findfont(family), recalcTimestamp=False, lazy=True) as font:
            for table in LAYOUT:
                if table in font:
                    del font[table]
            for number in NAMES:
                font["name"].removeNames(nameID=number)
                font["name"].setName(f"{family} lean", number, 3, 1, 0x409)
            font.save(place)
        font_manager.fontManager.addfont(place)
    except (OSError, TTLibError):
        return None
    return f"{family} lean"


@cache
def make_folder() -> tempfile.TemporaryDirectory[str]:
    """Make the folder of the lean fonts; it goes with the process."""
    return tempfile.TemporaryDirectory(prefix="judgescale-fonts-")
