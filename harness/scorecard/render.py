"""A scorecard as text: the table in the paper's shape, then a row for every printed number; Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Mapping, Sequence

from judgescale.harness.finished.wording import write_markdown_list, write_markdown_table
from judgescale.harness.plain_text import defuse_formula, flatten_text
from judgescale.harness.published.lists import RAW
from judgescale.harness.published.setting import describe_printed
from judgescale.harness.published.show import MARKS as STATUS_MARKS
from judgescale.harness.published.show import mark_row
from judgescale.harness.report.tables import (
    LAYOUTS,
    count_lines,
    escape_latex,
    escape_markdown,
    fit_columns,
    write_tabulars,
)
from judgescale.harness.report.text import format_interval
from judgescale.harness.rounding import write_rounded
from judgescale.harness.scorecard.card import Entry, Scorecard
from judgescale.harness.scorecard.verdicts import AGREES, CANNOT_TELL, DIFFERS, NOT_COMPARABLE

NOT_RUN, EQUAL, WITHIN, APART, OPEN, REFUSED, SEVERAL = "–", "=", "≈", "≠", "~", "×", "+"
LEGEND = {
    NOT_RUN: "not run",
    EQUAL: "agrees, equal in the printed digits",
    WITHIN: "agrees, within what judging the same items again gives: ± half of that interval, in points",
    APART: "differs, outside that interval",
    OPEN: "cannot tell: the interval is not known, or a guess lies in it too",
    REFUSED: "not comparable, the rows below say why",
    SEVERAL: "another number was printed for this cell too: see the rows below",
}
LONG_HEADER = ("judge", "how", "column", "measured", "printed", "Δ", "judged again", "verdict", "run", "printed by")
LATEX_HEADER = ("#", "judge", "column", "measured", "printed", "Δ", "verdict")  # runs and sources are too long
CSV_HEADER = (
    "judge", "how", "column", "benchmark", "section", "metric", "strategy", "k", "k_meta", "temperature", "prompt",
    "protocol", "measured", "printed", "difference", "again_low", "again_high", "verdict", "why", "items", "mc_error",
    "run", "signature", "other_runs", "in_cell", "status", "source", "note",
)  # fmt: skip
PAGE = 490.0  # points of a page of LaTeX's article that a table may take, with its caption
CAPTION = 75  # characters in a line of a caption
LINE = 1.25  # ems from line to line
OF_A_BLOCK = 2  # lines that its rules and the space above it take, besides its heading
CELLS = (26, 20, 15, 12)  # ems to which names are folded where there is room for so much
ROOMY = [layout._replace(cell=cell) for layout in LAYOUTS for cell in CELLS]


def render_files(card: Scorecard) -> dict[str, str]:
    """Render the files of a scorecard, by name."""
    return {
        "scorecard.md": render_markdown(card),
        "scorecard.tex": render_latex(card),
        "scorecard.csv": render_csv(card),
    }


def render_markdown(card: Scorecard) -> str:
    """Render both forms for a README or an issue."""
    header, rows = list_wide_rows(card)
    pages = [
        f"### {escape_markdown(write_heading(card))}",
        write_markdown_table(header, rows),
        write_markdown_list(list_legend(card)),
        write_markdown_table(LONG_HEADER, list_long_rows(card)),
    ]
    return "\n\n".join(pages) + "\n"


def render_latex(card: Scorecard) -> str:
    """Render both forms as `table` environments; needs `\\usepackage{booktabs}` and `\\usepackage[T1]{fontenc}`.

    A table that is wider than a line of text is split into blocks of columns, one that is longer than a page into
    several tables.
    """
    header, rows = list_wide_rows(card)
    told = len(header) - len(card.table.columns)
    caption = " ".join([f"{write_heading(card)}.", *(f"{line}." for line in list_legend(card))])
    named = [[write_name(*row[:told]), *row[told:]] for row in rows]
    wide = _write_tables(["#", "judge", *card.table.columns], _number(named), caption, (1,))
    every = [_shorten_row(entry, row) for entry, row in zip(card.entries, list_long_rows(card), strict=True)]
    long = _write_tables(LATEX_HEADER, _number(every), f"{write_heading(card)}: every printed number.", (1, 2, 6))
    runs = dict.fromkeys(f"% {e.measured.run}: {e.measured.signature}" for e in card.entries if e.measured)
    needs = "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}"
    return "\n".join([needs, *map(flatten_text, runs), "\n\n".join([*wide, *long])]) + "\n"


def render_csv(card: Scorecard) -> str:
    """Render the long form: a row for every printed number, values in percent and points."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(CSV_HEADER)
    for entry in card.entries:
        row, text = entry.printed
        ours = entry.measured.candidate if entry.measured else None
        low, high = (f"{100 * end:.4g}" for end in ours.again) if ours and ours.again else ("", "")
        cells: Sequence[object] = (
            entry.line.judge, entry.line.how, entry.column, row.benchmark, row.subset, row.metric, row.strategy, row.k,
            row.k_meta, row.temperature, row.prompt, row.protocol, entry.write_measured(), text,
            entry.write_difference(), low, high, entry.verdict.word, entry.verdict.why, ours.items if ours else None,
            f"{100 * ours.mc_error:.2f}" if ours and ours.mc_error else None,
            entry.measured.run if entry.measured else None, entry.measured.signature if entry.measured else None,
            "; ".join(describe_others(entry)), "yes" if entry.shown else "no", row.status, row.source, row.note,
        )  # fmt: skip
        write(["" if cell is None else defuse_formula(cell) for cell in cells])
    return out.getvalue()


def write_heading(card: Scorecard) -> str:
    """Write what the scorecard is of."""
    return ", ".join(filter(None, [card.table.title, card.table.about]))


def list_wide_rows(card: Scorecard) -> tuple[list[str], list[list[str]]]:
    """List the table's lines in the paper's shape, and its header; how numbers were made only where some line says."""
    shown = {(entry.line, entry.column): entry for entry in card.entries if entry.shown}
    told = any(line.how for line in card.table.lines)
    header = ["judge", *["how"] * told, *card.table.columns]
    rows = []
    for line in card.table.lines:
        found = [shown.get((line, column)) for column in card.table.columns]
        rows.append([line.judge, *[line.how] * told, *("" if e is None else write_cell(e) for e in found)])
    return header, rows


def write_cell(entry: Entry) -> str:
    """Write a cell: what was measured, the mark of its verdict, and in brackets what was printed."""
    row, text = entry.printed
    printed = f"({text}{mark_row(row)}{SEVERAL if entry.disputed else ''})"
    return f"{entry.write_measured()}{mark_verdict(entry)} {printed}"


def mark_verdict(entry: Entry) -> str:
    """Mark a verdict in short; an agreement by an interval has half of it beside it, for all to see how wide it is."""
    verdict = entry.verdict
    if verdict.word == AGREES and verdict.half is not None:
        return f"{WITHIN}±{write_rounded(100 * verdict.half, 1)}"
    return {AGREES: EQUAL, DIFFERS: APART, CANNOT_TELL: OPEN, NOT_COMPARABLE: REFUSED}.get(verdict.word, NOT_RUN)


def list_legend(card: Scorecard) -> list[str]:
    """List what the cells mean: a line for each mark that stands in one."""
    cells = "".join(write_cell(entry) for entry in card.entries if entry.shown)
    percent = "percent" if not {entry.printed[0].metric for entry in card.entries} & RAW else "as printed"
    marks = {mark: told for mark, told in LEGEND.items() if _is_used(mark, card)}
    marks |= {mark: told for mark, told in STATUS_MARKS.items() if f"{mark})" in cells or f"{mark}{SEVERAL})" in cells}
    return [f"measured (printed), {percent}", *(f"{mark} {told}" for mark, told in marks.items())]


def _is_used(mark: str, card: Scorecard) -> bool:
    """Tell whether the mark of a verdict stands in some cell."""
    shown = [entry for entry in card.entries if entry.shown]
    if mark == SEVERAL:
        return any(entry.disputed for entry in shown)
    return any(mark_verdict(entry).startswith(mark) for entry in shown)


def list_long_rows(card: Scorecard) -> list[list[str]]:
    """List a row for every printed number, as LONG_HEADER has it."""
    rows = []
    for entry in card.entries:
        row, text = entry.printed
        ours = entry.measured.candidate if entry.measured else None
        rows.append(
            [
                entry.line.judge,
                describe_printed(row),
                entry.column,
                entry.write_measured(),
                f"{text}{mark_row(row)}",
                entry.write_difference(),
                format_interval(ours.again) if ours and ours.again else "",
                write_verdict(entry),
                entry.measured.run if entry.measured else "",
                f"{row.source} ({row.status})",
            ]
        )
    return rows


def write_verdict(entry: Entry) -> str:
    """Write a verdict with its reason, and which other runs measured the same."""
    return "; ".join(filter(None, [str(entry.verdict), *describe_others(entry)]))


def describe_others(entry: Entry) -> list[str]:
    """Describe what other runs measured of a printed number."""
    return [f"also {write_rounded(100 * m.candidate.value, entry.decimals)} in {m.run}" for m in entry.others]


def write_name(*names: str) -> str:
    """Name a line by its judge and how its numbers were made."""
    return ", ".join(filter(None, names))


def _shorten_row(entry: Entry, row: Sequence[str]) -> list[str]:
    """Shorten a row of the long form to the columns that LaTeX has room for; what judging again gives stays visible."""
    judge, how, column, measured, printed, difference, again, verdict, *_ = row
    more = f"; judged again {again}" if again and again not in verdict else ""
    return [write_name(judge, how), column, measured, printed, difference, f"{verdict}{more}"]


def _number(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Number rows in a column of their own, by which blocks of one row are told."""
    return [[str(number), *row] for number, row in enumerate(rows, 1)]


def _write_tables(
    header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, names: Container[int]
) -> list[str]:
    """Write rows as LaTeX tables, as many as pages are needed for them. names: columns that are set to the left."""
    layout, parts = fit_columns(header, rows, [*ROOMY, *LAYOUTS])

    def measure(row: Sequence[str]) -> int:
        """Count the lines that a row takes on a page."""
        return sum(count_lines(layout, [row[j] for j in part]) for part in parts)

    heading = layout._replace(cell=layout.heading)
    whole = int(PAGE / (LINE * layout.em)) - count_lines(heading, header) * len(parts) - OF_A_BLOCK * len(parts)
    pages: list[list[Sequence[str]]] = [[]]
    room = whole - 2 * (len(caption) // CAPTION + 1)
    for row in rows:
        if pages[-1] and measure(row) > room:
            pages.append([])
            room = whole - 2
        pages[-1].append(row)
        room -= measure(row)
    tables = []
    for number, page in enumerate(pages):
        told = escape_latex(caption) if not number else r"\emph{(continued)}"
        lines = [r"\begin{table}[t]", rf"\centering\{layout.font}\setlength{{\tabcolsep}}{{{layout.space}pt}}"]
        lines += [rf"\caption{{{told}}}", *write_tabulars(layout, parts, header, (page,), names), r"\end{table}"]
        lines += [r"\clearpage"] * (len(pages) > 1)  # LaTeX keeps but a few tables waiting for a page
        tables.append("\n".join(lines))
    return tables


def count_verdicts(card: Scorecard) -> Mapping[str, int]:
    """Count the verdicts of the numbers that stand in cells, and the cells."""
    shown = [entry for entry in card.entries if entry.shown]
    words = [entry.verdict.word for entry in shown]
    return {word: words.count(word) for word in (AGREES, DIFFERS, CANNOT_TELL, NOT_COMPARABLE)} | {"cells": len(shown)}
