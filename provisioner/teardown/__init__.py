"""Removing what is ours: what, in what order, with what result, and what is left."""
