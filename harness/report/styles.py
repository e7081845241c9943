"""How the arms of a figure are told apart: by lightness, line and marker, alike in all of its panels.

A few arms have a style each, listed by their names. Where they are many, and are every judge with several strategies,
the judge gives the colour and the strategy gives line and marker, so that the legend lists each of these once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from judgescale.harness.plain_text import flatten_text
from judgescale.harness.types import Result

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

COLOURS = ("#12355b", "#e58a3c", "#8c1c4b", "#4fa3a5", "#66701f", "#b39ddb", "#000000", "#9a9a9a")
MARKERS = "os^DvX<p>"  # nine, so that a marker meets a colour again only after 72 arms
LINES = ("-", "--", "-.", ":")
GREY = "#555555"
LADDER = ("#000000", "#e58a3c", "#8c1c4b", "#4fa3a5", "#66701f", "#b39ddb", "#12355b", "#9a9a9a")  # far apart in grey
STRATEGIES = 16  # of as many, marker and line together tell them apart
FEW = 8  # arms that are listed one by one, whatever they are


@dataclass(frozen=True)
class Styles:
    """Hold which colour, line and marker an arm has."""

    numbers: Mapping[str, int]  # of each arm, by its name
    judges: Sequence[str] = field(default=())  # those that give the colours, where strategies give line and marker
    strategies: Sequence[str] = field(default=())
    shared: bool = False  # whether one legend serves all panels

    def choose(self, arm: Result, name: str) -> dict[str, Any]:
        """Choose the style of an arm."""
        number = self.numbers.get(name, 0)
        colour = COLOURS[number % len(COLOURS)]
        if self.judges:
            colour = LADDER[self.judges.index(flatten_text(arm.judge))]
            number = self.strategies.index(flatten_text(arm.strategy))
        return {
            "color": colour,
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": LINES[number % len(LINES)],
            "markersize": 5.5,
            "linewidth": 1.6,
            "markeredgecolor": "white",
            "markeredgewidth": 0.6,
        }

    def list_parts(self) -> list[Line2D]:
        """List what the legend shows of judges and strategies; nothing where it shows the arms."""
        from matplotlib.lines import Line2D

        wide: dict[str, Any] = {"linewidth": 4, "solid_capstyle": "butt"}
        parts = [Line2D([], [], color=LADDER[i], label=name, **wide) for i, name in enumerate(self.judges)]
        for i, name in enumerate(self.strategies):
            look: dict[str, Any] = {"marker": MARKERS[i % len(MARKERS)], "linestyle": LINES[i % len(LINES)]}
            parts.append(Line2D([], [], color=GREY, markersize=5.5, label=name, **look))
        return parts


def choose_styles(panels: Sequence[Sequence[Result]], names: Sequence[Sequence[str]]) -> Styles:
    """Choose the styles of the arms of all panels, from their names; one legend where panels have arms alike."""
    every = list(dict.fromkeys(name for of_panel in names for name in of_panel))
    shared = len(panels) > 1 and 1 < len(every) <= 2 * min(map(len, names))
    numbers = {name: i for i, name in enumerate(every)}
    arms = [(arm, name) for of_panel, own in zip(panels, names, strict=True) for arm, name in zip(of_panel, own)]
    judges = list(dict.fromkeys(flatten_text(arm.judge) for arm, _ in arms))
    strategies = list(dict.fromkeys(flatten_text(arm.strategy) for arm, _ in arms))
    crossed = all(name == flatten_text(f"{arm.judge}, {arm.strategy}") for arm, name in arms)
    few = len(judges) <= len(LADDER) and len(strategies) <= STRATEGIES
    if len(every) > FEW and crossed and few and len(judges) > 1 < len(strategies):
        return Styles(numbers, judges, strategies, shared)
    return Styles(numbers, shared=shared)
