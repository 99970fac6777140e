"""The only package that imports pytest."""
