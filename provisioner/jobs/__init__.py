"""A job from request to clean end: the record, what to do next, and doing it."""
