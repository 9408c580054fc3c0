"""Published weights: where they lie, how they are read, and which network they belong to."""
