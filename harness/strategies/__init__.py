"""One file a strategy. A strategy is a frozen dataclass of its knobs whose call decides one item (types.Strategy)."""
