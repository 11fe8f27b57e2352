"""THE rule set: what a machine must be to start, in pure functions. Doors only bring facts to it."""
