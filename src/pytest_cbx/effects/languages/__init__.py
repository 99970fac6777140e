"""Readers of texts in other languages than the shell's: programs on the command line, makefiles, patches, git's configuration.

Pure: a text in, facts out; what they do not know for sure they say nothing about.
"""
