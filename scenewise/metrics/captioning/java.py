"""The Java programs inside pycocoevalcap: whether they can run here, and how they are called.

It knows where pycocoevalcap lies and how to find Java, and nothing of what the programs compute.
pycocoevalcap itself is not imported: its METEOR class starts a process when it is made, and its
SPICE class downloads.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from scenewise.errors import MissingExtraError


def program_folder(metric: str, way_out: str) -> Path:
    """Where pycocoevalcap keeps the program of a metric.

    Raises MissingExtraError; ``way_out`` is the end of its message.
    """
    found = importlib.util.find_spec("pycocoevalcap")
    folders = list(found.submodule_search_locations or []) if found is not None else []
    if not folders:
        raise MissingExtraError(
            f"{metric.upper()} is computed by the Java program inside pycocoevalcap, which is not "
            f'installed; run pip install "scenewise[metrics]", or {way_out}.'
        )
    return Path(folders[0]) / metric


def java_program(metric: str, way_out: str) -> str:
    """The path of ``java``: of JAVA_HOME, or on the PATH. Raises MissingExtraError."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if found is None:
        raise MissingExtraError(
            f"{metric.upper()} is computed by a Java program, and there is no java on the PATH; "
            f"install one (on Debian: apt install default-jre-headless), or {way_out}."
        )
    return found
