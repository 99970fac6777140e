"""Reads makefiles: which recipes a goal would run, as shell text. Facts: the manual of GNU make 4.4."""
