"""What is changed by chance in training, alike in all frames of a clip."""
