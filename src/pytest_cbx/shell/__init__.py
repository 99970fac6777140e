"""Reads bash text into a neutral syntax tree, or says plainly that it cannot."""
