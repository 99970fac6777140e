"""From a trapped system call to what it would change, and how supervised instances start."""
