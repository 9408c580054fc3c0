"""Annotations of the field's datasets, datasets of clips, and a generated world."""
