"""Turns events into files for people and scripts."""
