"""When a line is due: soon at first, then ever more seldom, so that a night's run fills no log."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 10.0  # seconds after which the first line comes
SOONEST, LATEST = 30.0, 600.0  # between two lines
SHARE = 0.1  # … as far as the run is already old


@dataclass
class Cadence:
    """Say when the next line is due, of a run that is so many seconds old."""

    due: float = FIRST

    def is_due(self, age: float) -> bool:
        """Tell whether a line is due now; then the next one is due later."""
        if age < self.due:
            return False
        self.due = age + min(max(SOONEST, SHARE * age), LATEST)
        return True
