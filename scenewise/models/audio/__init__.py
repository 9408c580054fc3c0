"""Networks that read sound."""
