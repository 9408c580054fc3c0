"""Training: from a config to a network that has learned, with its measured figures."""
