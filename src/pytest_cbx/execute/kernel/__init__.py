"""The only place with `ctypes`: bindings to the kernel."""
