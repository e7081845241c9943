"""Pictures of a page as SVG: curves, intervals and reliability. Colours and sizes come from page.css.

What a picture tells is told by the place of a mark, by its shape, and by words for those who see neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, log2, log10

from markupsafe import Markup

from judgescale.harness.plain_text import flatten_text

COLOURS = 8  # --arm-0 … --arm-7 of page.css
SHAPES = (  # of marks, around (0, 0)
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M-3.7-3.7h7.4v7.4h-7.4z",
    "M0-4.8l4.6 8.2h-9.2z",
    "M0-5.2l4.6 5.2l-4.6 5.2l-4.6-5.2z",
    "M0 4.8l4.6-8.2h-9.2z",
    "M-1.5-4.8h3v3.3h3.3v3h-3.3v3.3h-3v-3.3h-3.3v-3h3.3z",
    "M-4.8 0l8.2-4.6v9.2z",
    "M4.8 0l-8.2-4.6v9.2z",
    "M-4.5-4.5l4.5 2l4.5-2l-2 4.5l2 4.5l-4.5-2l-4.5 2l2-4.5z",
)
DASHES = ("", "6 3", "2 3", "9 3 2 3")
WIDE, HIGH = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 14, 48
BANDS = 4  # more bands than these are mud: bars instead
ASIDE = 4.0  # of the picture's units, between curves that have bars: points of one cost stand side by side
BARS = 8  # and of more curves than these only the last point has one


@dataclass(frozen=True)
class Dot:
    """Hold a point of a curve: where it is, how sure, and what it links to and tells."""

    x: float
    y: float
    ends: tuple[float, float] | None = None
    link: str = ""
    told: str = ""
    hollow: bool = False


@dataclass(frozen=True)
class Line:
    """Hold a curve: its arm's place on the page, its look, its name, and its points from left to right."""

    place: int
    look: int
    name: str
    dots: Sequence[Dot]
    quiet: bool = False  # drawn thin and grey, since too many are to be told apart


@dataclass(frozen=True)
class Chart:
    """Hold what a picture of curves shows, besides its axes' names."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    step: Sequence[tuple[float, float]] = ()  # the frontier
    levels: Sequence[tuple[float, str]] = ()  # printed numbers, as lines across
    printed: Sequence[tuple[str, Sequence[tuple[float, float]]]] = field(default=())  # printed curves


def write_tag(name: str, content: object = "", /, **attributes: object) -> Markup:
    """Write an element; `_` in a name of an attribute is a dash, and one that is None is left out."""
    told = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), told, content)


def join(parts: Sequence[Markup]) -> Markup:
    """Join pieces of markup."""
    return Markup("").join(parts)


def draw_mark(look: int, hollow: bool = False) -> Markup:
    """Draw the mark of a look around (0, 0)."""
    return write_tag("path", d=SHAPES[look % len(SHAPES)], class_="mark hollow" if hollow else "mark")


def draw_key(look: int, quiet: bool = False) -> Markup:
    """Draw what a legend shows of a look: a piece of its line with its mark."""
    line = write_tag("path", d="M1 8h32", class_="line", stroke_dasharray=choose_dash(look))
    mark = write_tag("g", draw_mark(look), transform="translate(17 8)")
    return write_tag(
        "svg", join([line, mark]), viewBox="0 0 34 16", width=34, height=16, class_=choose_class(look, quiet),
        aria_hidden="true", focusable="false",
    )  # fmt: skip


def choose_class(look: int, quiet: bool = False) -> str:
    """Choose the class that gives a look its colour."""
    return "quiet" if quiet else f"arm-{look % COLOURS}"


def choose_dash(look: int) -> str | None:
    """Choose how a look's line is dashed; None where it is whole."""
    return DASHES[look % len(DASHES)] or None


def choose_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Choose even ticks of a linear axis within its ends."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low or 1)
    return [float(tick) for tick in ticks if low - slack <= tick <= high + slack]


def choose_log_ticks(low: float, high: float) -> list[float]:
    """Choose ticks of a log axis: 1, 2, 4, 8, … where it is short, else 1, 2, 5, 10, … or powers of ten."""
    if high <= 2048 * low and low >= 0.5 and high < 5000:
        steps = [2.0**e for e in range(-1, 13)]
    else:
        each = (1, 2, 5) if log10(high / low) <= 2.2 else (1,)
        steps = [m * 10.0**e for e in range(-9, 25) for m in each]
    ticks = [step for step in steps if low * 0.999 <= step <= high * 1.001]
    return ticks if len(ticks) > 1 else sorted({low, high})


def write_number(x: float) -> str:
    """Write a tick in three digits with T, G, M or k; beyond these as a power of ten."""
    if x >= 1e15 or 0 < x < 1e-4:
        return f"{x:.2g}".replace("e+", "e")
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:.3g}{letter}"
    return f"{x:.3g}"


def draw_curves(chart: Chart) -> Markup:
    """Draw values in percent against a cost on a log axis."""
    dots = [dot for line in chart.lines for dot in line.dots]
    told = [line for line in chart.lines if not line.quiet]
    banded = len(told) <= BANDS
    spans = [end for line in told for dot in line.dots for end in (dot.ends or (dot.y, dot.y))]
    spans += [dot.y for line in chart.lines for dot in line.dots]
    low, high = min(spans), max(spans)
    reach = 0.35 * (high - low)
    levels = [(y, name) for y, name in chart.levels if low - reach <= y <= high + reach]
    low, high = min([low, *(y for y, _ in levels)]), max([high, *(y for y, _ in levels)])
    room = 0.06 * (high - low) or 1.0
    low, high = max(low - room, min(0.0, low)), min(high + room, max(100.0, high))
    left, right = min(dot.x for dot in dots), max(dot.x for dot in dots)
    pad = 0.05 * (log2(right / left) or 2.0)

    def place_x(x: float) -> float:
        """Place a cost in the picture."""
        at = (log2(x / left) + pad) / (log2(right / left) + 2 * pad)
        return round(LEFT + at * (WIDE - LEFT - RIGHT), 1)

    def place_y(y: float) -> float:
        """Place a value in the picture."""
        return round(TOP + (high - y) / (high - low) * (HIGH - TOP - BOTTOM), 1)

    parts = [_draw_axes(chart, choose_log_ticks(left, right), choose_ticks(low, high), place_x, place_y)]
    for y, name in levels:
        at = place_y(y)
        parts.append(write_tag("path", d=f"M{LEFT} {at}H{WIDE - RIGHT}", class_="printed"))
        parts.append(write_tag("text", flatten_text(name), x=WIDE - RIGHT, y=at - 4, class_="beside end"))
    longest: list[tuple[float, float]] = []
    for name, points in chart.printed:
        seen = [(x, y) for x, y in points if left <= x <= right and low <= y <= high]
        if len(seen) > 1:
            path = "L".join(f"{place_x(x)} {place_y(y)}" for x, y in seen)
            parts.append(write_tag("path", write_tag("title", flatten_text(name)), d=f"M{path}", class_="printed"))
            longest = max(longest, seen, key=len)
    if longest:  # one word says what all dashed lines are, away from the ends, where marks crowd
        x, y = longest[len(longest) // 2]
        parts.append(write_tag("text", "published", x=place_x(x), y=place_y(y) - 6, class_="beside middle"))
    if chart.step:
        path, before = "", None
        for x, y in chart.step:
            path += f"M{place_x(x)} {place_y(y)}" if before is None else f"H{place_x(x)}V{place_y(y)}"
            before = x
        parts.append(write_tag("path", d=f"{path}H{WIDE - RIGHT}", class_="frontier"))
    asides = {id(line): ASIDE * (i - (len(told) - 1) / 2) for i, line in enumerate(told)} if not banded else {}
    for line in sorted(chart.lines, key=lambda line: not line.quiet):
        aside = asides.get(id(line), 0.0)
        parts.append(
            _draw_line(line, banded, len(told) <= BARS, lambda x, by=aside: round(place_x(x) + by, 1), place_y)
        )
    return write_tag(
        "svg", join(parts), viewBox=f"0 0 {WIDE} {HIGH}", class_="chart", role="group",
        aria_label=flatten_text(chart.title),
    )  # fmt: skip


def _draw_axes(chart: Chart, xs: Sequence[float], ys: Sequence[float], place_x, place_y) -> Markup:  # type: ignore[no-untyped-def]
    """Draw a grid, its numbers, and what they count; nothing of it is read aloud, as each point tells its own."""
    parts = []
    digits = 0 if all(abs(y - round(y)) < 1e-6 for y in ys) else 1
    for y in ys:
        at = place_y(y)
        parts.append(write_tag("path", d=f"M{LEFT} {at}H{WIDE - RIGHT}", class_="grid"))
        parts.append(write_tag("text", f"{y:.{digits}f}", x=LEFT - 7, y=at + 4, class_="end"))
    bottom = HIGH - BOTTOM
    for x in xs:
        at = place_x(x)
        parts.append(write_tag("path", d=f"M{at} {bottom}v5", class_="axis"))
        parts.append(write_tag("text", write_number(x), x=at, y=bottom + 19, class_="middle"))
    parts.append(write_tag("path", d=f"M{LEFT} {bottom}H{WIDE - RIGHT}", class_="axis"))
    middle = (LEFT + WIDE - RIGHT) / 2
    parts.append(write_tag("text", flatten_text(chart.x_label), x=middle, y=HIGH - 8, class_="middle label"))
    across = (TOP + bottom) / 2
    parts.append(
        write_tag(
            "text",
            flatten_text(chart.y_label),
            x=0,
            y=0,
            class_="middle label",
            transform=f"translate(13 {across}) rotate(-90)",
        )
    )
    return write_tag("g", join(parts), aria_hidden="true")


def _draw_line(line: Line, banded: bool, barred: bool, place_x, place_y) -> Markup:  # type: ignore[no-untyped-def]
    """Draw a curve: its band or bars, its line, and its marks, each of which is a link."""
    at = [(place_x(dot.x), place_y(dot.y)) for dot in line.dots]
    parts = []
    ends = [None if dot.ends is None else tuple(map(place_y, dot.ends)) for dot in line.dots]
    if banded and not line.quiet and len(at) > 1 and all(ends):
        up = [f"{x} {e[1]}" for (x, _), e in zip(at, ends, strict=True) if e]
        down = [f"{x} {e[0]}" for (x, _), e in zip(at, ends, strict=True) if e]
        parts.append(write_tag("path", d=f"M{'L'.join([*up, *reversed(down)])}z", class_="band"))
    elif not line.quiet:
        for number, ((x, _), e) in enumerate(zip(at, ends, strict=True)):
            if e and (barred or number == len(at) - 1):
                parts.append(write_tag("path", d=f"M{x} {e[0]}V{e[1]}", class_="bar"))
    if len(at) > 1:
        path = "L".join(f"{x} {y}" for x, y in at)
        parts.append(write_tag("path", d=f"M{path}", class_="line", stroke_dasharray=choose_dash(line.look)))
    for (x, y), dot in zip(at, line.dots, strict=True):
        around = write_tag("circle", r=11, class_="reach")
        mark = join([write_tag("title", dot.told), around, draw_mark(line.look, dot.hollow)])
        parts.append(
            write_tag("a", mark, href=dot.link, aria_label=dot.told, class_="dot", transform=f"translate({x} {y})")
        )
    return write_tag("g", join(parts), class_=f"curve {choose_class(line.look, line.quiet)}", data_arm=line.place)


def draw_interval(look: int, value: float, ends: tuple[float, float] | None, span: tuple[float, float]) -> Markup:
    """Draw a number with its interval on a short axis that is shared by a table's rows; all in percent."""
    wide, low, high = 200, *span

    def place(x: float) -> float:
        return round(8 + (min(max(x, low), high) - low) / (high - low or 1) * (wide - 16), 1)

    parts = [write_tag("path", d=f"M0 12H{wide}", class_="grid")]
    if ends and all(map(isfinite, ends)):
        parts.append(write_tag("path", d=f"M{place(ends[0])} 12H{place(ends[1])}", class_="range"))
    parts.append(write_tag("g", draw_mark(look), transform=f"translate({place(value)} 12)"))
    return write_tag(
        "svg", join(parts), viewBox=f"0 0 {wide} 24", width=wide, height=24, class_=f"interval {choose_class(look)}",
        aria_hidden="true",
    )  # fmt: skip


@dataclass(frozen=True)
class Bin:
    """Hold a bin of confidence: what was said, what was right with its interval, and the share of all in it."""

    said: float
    right: float
    ends: tuple[float, float]
    share: float
    told: str


def draw_reliability(title: str, bins: Sequence[Bin]) -> Markup:
    """Draw how often votes are right against how clear they are: on the diagonal, confidence is what it says."""
    size, left, bottom = 240, 36, 34
    start = min([50.0, *(10.0 * int(end / 10) for one in bins for end in (one.said, one.ends[0]))])

    def place(x: float) -> float:
        return round((x - start) / (100 - start) * (size - left - 14), 1)

    def place_x(x: float) -> float:
        """Place a cost in the picture."""
        return round(left + place(x), 1)

    def place_y(y: float) -> float:
        """Place a value in the picture."""
        return round(size - bottom - place(y), 1)

    parts = []
    for tick in choose_ticks(start, 100, 5):
        x, y = place_x(tick), place_y(tick)
        parts.append(write_tag("path", d=f"M{left} {y}H{size - 14}", class_="grid"))
        parts.append(write_tag("text", f"{tick:.0f}", x=left - 5, y=y + 4, class_="end"))
        parts.append(write_tag("text", f"{tick:.0f}", x=x, y=size - bottom + 16, class_="middle"))
    parts.append(
        write_tag("path", d=f"M{place_x(start)} {place_y(start)}L{place_x(100)} {place_y(100)}", class_="printed")
    )
    parts.append(write_tag("text", "confidence (%)", x=(left + size - 14) / 2, y=size - 4, class_="middle label"))
    parts.append(
        write_tag(
            "text", "right (%)", x=0, y=0, class_="middle label", transform=f"translate(9 {size / 2 - 10}) rotate(-90)"
        )
    )
    for one in bins:
        x = place_x(one.said)
        parts.append(write_tag("path", d=f"M{x} {place_y(one.ends[0])}V{place_y(one.ends[1])}", class_="bar"))
        radius = round(3 + 7 * one.share**0.5, 1)
        parts.append(
            write_tag("circle", write_tag("title", one.told), cx=x, cy=place_y(one.right), r=radius, class_="mark")
        )
    return write_tag(
        "svg", join(parts), viewBox=f"0 0 {size} {size}", class_="chart small arm-0", role="img",
        aria_label=flatten_text(title),
    )  # fmt: skip
