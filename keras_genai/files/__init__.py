"""Files on every machine: paths, text, and writing that a crash cannot tear."""
