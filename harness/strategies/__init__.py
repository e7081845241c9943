"""One file a strategy: a frozen dataclass of its knobs whose call decides about one item (contracts.Strategy)."""
