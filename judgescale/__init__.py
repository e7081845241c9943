"""judgescale."""
