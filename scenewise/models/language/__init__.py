"""Networks that read and write words."""
