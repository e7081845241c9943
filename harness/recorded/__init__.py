"""Recorded sets: judgments somebody already paid for, kept as one small Parquet file a set (numbers and ids, no texts).

    from judgescale.harness.recorded import list_shipped_sets, read_set, write_set
    vicuna = read_set("results/recorded/vicuna80.parquet")      # or read_set("vicuna80"): a shipped set by its name
    vicuna.meta["varies"], len(vicuna.records)

`judgescale recorded --help` imports other people's files, shows a set and rebuilds the shipped ones.
"""

from judgescale.harness.recorded.sets import COLUMNS, SCHEMA, RecordedSet, list_shipped_sets, read_set, write_set

__all__ = ["COLUMNS", "SCHEMA", "RecordedSet", "list_shipped_sets", "read_set", "write_set"]
