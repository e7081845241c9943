"""The page of a run: report.html, which holds everything and loads nothing."""
