"""The verbs, each over a video or an index."""
