"""A state machine without I/O: events in, decisions out."""
