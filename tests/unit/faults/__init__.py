"""What a fault is, and when it strikes."""
