"""The undo journal: pre-images, commit, roll back, recovery. Knows nothing of processes."""
