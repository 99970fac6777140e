"""Faults on purpose: what strikes, when, for how long; campaigns of them, and the six criteria by which a run is judged."""
