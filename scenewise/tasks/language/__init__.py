"""Language models that a user plugs in: frames and words in, a sentence out."""
