"""Frameworks that are known, one module a language."""
