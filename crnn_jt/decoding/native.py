"""Builds lexicon.cc with the machine's compiler at first use and loads it; where that fails, numpy does the work.

The library lies in the user's cache, named by a hash of the source, the flags and the processor's abilities, so that a
new version or another machine sharing the home folder builds its own. CRNN_NATIVE=0 keeps to numpy.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

logger = logging.getLogger(__name__)

SOURCE = Path(__file__).with_name("lexicon.cc")
# -ffast-math is left out on purpose: as a shared library it would switch off denormals for the whole process.
REORDER = ["-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math", "-fno-math-errno"]
FLAGS = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", *REORDER]


@cache
def library() -> ctypes.CDLL | None:
    """The compiled searches, or None (said once in the log) where they cannot be built or are not wanted."""
    if os.environ.get("CRNN_NATIVE", "1") == "0":
        return None
    try:
        loaded = ctypes.CDLL(str(_built()))
    except (OSError, subprocess.SubprocessError) as error:
        logger.info("lexicon search runs in numpy: the compiled one cannot be built (%s)", error)
        return None
    for name in ("nearest", "best"):
        getattr(loaded, name).restype = ctypes.c_int64
    loaded.forward.restype = None
    return loaded


def _built() -> Path:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
    if compiler is None:
        raise OSError("no C++ compiler on the path")
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join([compiler, *FLAGS]).encode() + _abilities()).hexdigest()[:20]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crnn_jt"
    path = folder / f"lexicon-{key}.so"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:  # two processes may build at once: rename is atomic
            built = Path(scratch) / path.name
            subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(built)], check=True, capture_output=True)
            os.replace(built, path)
    return path


def _abilities() -> bytes:
    """What `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return b""
    return next((line for line in lines if line.startswith((b"flags", b"Features"))), b"")


def pointer(array) -> ctypes.c_void_p:
    """The address of a contiguous numpy array."""
    return ctypes.c_void_p(array.ctypes.data)
