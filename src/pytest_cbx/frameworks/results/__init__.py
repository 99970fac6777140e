"""Readers of result files, one a format. `reading` finds the file of a command and chooses the reader."""
