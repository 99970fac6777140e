"""What a fault is, and when it strikes: values and one state machine, without I/O. Who makes them is `pytest_cbx.chaos`."""
