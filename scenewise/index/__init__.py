"""Many videos, one index: the catalogue, the vectors and the work of filling them."""
