"""Compiles the kernels: a shared library with g++ and, around it, one Jittor operator.

The library lies in the user's cache under a name made from its sources, the flags, the compiler and the processor: it
is built once for each of these, whole or not at all, and never again. Only tests ask for other `flags` than its own.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import subprocess
import tempfile
from pathlib import Path

from crnn_jt import runtime
from data_tools.errors import UserError

logger = logging.getLogger(__name__)

KERNELS = Path(__file__).parent / "kernels"
SOURCE = KERNELS / "library.cc"
NATIVE = ("-march=native",)
# No -ffast-math: it would make the denormal mode of the whole process depend on whether this library is loaded.
COMMON = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-unknown-pragmas", "-fPIC", "-fopenmp")


def cache_folder() -> Path:
    """Where compiled kernels are kept: `$XDG_CACHE_HOME/crnn_jt`, else `~/.cache/crnn_jt`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crnn_jt"


def compile_library(flags: tuple[str, ...] = NATIVE) -> Path:
    """The library compiled with `flags`, from the cache where it is there. Raises UserError where g++ fails."""
    compiler = runtime.find_compiler()
    path = cache_folder() / f"kernels-{_fingerprint(compiler, flags)}.so"
    if path.is_file():
        return path
    logger.info("compiling the CPU kernels, once for this machine (a few seconds)")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".so", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be written ({error.strerror}); set XDG_CACHE_HOME") from error
    try:
        command = [compiler, *COMMON, *flags, "-shared", str(SOURCE), "-o", temporary]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{SOURCE.name}: {compiler} cannot compile the kernels: {_first_error(done.stderr)}")
        os.chmod(temporary, 0o755)
        os.replace(temporary, path)  # another process may have been quicker: either file will do
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def _fingerprint(compiler: str, flags: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for source in sorted([*KERNELS.glob("*.h"), *KERNELS.glob("*.cc")]):
        digest.update(source.read_bytes())
    version = subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True).stdout
    digest.update(repr((COMMON, flags, compiler, version, platform.machine(), _processor())).encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """What the processor can do: -march=native means this."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _first_error(messages: str) -> str:
    lines = messages.strip().splitlines() or ["no message"]
    return next((line for line in lines if "error" in line), lines[-1])[:300]


def load(flags: tuple[str, ...] = NATIVE) -> ctypes.CDLL:
    """The library of `flags`, compiled if need be, with the types of its functions set."""
    library = ctypes.CDLL(str(compile_library(flags)))
    library.crnn_error.restype = ctypes.c_char_p
    library.crnn_network_new.restype = ctypes.c_void_p
    for name, types in _SIGNATURES.items():
        getattr(library, name).argtypes = [_TYPES[letter] for letter in types]
    return library


_TYPES = {"h": ctypes.c_void_p, "i": ctypes.c_int, "f": ctypes.c_void_p}  # handle, integer, array
_SIGNATURES = {
    "crnn_network_new": "i",
    "crnn_network_free": "h",
    "crnn_network_conv": "hiiiiiffiff",
    "crnn_network_pool": "hiif",
    "crnn_network_affine": "hiiiffi",
    "crnn_network_add": "hiiii",
    "crnn_network_linear": "hiiff",
    "crnn_network_bilstm": "hiifff",
    "crnn_network_context": "hi",
    "crnn_network_shape": "hiif",
    "crnn_network_run": "hfiiif",
}


@functools.lru_cache(maxsize=1)
def native() -> ctypes.CDLL:
    """This machine's library; loaded once for the process."""
    return load()


@functools.lru_cache(maxsize=1)
def operator():
    """The Jittor operator `kernel_call(inputs, shapes, function, numbers) -> outputs`; compiled at first use."""
    jt = runtime.import_jittor()
    files = [str(KERNELS / name) for name in ("kernel_call_op.h", "kernel_call_op.cc")]
    return jt.compiler.compile_custom_ops(files).kernel_call


def call(function: str, inputs: list, shapes: list[tuple[int, ...]], numbers: list[int]) -> list:
    """Has Jittor run `function` of this machine's library on `inputs` (Vars); returns Vars of `shapes`."""
    address = ctypes.cast(getattr(native(), function), ctypes.c_void_p).value
    return operator()(inputs, shapes, address, numbers)
