"""The machine that figures were taken on, to be printed with them, and what a process used of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine() -> dict[str, object]:
    """Processor, cores this process may use, memory in GiB, Python, and the load now: others may be busy here."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _find_processor(),
        "cores": count_cores(),
        "memory_gb": round(memory, 1),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def format_machine(machine: dict[str, object]) -> str:
    """The description as one line."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GiB, Python {machine['python']}, "
        f"load {machine['load']} at the start"
    )


def count_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def read_peak_memory() -> int:
    """Peak resident memory of this process so far, MB; from /proc, since getrusage counts the parent's in."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024)


def _find_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
