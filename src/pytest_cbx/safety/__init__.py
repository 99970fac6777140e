"""Gives the tier of a command, with its reasons."""
