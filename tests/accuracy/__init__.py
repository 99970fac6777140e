"""How true the predictions are: `python -m tests.accuracy` (docs/accuracy.md)."""
