"""Tables of the results beside published numbers, as Markdown, LaTeX (booktabs) and CSV: percent, one decimal.

One table a task, one row an arm, then other judges' published numbers as context. Numbers somebody only remembers are
left out unless asked for.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Container, Iterable, Sequence
from typing import NamedTuple

from judgescale.harness.plain_text import defuse_formula, flatten_text
from judgescale.harness.report.readings import (
    OVERALL,
    describe_published,
    find_own_published,
    find_value_at,
    fold_points,
    format_judgments_per_item,
    format_k,
    group_by_task,
    list_context,
    list_smaller_ks,
    tell_apart,
)
from judgescale.harness.report.text import (
    UNKNOWN,
    format_interval,
    format_mc_error,
    format_percent,
    format_points,
)
from judgescale.harness.types import Published, Result

CSV_HEADER = (
    "task", "judge", "strategy", "k", "section", "metric", "value", "ci_low", "ci_high", "mc_error", "items",
    "judgments_per_item", "published", "delta", "source", "status", "signature",
)  # fmt: skip
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "\u2013": "--", "Δ": r"$\Delta$", "±": r"$\pm$",
    "≈": r"$\approx$", "≠": r"$\neq$", "×": r"$\times$", "≤": r"$\leq$",
}  # fmt: skip
NAMES = (1, 2)  # columns of names: judge and strategy
LINE = 345.0  # points in a line of LaTeX's article
WIDTHS = {
    0.32: " .,:;'!|[]il",
    0.42: "tfjrs()-",
    0.51: "0123456789acegkoqvxyz/",
    0.83: "mw%@+=~<>",
    1.05: "MW",
}  # in ems
SAFE = 0.95  # how wide texts are, most often, of what these say


class Layout(NamedTuple):
    """Hold how a table is set in LaTeX."""

    font: str
    em: float  # points
    space: int  # points on either side of a column
    cell: float  # ems to which a cell is folded
    heading: float


# the first one is also that of tables in several blocks
LAYOUTS = (
    Layout("small", 9.26, 4, 10, 6), Layout("footnotesize", 8.5, 3, 10, 6), Layout("scriptsize", 7.98, 2, 8, 6),
)  # fmt: skip


class Table(NamedTuple):
    """Hold one task's table as text that is not yet escaped."""

    task: str
    header: list[str]
    rows: list[list[str]]  # the arms, numbered in the first cell
    context: list[list[str]]
    signatures: list[str]
    sources: list[str]
    brackets: bool  # whether section cells carry a difference in brackets


def render_markdown(results: Sequence[Result], recalled: bool = False) -> str:
    """Render a table a task for a README or an issue."""
    blocks = []
    for table in _make_tables(results, recalled):
        e = escape_markdown
        lines = [
            f"### {e(table.task)}",
            "",
            join_with_pipes(table.header, e),
            join_with_pipes(["---"] * len(table.header), str),
        ]
        lines += [join_with_pipes(row, e) for row in table.rows + table.context]
        lines += [""] + [e(line) + "  " for line in _write_legend(table)]
        lines += [""] + [f"{i}. `{sig.replace('`', '')}`" for i, sig in enumerate(table.signatures, 1)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def render_latex(results: Sequence[Result], recalled: bool = False) -> str:
    """Render a `table` environment a task; needs `\\usepackage{booktabs}` and `\\usepackage[T1]{fontenc}`.

    A table that is wider than a line of text, by estimate, is split into blocks of columns, one below the other.
    """
    blocks = []
    for table in _make_tables(results, recalled):
        e = escape_latex
        layout, parts = fit_columns(table.header, table.rows + table.context)
        body = [f"% signature {i}: {sig}" for i, sig in enumerate(table.signatures, 1)]
        body += [r"\begin{table}[t]", rf"\centering\{layout.font}\setlength{{\tabcolsep}}{{{layout.space}pt}}"]
        body += [rf"\caption{{{e(table.task)}. {' '.join(e(line) for line in _write_legend(table))}}}"]
        marked = [[f"p{i}", *row[1:]] for i, row in enumerate(table.context, 1)] if len(parts) > 1 else table.context
        body += [*write_tabulars(layout, parts, table.header, (table.rows, marked), NAMES), r"\end{table}"]
        blocks.append("\n".join(body))
    return "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n" + "\n\n".join(blocks) + "\n"


def write_tabulars(
    layout: Layout,
    parts: Sequence[Sequence[int]],
    header: Sequence[str],
    groups: Iterable[Sequence[Sequence[str]]],
    names: Container[int],
) -> list[str]:
    """Write a `tabular` for each block of columns, one below the other, with a rule between groups of rows.

    parts: the columns of each block, as `fit_columns` gives them. names: columns that are set to the left.
    """
    body: list[str] = []
    for number, part in enumerate(parts):
        if number:
            body.append(r"\par\medskip")
        body += [rf"\begin{{tabular}}{{{''.join('l' if j in names else 'r' for j in part)}}}", r"\toprule"]
        body += ["{}" + " & ".join(_box(header[j], layout.heading) for j in part) + r" \\"]
        for group in groups:
            rows = [[row[j] for j in part] for row in group]
            if rows := [row for row in rows if any(row[1:])]:
                body += [r"\midrule", *("{}" + " & ".join(_box(c, layout.cell) for c in row) + r" \\" for row in rows)]
        body += [r"\bottomrule", r"\end{tabular}"]
    return body


def render_csv(results: Sequence[Result], recalled: bool = False) -> str:
    """Render one CSV row an arm and section, then the context, whose rows have no signature."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(CSV_HEADER)
    for task, arms in group_by_task(results).items():
        for r in arms:
            printed = find_own_published(r)
            for section, estimate in {OVERALL: r.headline, **r.sections}.items():
                p = printed.get(section)
                ci = [_empty_if_unknown(format_percent(x)) for x in estimate.ci] if estimate.ci else ["", ""]
                cells = [
                    task,
                    r.judge,
                    r.strategy,
                    r.k,
                    section,
                    estimate.metric,
                    _empty_if_unknown(format_percent(estimate.value)),
                    *ci,
                ]
                cells += [f"{100 * estimate.mc_error:.2f}" if estimate.mc_error else ""]
                cells += [estimate.items, _empty_if_unknown(format_judgments_per_item(r))]
                cells += (
                    [format_percent(p.value), format_points(p.delta), p.source, describe_status(p)] if p else [""] * 4
                )
                write([*map(defuse_formula, cells), flatten_text(r.signature)])
        for p in list_context(arms, recalled):
            k = "" if p.k is None else p.k
            cells = [task, p.name, _name_context(p), k, p.section, arms[0].headline.metric, "", "", "", "", "", ""]
            write(
                [
                    *map(defuse_formula, cells),
                    format_percent(p.value),
                    "",
                    defuse_formula(p.source),
                    describe_status(p),
                    "",
                ]
            )
    return out.getvalue()


def _name_context(row: Published) -> str:
    """Name what stands in the strategy's place of a row of context: published, and how it was made."""
    return ": ".join(filter(None, ["published", describe_published(row)]))


def describe_status(row: Published) -> str:
    """Describe how far a published number is to be trusted: its status, and that a recalled one is unverified."""
    return row.status.replace("recalled", "recalled, unverified", 1)


def escape_latex(text: str) -> str:
    """Escape a text so that LaTeX prints it as it is."""
    return "".join(LATEX.get(c, c) for c in flatten_text(text))


def _make_tables(results: Sequence[Result], recalled: bool) -> list[Table]:
    return [_make_table(task, arms, recalled) for task, arms in group_by_task(results).items()]


def _make_table(task: str, every: Sequence[Result], recalled: bool) -> Table:
    arms, smaller = fold_points(every), list_smaller_ks(every)
    sections = list(dict.fromkeys(name for r in arms for name in r.sections))
    printed = [find_own_published(r) for r in arms]
    others = list_context(arms, recalled)
    shown = [p for rows in printed for p in rows.values()] + others
    letters = {source: _make_letter(i) for i, source in enumerate(dict.fromkeys(map(_describe_source, shown)))}

    def format_value(p: Published) -> str:
        return f"{format_percent(p.value)} {letters[_describe_source(p)]}"

    metric = " / ".join(dict.fromkeys(r.headline.metric for r in arms))
    one = [f"at k={k}" for k in smaller]
    header = ["#", "judge", "strategy", "k", f"{metric} [95 % interval]", *one, *sections]
    header += ["judgments/item", "published", "Δ"]
    rows = []
    for i, (r, theirs, more) in enumerate(zip(arms, printed, tell_apart(arms), strict=True), 1):
        strategy = f"{r.strategy}, {more}" if more else r.strategy
        row = [
            str(i),
            r.judge,
            strategy,
            format_k(r),
            _join_words(
                format_percent(r.headline.value), format_mc_error(r.headline.mc_error), format_interval(r.headline.ci)
            ),
        ]
        row += [format_percent(find_value_at(r, k)) for k in smaller]
        for name in sections:
            cell = UNKNOWN
            if e := r.sections.get(name):
                cell = _join_words(format_percent(e.value), format_mc_error(e.mc_error))
            row.append(f"{cell} ({format_points(theirs[name].delta)})" if name in theirs else cell)
        p = theirs.get(OVERALL)
        row += [format_judgments_per_item(r)] + ([format_value(p), format_points(p.delta)] if p else [UNKNOWN, UNKNOWN])
        rows.append(row)
    blank = [""] * (len(one) + len(sections))
    rest = [
        ["", p.name, _name_context(p), "" if p.k is None else str(p.k), "", *blank, "", format_value(p), ""]
        for p in others
        if p.section == OVERALL
    ]
    brackets = any(name in theirs for theirs in printed for name in sections)
    notes = [f"{letter}: {source}" for source, letter in letters.items()]
    return Table(task, header, rows, rest, [flatten_text(r.signature) for r in arms], notes, brackets)


def _describe_source(p: Published) -> str:
    return f"{p.source} ({describe_status(p)})"


def _write_legend(table: Table) -> list[str]:
    lines = ["Values in percent."]
    if any("±" in cell for row in table.rows for cell in row):
        lines.append("±: standard error of what is left to the seed (Monte Carlo), in points.")
    if table.brackets:
        lines.append("In brackets: ours minus the published section, in points.")
    if table.sources:
        lines.append("Published: " + "; ".join(table.sources) + ".")
    return lines


def _join_words(*words: str) -> str:
    return " ".join(filter(None, words))


def _make_letter(i: int) -> str:
    """Make the mark of the i-th source: a, b, …, z, z1, z2, …"""
    return chr(ord("a") + i) if i < 26 else f"z{i - 25}"


def join_with_pipes(cells: Sequence[str], escape: Callable[[str], str]) -> str:
    """Join the cells of a row of a Markdown table."""
    return "| " + " | ".join(map(escape, cells)) + " |"


def fit_columns(
    header: Sequence[str], rows: Sequence[Sequence[str]], layouts: Sequence[Layout] = LAYOUTS
) -> tuple[Layout, list[list[int]]]:
    """Fit a table into a line: the layout, and the columns of each block, which all begin with the first column.

    layouts: the first in which one block is enough is taken; where none is, the table's are those of LAYOUTS[0].
    """
    every = list(range(len(header)))

    def measure(layout: Layout, j: int) -> float:
        """Estimate how wide a column is, in points."""
        cells = [min(_estimate_ems(row[j]), layout.cell) for row in rows]
        return max([min(_estimate_ems(header[j]), layout.heading), *cells]) * layout.em + 2 * layout.space

    for layout in layouts:
        if sum(measure(layout, j) for j in every) <= LINE:
            return layout, [every]
    layout, blocks = LAYOUTS[0], [[0]]
    for j in every[1:]:
        if len(blocks[-1]) == 1 or sum(measure(layout, i) for i in (*blocks[-1], j)) <= LINE:
            blocks[-1].append(j)
        else:
            blocks.append([0, j])
    return layout, blocks


def count_lines(layout: Layout, row: Sequence[str]) -> int:
    """Estimate over how many lines LaTeX sets a row, whose widest cells are folded."""
    return max((_count_lines(cell, layout.cell / SAFE) for cell in row), default=1)


def _count_lines(cell: str, limit: float) -> int:
    lines, used = 1, 0.0
    for word in flatten_text(cell).split():
        for number, piece in enumerate(_cut(word, limit)):
            wide = _estimate_ems(piece) + (_estimate_ems(" ") if used and not number else 0.0)
            if used and used + wide > limit:
                lines, used = lines + 1, 0.0
            used += wide
    return lines + (lines > 2)  # LaTeX may break a paragraph into one more, for even lines


def _estimate_ems(text: str) -> float:
    """Estimate how wide LaTeX sets a text, in ems, by a rule on the safe side: no font is at hand to measure it."""
    return sum(_estimate_em(c) for c in flatten_text(text)) if text != " " else _estimate_em(text)


def _estimate_em(character: str) -> float:
    for ems, characters in WIDTHS.items():
        if character in characters:
            return ems
    return 0.83 if character.isupper() else 0.56 if ord(character) < 0x300 else 1.1


def _box(text: str, limit: float) -> str:
    """Write a cell in LaTeX; one wider than so many ems as a paragraph of that width, in which long words may break."""
    if _estimate_ems(text) <= limit:
        return escape_latex(text)
    words = [_cut(word, limit) for word in flatten_text(text).split()]
    broken = " ".join(r"\allowbreak{}".join(map(escape_latex, word)) for word in words)
    return rf"\parbox[b]{{{limit:g}em}}{{\raggedright {broken}}}"


def _cut(word: str, limit: float) -> list[str]:
    """Cut a word that is wider than so many ems after its separators, and where that is not enough, anywhere."""
    if _estimate_ems(word) <= limit:
        return [word]
    pieces: list[str] = []
    for part in re.findall(r"[^/_.-]*[/_.-]|[^/_.-]+", word):
        pieces.append("")
        for character in part:
            if _estimate_ems(pieces[-1] + character) > limit and pieces[-1]:
                pieces.append("")
            pieces[-1] += character
    return pieces


def escape_markdown(text: str) -> str:
    """Write a text such that Markdown shows it as it is, on one line."""
    text = re.sub(r"([\\`*\[\]<>|])", r"\\\1", flatten_text(text))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # an underscore inside a word is only a letter


def _empty_if_unknown(text: str) -> str:
    return "" if text == UNKNOWN else text
