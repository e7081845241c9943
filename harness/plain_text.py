"""Make text that we did not write safe to show: on a terminal, in a table, in a spreadsheet.

Names and notes come from models, servers, files and recorded sets we do not know. What is shown of them is one line
that can neither steer a terminal nor turn the reading direction; what a spreadsheet gets is no formula.
"""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # of Persian, Indic scripts and emoji: they shape letters and steer nothing
FORMULAS = "=+-@"  # what a spreadsheet takes for the start of one


def escape_controls(text: str) -> str:
    r"""Write control characters (ESC, C1, bidi marks, halves of a character, unassigned) as \x1b or \u202e."""
    return text if text.isascii() and text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or character in JOINERS:
        return character
    return character.encode("ascii", "backslashreplace").decode() if ord(character) > 127 else repr(character)[1:-1]


def flatten_text(text: str) -> str:
    """Put a text on one line, its control characters visible."""
    whole = str(text)
    if " " not in whole and whole.isascii() and whole.isprintable():  # most names, of which there may be very many
        return whole
    return escape_controls(" ".join(whole.split()))


def defuse_formula(cell: object) -> str:
    """Write a cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe."""
    text = flatten_text(str(cell))
    first = unicodedata.normalize("NFKC", text[:1])  # full-width signs count too
    if isinstance(cell, str) and first in (*FORMULAS,) and len(text) > 1 and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
