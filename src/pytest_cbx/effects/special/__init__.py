"""Interpreters for programs whose command lines data cannot describe."""
