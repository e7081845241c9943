"""List the options of every strategy, as the tables of docs/strategies/, from conf/strategy/.

python docs/list_strategies.py              print the tables
python docs/list_strategies.py --write      put each into docs/strategies/NAME.md, between its two marks
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "strategies"
BEGIN, END = "<!-- options: python docs/list_strategies.py --write -->", "<!-- end of options -->"
OPTION = re.compile(r"^(\w+): (.*?)(?: # (.*))?$")
SHARED = {  # said once, in the notes of docs/strategies.md, wherever a config says nothing
    "seed": "what chance draws by",
    "unusable": "how an unusable judgment votes: `abstain`, or `plurality`",
    "tie": "credit of a tied decision",
}


def list_strategies() -> list[str]:
    """List the strategies by name."""
    return sorted(path.stem for path in (ROOT / "conf" / "strategy").glob("*.yaml"))


def write_table(name: str) -> str:
    """Write the table of a strategy's options: name, what it is by default, and what its config says about it."""
    lines = ["| option | default | |", "|---|---|---|"]
    for line in (ROOT / "conf" / "strategy" / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        found = OPTION.match(line)
        if found and not line.startswith("_target_"):
            option, value, words = found.groups()
            about = (words or SHARED[option]).replace("|", "\\|")
            lines.append(f"| `strategy.{option}` | `{value}` | {about} |")
    return "\n".join(lines)


def replace_table(page: str, table: str) -> str:
    """Return the page with this table between its marks."""
    return re.sub(
        f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", lambda _: f"\n{table}\n\n", page, flags=re.DOTALL
    )


if __name__ == "__main__":
    for name in list_strategies():
        if sys.argv[1:] == ["--write"]:
            page = PAGES / f"{name}.md"
            page.write_text(replace_table(page.read_text(encoding="utf-8"), write_table(name)), encoding="utf-8")
        else:
            print(f"{name}\n\n{write_table(name)}\n")
