"""Plain facts, no I/O: imports only the standard library and itself."""
