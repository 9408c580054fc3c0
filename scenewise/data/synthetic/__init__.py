"""A generated world: films whose truth is known by construction, to learn from and to test with."""
