"""The command `judgescale`, and `python -m judgescale`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Ctrl-C while the program is still being loaded is one line too."""
    try:
        from judgescale.harness.command import main as run
    except KeyboardInterrupt:
        print("interrupted: nothing was started", file=sys.stderr)
        sys.exit(130)
    run()  # which says itself what an interrupted run leaves


if __name__ == "__main__":
    main()
