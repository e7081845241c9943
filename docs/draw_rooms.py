"""Draw which room of the program imports which, as read from the code: docs/rooms.svg.

    python docs/draw_rooms.py              write the picture
    python docs/draw_rooms.py --list       print every room and the rooms it imports
    python docs/draw_rooms.py --why        print every import between rooms too

Rooms are the folders of harness/, and tasks/ as one. Of the modules that lie loose in harness/, ENTRY starts a run, and
GROUND may be imported by every room. Imports inside functions, and those for type checkers alone, count like any other.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "rooms.svg"

ROOMS = {  # in the order of a run; what each does, in a few words
    "tasks": "benchmarks",
    "entry": "commands and runs",
    "plan": "configs to arms",
    "watching": "log, rates, time left",
    "live": "buying judgments",
    "batch": "requests as files",
    "judges": "prompts and parsers",
    "engines": "what runs a model",
    "trackers": "who else is told",
    "store": "answers bought",
    "recorded": "sets and pools",
    "strategies": "how to decide",
    "evaluation": "pools to results",
    "forecast": "what more would give",
    "scorecard": "a paper's table, filled",
    "finished": "runs held side by side",
    "stats": "arithmetic",
    "published": "printed numbers",
    "report": "files and figures",
    "page": "report.html",
    "exports": "for other tools",
    "ground": "imported by all",
}
ENTRY = (
    "choices", "command", "dry", "resume", "runner", "suite", "sweep", "sweeper", "sweep_options",
    "sweep_progress",
)  # fmt: skip
GROUND = (
    "__init__", "arm", "config_files", "contracts", "cost", "errors", "long_columns", "options", "plain_text",
    "redaction", "rounding", "screen", "seeding", "signature", "stopping", "summary", "types",
)  # fmt: skip

WIDTH, HEIGHT, RIGHT, DOWN, MARGIN = 150, 42, 88, 62, 24  # of a box, from one box to the next, around all


class Import(NamedTuple):
    """Hold one import of a module in another room."""

    file: str
    line: int
    module: str


Imports = Mapping[str, Mapping[str, Sequence[Import]]]  # room -> imported room -> where


def read_imports() -> Imports:
    """Read every import between two rooms. Raises SystemExit for a part of harness/ that has no room here."""
    found: dict[str, dict[str, list[Import]]] = {room: defaultdict(list) for room in ROOMS}
    for path in sorted([*ROOT.glob("harness/**/*.py"), *ROOT.glob("tasks/**/*.py"), *ROOT.glob("judgescale/*.py")]):
        file = path.relative_to(ROOT).as_posix()
        room = find_room(file.removesuffix(".py").removesuffix("/__init__").split("/"))
        for line, module in list_modules(ast.parse(path.read_text())):
            target = find_room(module.split(".")[1:])
            if target != room:
                found[room][target].append(Import(file, line, module))
    return found


def list_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """List the line and full name of every module, or name in one, of judgescale that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise SystemExit(f"line {node.lineno}: a relative import, which this script does not follow")
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.startswith("judgescale."))


def find_room(parts: Sequence[str]) -> str:
    """Find the room of a module by its path below judgescale: ["harness", "live", "order"] is in "live"."""
    if parts[0] != "harness":
        return "tasks" if parts[0] == "tasks" else "entry"  # judgescale/*.py
    name = parts[1] if len(parts) > 1 else "__init__"
    if name in ENTRY:
        return "entry"
    if name in GROUND or not any((ROOT / "harness").glob(f"{name}*")):  # the latter: a name in harness/__init__.py
        return "ground"
    if name not in ROOMS:
        raise SystemExit(f"harness/{name} is in no room that docs/draw_rooms.py knows: ROOMS, ENTRY, GROUND")
    return name


def list_imported(imports: Imports, room: str) -> list[str]:
    """List the rooms that a room imports, in the order of a run."""
    return [target for target in ROOMS if imports[room].get(target)]


def format_list(imports: Imports) -> str:
    """Write a line a room: its name and the rooms it imports. The ground is left out, except for what it imports."""
    lines = []
    for room in ROOMS:
        targets = [target for target in list_imported(imports, room) if target != "ground"]
        lines.append(f"{room:<12}{', '.join(targets) or '-'}")
    return "\n".join(lines)


def draw(imports: Imports) -> str:
    """Draw the rooms on a diagonal in the order of a run, an arrow for every import, as SVG.

    An arrow leaves the room that imports sideways and enters the imported one from above (it comes later in a run, as
    it should) or from below (it comes earlier: a thick dashed line). The row of the importing room and the column of
    the imported one meet in a dot; where lines cross without one, nothing is imported.
    """
    rooms = [room for room in ROOMS if room != "ground"]
    place = {room: (MARGIN + i * RIGHT, MARGIN + i * DOWN) for i, room in enumerate(rooms)}
    width = MARGIN * 2 + (len(rooms) - 1) * RIGHT + WIDTH
    bar = MARGIN + len(rooms) * DOWN + 14  # top of the ground
    lines, boxes = [], []
    for number, room in enumerate(rooms):
        x, y = place[room]
        for other, target in enumerate(rooms):
            if not imports[room].get(target):
                continue
            tx, ty = place[target]
            later = other > number
            start, row = (x + WIDTH, y + HEIGHT / 2) if later else (x, y + HEIGHT / 2)
            column, end = (tx + WIDTH / 2, ty) if later else (tx + WIDTH / 2, ty + HEIGHT)
            lines.append(draw_line([(start, row), (column, row), (column, end)], against=not later))
        boxes.append(draw_box(x, y, WIDTH, room, ROOMS[room]))
    for target in rooms:
        if imports["ground"].get(target):
            x, y = place[target]
            lines.append(draw_line([(x + WIDTH / 2 - 18, bar), (x + WIDTH / 2 - 18, y + HEIGHT)], against=True))
    boxes.append(draw_box(MARGIN, bar, width - 2 * MARGIN, "ground, imported by all", ", ".join(GROUND[1:])))
    legend = [
        f'<text x="{MARGIN}" y="{bar - 206}">A dot: the room of this row</text>',
        f'<text x="{MARGIN}" y="{bar - 186}">imports the room of this column.</text>',
        draw_line([(MARGIN, bar - 160), (MARGIN + 60, bar - 160)], against=False),
        f'<text x="{MARGIN + 74}" y="{bar - 155}">It comes later in a run.</text>',
        draw_line([(MARGIN, bar - 130), (MARGIN + 60, bar - 130)], against=True),
        f'<text x="{MARGIN + 74}" y="{bar - 125}">It comes earlier in a run.</text>',
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bar + HEIGHT + MARGIN}"'
            f' width="{width}" height="{bar + HEIGHT + MARGIN}" font-family="sans-serif" font-size="15">',
            "<title>The rooms of judgescale and what each imports</title>",
            f'<rect width="{width}" height="{bar + HEIGHT + MARGIN}" fill="#ffffff"/>',
            *lines,
            *boxes,
            *legend,
            "</svg>\n",
        ]
    )


def draw_box(x: float, y: float, width: float, name: str, about: str) -> str:
    """Draw a room: its name, and under it what it does."""
    middle = x + width / 2
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{HEIGHT}" rx="5" fill="#f2f2f2" stroke="#000000"/>'
        f'<text x="{middle:g}" y="{y + 18}" text-anchor="middle" font-weight="bold">{escape(name)}</text>'
        f'<text x="{middle:g}" y="{y + 35}" text-anchor="middle" font-size="13">{escape(about)}</text>'
    )


def draw_line(points: Sequence[tuple[float, float]], against: bool) -> str:
    """Draw an arrow through these points, with a dot at each corner; `against` the order of a run, thick and dashed."""
    path = "M" + " L".join(f"{x:g},{y:g}" for x, y in points)
    style = 'stroke="#000000" stroke-width="3" stroke-dasharray="8 5"' if against else 'stroke="#000000"'
    dots = "".join(f'<circle cx="{x:g}" cy="{y:g}" r="3.5"/>' for x, y in points[1:-1])
    (x0, y0), (x, y) = points[-2:]
    if x0 == x:
        back = 11 if y0 > y else -11
        head = f"{x:g},{y:g} {x - 5:g},{y + back:g} {x + 5:g},{y + back:g}"
    else:
        head = f"{x:g},{y:g} {x - 11:g},{y - 5:g} {x - 11:g},{y + 5:g}"
    return f'<path d="{path}" fill="none" {style}/>{dots}<polygon points="{head}"/>'


def main(arguments: Sequence[str]) -> None:
    """Print the list, or write the picture."""
    imports = read_imports()
    if arguments and arguments[0] not in ("--list", "--why"):
        raise SystemExit(__doc__)
    if not arguments:
        PICTURE.write_text(draw(imports))
        return
    print(format_list(imports))
    if arguments[0] == "--why":
        for room in ROOMS:
            for target in list_imported(imports, room):
                for one in imports[room][target] if target != "ground" else ():
                    print(f"{room} -> {target}: {one.file}:{one.line} {one.module}")


if __name__ == "__main__":
    main(sys.argv[1:])
