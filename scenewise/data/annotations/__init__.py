"""Readers of the annotation files of the field's datasets; one module each, all found by name."""
