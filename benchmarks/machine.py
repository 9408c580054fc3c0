"""What a measurement ran on, in one line."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path


def describe_machine() -> str:
    """Processor, cores that this process may use, memory, Python and the date."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        memory = f", {gib:.0f} GiB"
    today = datetime.date.today().isoformat()
    return f"{name}, {cores} cores{memory}, Python {platform.python_version()}, {today}"
