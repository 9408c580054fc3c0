"""Numbers that say how good an answer is: pure functions on arrays."""
