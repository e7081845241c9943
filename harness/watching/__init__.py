"""Watching a run while it goes on: rates, the time that is left, the terminal, the log file, experiment trackers."""
