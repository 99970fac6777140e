"""Known-bad variants of the product, which the criteria must catch. Only tests switch them on: see `hook`."""
