"""The same without pytest: `cbx`."""
