"""The machine that figures were taken on, to be printed beside them."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> dict[str, object]:
    """Processor, cores this process may use, memory in GiB, Python, and the load now: others may be busy here."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def line(machine: dict[str, object]) -> str:
    """The description as one line."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GiB, Python {machine['python']}, "
        f"load {machine['load']} at the start"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
