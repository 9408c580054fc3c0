"""Networks that turn pictures or clips into features."""
