"""judgescale's one entry in a checkout: python run.py [judge=…] [engine=…] [strategy=…] [task=…]   (-m sweeps)."""

from __future__ import annotations

from judgescale.__main__ import main

if __name__ == "__main__":
    main()
