"""judgescale's one entry in a checkout: python run.py [judge=…] [engine=…] [strategy=…] [task=…]   (-m sweeps)."""

from __future__ import annotations

from judgescale.harness.command import main

if __name__ == "__main__":
    main()
