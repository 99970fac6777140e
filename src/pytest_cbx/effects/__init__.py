"""Walks a syntax tree with a catalogue of programs and lists what the command would touch.

Empty on purpose: the engine needs `model` only, and must not load a parser and a catalogue for it.
"""
