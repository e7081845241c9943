"""The program. Its rooms, in the order of a run, are described in docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of conf/, tasks/ and results/: the checkout, or the installed package
