"""python -m judgescale: the same as the command `judgescale`."""

from __future__ import annotations

from judgescale.harness.command import main

if __name__ == "__main__":
    main()
