"""Watching a stream: rules over what is seen and heard, and events that go out."""
