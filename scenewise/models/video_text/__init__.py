"""Networks that put videos and words into one space, or answer in words."""
