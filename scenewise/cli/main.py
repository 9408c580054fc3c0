"""The command ``scenewise``: collects the groups of verbs and turns errors into exit codes."""

from __future__ import annotations


def run() -> None:
    """Run the command line and exit."""
    raise NotImplementedError
