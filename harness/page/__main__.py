"""The command that opens the page of finished runs.

    judgescale view RUN_FOLDER …

In a checkout, `python -m harness.page` is the same.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Open the page, after writing it where it is not there."""
    raise NotImplementedError  # PAGE builds it
