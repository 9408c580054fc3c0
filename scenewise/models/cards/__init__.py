"""The cards of the networks, a module for each family, each with ``CARDS``."""
