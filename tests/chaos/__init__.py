"""Faults, campaigns, criteria: with real processes."""
