"""The result beside the published numbers: Markdown, LaTeX (booktabs) and CSV. Percent, one decimal.

One table a task, one row an arm, then other judges' published numbers as context. Numbers somebody only remembers are
left out unless asked for.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from judgescale.harness.report import (
    OVERALL,
    UNKNOWN,
    apart,
    by_task,
    clean,
    context,
    first_point,
    interval,
    judgments_per_item,
    own,
    percent,
    plain,
    points,
)
from judgescale.harness.types import Published, Result

CSV_HEADER = (
    "task", "judge", "strategy", "k", "section", "metric", "value", "ci_low", "ci_high", "items", "judgments_per_item",
    "published", "delta", "source", "status", "signature",
)  # fmt: skip
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "\u2013": "--", "Δ": r"$\Delta$",
}  # fmt: skip


class Table(NamedTuple):
    """One task's table as text, not yet escaped."""

    task: str
    header: list[str]
    rows: list[list[str]]  # the arms, numbered in the first cell
    context: list[list[str]]
    signatures: list[str]
    sources: list[str]
    brackets: bool  # whether section cells carry a difference in brackets


def markdown(results: Sequence[Result], recalled: bool = False) -> str:
    """Tables for a README or an issue."""
    blocks = []
    for table in _tables(results, recalled):
        e = _markdown_escape
        lines = [f"### {e(table.task)}", "", _pipe(table.header, e), _pipe(["---"] * len(table.header), str)]
        lines += [_pipe(row, e) for row in table.rows + table.context]
        lines += [""] + [e(line) + "  " for line in _legend(table)]
        lines += [""] + [f"{i}. `{sig.replace('`', '')}`" for i, sig in enumerate(table.signatures, 1)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def latex(results: Sequence[Result], recalled: bool = False) -> str:
    """A `table` environment a task; needs `\\usepackage{booktabs}` and `\\usepackage[T1]{fontenc}`."""
    blocks = []
    for table in _tables(results, recalled):
        e = latex_escape
        body = [f"% signature {i}: {sig}" for i, sig in enumerate(table.signatures, 1)]
        body += [r"\begin{table}[t]", r"\centering\small\setlength{\tabcolsep}{4pt}"]
        body += [rf"\caption{{{e(table.task)}. {' '.join(e(line) for line in _legend(table))}}}"]
        body += [rf"\begin{{tabular}}{{rll{'r' * (len(table.header) - 3)}}}", r"\toprule", _ampersand(table.header, e)]
        body += [r"\midrule"] + [_ampersand(row, e) for row in table.rows]
        body += ([r"\midrule"] + [_ampersand(row, e) for row in table.context]) if table.context else []
        body += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        blocks.append("\n".join(body))
    return "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n" + "\n\n".join(blocks) + "\n"


def long_csv(results: Sequence[Result], recalled: bool = False) -> str:
    """One row an arm and section; context rows have no k and no signature."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(CSV_HEADER)
    for task, arms in by_task(results).items():
        for r in arms:
            printed = own(r, recalled)
            for section, estimate in {OVERALL: r.headline, **r.sections}.items():
                p = printed.get(section)
                ci = [_cell(percent(x)) for x in estimate.ci] if estimate.ci else ["", ""]
                cells = [task, r.judge, r.strategy, r.k, section, estimate.metric, _cell(percent(estimate.value)), *ci]
                cells += [estimate.items, _cell(plain(judgments_per_item(r)))]
                cells += [percent(p.value), points(p.delta), p.source, status(p)] if p else [""] * 4
                write([*map(_safe, cells), clean(r.signature)])
        for p in context(arms, recalled):
            cells = [task, p.name, "published", "", p.section, arms[0].headline.metric, "", "", "", "", ""]
            write([*map(_safe, cells), percent(p.value), "", _safe(p.source), status(p), ""])
    return out.getvalue()


def status(row: Published) -> str:
    """The status as a reader should see it."""
    return row.status.replace("recalled", "recalled, unverified", 1)


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(LATEX.get(c, c) for c in clean(text))


def _tables(results: Sequence[Result], recalled: bool) -> list[Table]:
    return [_table(task, arms, recalled) for task, arms in by_task(results).items()]


def _table(task: str, arms: Sequence[Result], recalled: bool) -> Table:
    sections = list(dict.fromkeys(name for r in arms for name in r.sections))
    printed = [own(r, recalled) for r in arms]
    others = context(arms, recalled)
    shown = [p for rows in printed for p in rows.values()] + others
    letters = {source: _letter(i) for i, source in enumerate(dict.fromkeys(map(_source, shown)))}

    def value(p: Published) -> str:
        return f"{percent(p.value)} {letters[_source(p)]}"

    metric = " / ".join(dict.fromkeys(r.headline.metric for r in arms))
    firsts = [first_point(r) for r in arms]
    one = ["at k=1"] if any(f is not None for f in firsts) else []
    header = ["#", "judge", "strategy", "k", f"{metric} [95 % interval]", *one, *sections]
    header += ["judgments/item", "published", "Δ"]
    rows = []
    for i, (r, theirs, more) in enumerate(zip(arms, printed, apart(arms), strict=True), 1):
        strategy = f"{r.strategy}, {more}" if more else r.strategy
        row = [str(i), r.judge, strategy, str(r.k), f"{percent(r.headline.value)} {interval(r.headline.ci)}".strip()]
        row += [percent(firsts[i - 1])] * len(one)
        for name in sections:
            cell = percent(r.sections[name].value) if name in r.sections else UNKNOWN
            row.append(f"{cell} ({points(theirs[name].delta)})" if name in theirs else cell)
        p = theirs.get(OVERALL)
        row += [plain(judgments_per_item(r))] + ([value(p), points(p.delta)] if p else [UNKNOWN, UNKNOWN])
        rows.append(row)
    blank = [""] * (len(one) + len(sections))
    rest = [["", p.name, "published", "", "", *blank, "", value(p), ""] for p in others if p.section == OVERALL]
    brackets = any(name in theirs for theirs in printed for name in sections)
    notes = [f"{letter}: {source}" for source, letter in letters.items()]
    return Table(task, header, rows, rest, [clean(r.signature) for r in arms], notes, brackets)


def _source(p: Published) -> str:
    return f"{p.source} ({status(p)})"


def _legend(table: Table) -> list[str]:
    lines = ["Values in percent."]
    if table.brackets:
        lines.append("In brackets: ours minus the published section, in points.")
    if table.sources:
        lines.append("Published: " + "; ".join(table.sources) + ".")
    return lines


def _letter(i: int) -> str:
    return chr(ord("a") + i) if i < 26 else f"z{i - 25}"


def _pipe(cells: Sequence[str], escape: Callable[[str], str]) -> str:
    return "| " + " | ".join(map(escape, cells)) + " |"


def _ampersand(cells: Sequence[str], escape: Callable[[str], str]) -> str:
    # {} first: a row must not begin with a bracket, which \\ would read as its argument
    return "{}" + " & ".join(map(escape, cells)) + r" \\"


def _markdown_escape(text: str) -> str:
    text = re.sub(r"([\\`*\[\]<>|])", r"\\\1", clean(text))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # an underscore inside a word is only a letter


def _cell(text: str) -> str:
    return "" if text == UNKNOWN else text


def _safe(cell: object) -> str:
    """A cell no spreadsheet takes for a formula."""
    text = clean(str(cell))
    return f"'{text}" if text[:1] in ("=", "@") else text
