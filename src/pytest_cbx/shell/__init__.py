"""Reads bash text into a neutral syntax tree, or says plainly that it cannot.

Empty on purpose: whoever needs `nodes` only must not load a parser for it.
"""
