"""Run a network fast: frames and words become vectors. Knows nothing of libraries."""
