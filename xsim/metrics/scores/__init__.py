"""Numbers that a scenario asks of an instrument's image, one file each; they appear as "scores" in `run.json`."""
