"""Walks a syntax tree with a catalogue of programs and lists what the command would touch."""
