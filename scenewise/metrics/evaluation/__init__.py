"""From files of predictions and references to figures: what ``scenewise evaluate`` does."""
