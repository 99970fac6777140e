"""Turns commands into claims, finds conflicts, builds the dependency graph in program order."""
