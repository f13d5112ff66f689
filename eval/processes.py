"""What the benches that measure in processes of their own share."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout, or the folder of installed packages."""


def make_environment(threads: int, **variables: str) -> dict[str, str]:
    """This process's environment with `threads` OpenMP threads and the given variables.

    A checkout is found by its processes whatever folder they run in. Installed packages are not shown that way: they
    would hide those of another environment's interpreter.
    """
    if (ROOT / "pyproject.toml").is_file():
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {"PYTHONPATH": os.pathsep.join(paths), **variables}
    return {**os.environ, "OMP_NUM_THREADS": str(threads), **variables}


def read_last_words(log: Path, code: int) -> str:
    """Why a process ended with exit code `code`: the last line that it wrote."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else f"ended with exit code {code}"
