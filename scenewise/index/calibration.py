"""From scores to ``match``, the estimated probability that a hit is right."""
