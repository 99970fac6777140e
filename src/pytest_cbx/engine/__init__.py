"""The process that serves a work tree, its protocol, and how clients find it."""
