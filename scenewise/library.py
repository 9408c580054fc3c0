"""Library, the face that people import: joins the index and the tasks, one method a verb."""

from __future__ import annotations


class Library:
    """A folder that holds what was indexed."""
