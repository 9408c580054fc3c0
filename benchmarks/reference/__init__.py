"""How official code is built and called, a module for each family; none of it lies here.

Each module has ``CASES``. The official repository is named by the case and fetched by whoever
compares; only numbers come back.
"""
