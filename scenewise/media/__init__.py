"""From containers to frames, sound and text, and back. Knows nothing of networks."""
