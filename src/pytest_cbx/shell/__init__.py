"""Reads bash text into a neutral syntax tree, or says plainly that it cannot."""

from pytest_cbx.shell.reader import read

__all__ = ["read"]
