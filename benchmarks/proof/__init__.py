"""Experiments on the generated world: that networks learn what they should, and popular claims."""
