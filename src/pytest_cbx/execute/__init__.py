"""Starts, limits, supervises and reaps processes."""
