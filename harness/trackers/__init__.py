"""Experiment trackers, one file each: where a run's numbers go if the user asks for it (contracts.Tracker)."""
