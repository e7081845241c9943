"""What a run leaves behind: tables, figures, machine-readable files and the lines on the terminal."""
