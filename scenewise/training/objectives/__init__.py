"""What networks should learn: one objective a module."""
