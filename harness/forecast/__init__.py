"""What more judgments would give: `judgescale plan`, a forecast from the judgments of a finished run."""
