"""What finished runs say: comparisons, leaderboards, and single items."""
