"""C++ of this package, compiled at first use with the machine's compiler and kept for good.

A library lies in the user's cache under a name made from its sources, the flags, the compiler and the processor: it is
built once for each of these, whole or not at all. Processes may build at once, since the last step is a rename. Where
the cache cannot be written (a read-only home), a folder of this user's own among the temporary ones serves instead.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from data_tools.errors import UserError
from data_tools.files import write_bytes

logger = logging.getLogger(__name__)

# -ffast-math is in nobody's flags: a library linked with it changes the denormal mode of the whole process.
_SHARED = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared")
_COMPILERS = ("g++", "c++", "clang++")


def compile_library(
    source: Path, flags: tuple[str, ...], headers: Iterable[Path] = (), compiler: str | None = None
) -> Path:
    """The shared library of one C++ file, from the cache where it is there, else compiled.

    `headers` are the files that it includes; `compiler` is a path, `find_compiler()` where it is None. Raises UserError
    where there is no compiler, where it fails, and where no folder can be written.
    """
    compiler = compiler or find_compiler()
    name = f"{source.stem}-{_hash_inputs([source, *sorted(headers)], flags, compiler)}.so"
    path = _choose_folder(name) / name
    if path.is_file():
        return path
    logger.info("compiling %s, once for this machine (a few seconds)", source.name)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        built = Path(scratch) / name
        _run([compiler, *_SHARED, *flags, str(source), "-o", str(built)], source)
        os.replace(built, path)  # another process may have been quicker: either file will do
    return path


def copy_sources(sources: Iterable[Path]) -> list[Path]:
    """Copies in a folder of the cache that is named by their contents: checkouts and installations then share what a
    compiler with a cache by path makes of them. Raises UserError where no folder can be written.
    """
    contents = {source.name: source.read_bytes() for source in sources}
    folder = f"sources-{hashlib.sha256(b''.join(contents.values())).hexdigest()[:20]}"
    copies = [_choose_folder(f"{folder}/{name}") / folder / name for name in contents]
    for copy, content in zip(copies, contents.values()):
        if not copy.is_file():
            copy.parent.mkdir(exist_ok=True)
            write_bytes(copy, content)
    return copies


def find_compiler() -> str:
    """Path of the user's own C++ compiler (`CXX`, `cc_path`), else of the first usual one. UserError without any."""
    named = next((name for name in ("CXX", "cc_path") if os.environ.get(name)), None)
    found = map(shutil.which, [os.environ[named]] if named else _COMPILERS)
    compiler = next(filter(None, found), None)
    if compiler is None:
        what = f"{named}={os.environ[named]}: no such compiler" if named else "no C++ compiler found"
        raise UserError(f"{what}; install one (Debian, Ubuntu: apt install g++)")
    return compiler


def cache_folder() -> Path | None:
    """Where libraries are kept: `$XDG_CACHE_HOME/crnn_jt`, else `~/.cache/crnn_jt`; None for a user without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crnn_jt"
    except RuntimeError:
        return None


def _choose_folder(name: str) -> Path:
    """The cache where it holds the library `name` or can take it, else the temporary folder. UserError without any."""
    cache = cache_folder()
    if cache and (cache / name).is_file():
        return cache
    reason = _find_obstacle(cache) if cache else "no home folder"
    if not reason:
        return cache
    temporary = Path(tempfile.gettempdir()) / f"crnn_jt-{os.getuid()}"
    if _find_obstacle(temporary, mode=0o700) or not _is_private(temporary):
        raise UserError(f"{reason}; set XDG_CACHE_HOME")
    return temporary


def _find_obstacle(folder: Path, mode: int = 0o777) -> str:
    """Makes the folder; returns why nothing can be written into it, or an empty string."""
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"{folder}: cannot be written ({error.strerror})"
    return ""


def _is_private(folder: Path) -> bool:
    """Whether nobody else could have put a library into the folder."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _run(command: list[str], source: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise UserError(f"{command[0]}: cannot be run ({error.strerror})") from error
    if done.returncode:
        raise UserError(f"{source.name}: {command[0]} cannot compile it: {find_reason(done.stderr)}")


def find_reason(output: str) -> str:
    """The line of a compiler's output that says why it failed: the first that names an error, else the last."""
    lines = output.strip().splitlines() or ["no message"]
    return next((line for line in lines if "error" in line), lines[-1])[:300]


def _hash_inputs(sources: list[Path], flags: tuple[str, ...], compiler: str) -> str:
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    asked = [compiler, "-dumpfullversion", "-dumpversion"]  # the second is for clang, which ignores the first
    version = subprocess.run(asked, capture_output=True, text=True).stdout
    digest.update(repr((_SHARED, flags, compiler, version, platform.machine(), _processor_features())).encode())
    return digest.hexdigest()[:20]


def _processor_features() -> str:
    """What `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
