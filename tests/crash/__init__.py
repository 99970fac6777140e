"""Kill everything at every point, recover, look. `python -m tests.crash` tries them all."""
