"""Makes Jittor importable on this machine, before its first import, without downloads.

Jittor compiles itself when it is first imported and, left alone, downloads oneDNN and trusts any `nvcc` that it finds.
Here the compiler, the Python headers, oneDNN (from the PyPI wheels), CUDA and the cache are checked first: what is
missing is reported in one line, what is there is passed to Jittor through its own environment variables, and a user's
own settings of `cc_path`, `nvcc_path`, `use_mkl`, `python_config_path`, `cache_name` are respected. Nothing is written
outside the user's Jittor cache: the installation may be read-only, and belong to another user.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import site
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from crnn_jt import core_patch, op_compiler
from data_tools.errors import UserError

ONEDNN_WHEELS = ("onednn-cpu-gomp", "onednn-devel-cpu-gomp")
ONEDNN_VERSION = "2021.3.0"
_HEADERS = Path("oneapi/dnnl")
_ONEDNN_FOLDER = {"x86_64": "dnnl_lnx_2.2.0_cpu_gomp", "aarch64": "dnnl_lnx_2.2.0_cpu_gomp_aarch64"}


def prepare() -> None:
    """Sets the environment that `import jittor` needs; call before it. Raises UserError with the remedy."""
    if "jittor" in sys.modules:
        return
    if platform.system() != "Linux":
        raise UserError(f"{platform.system()}: Jittor is set up here for Linux only; use CRNN_BACKEND=torch")
    os.environ.setdefault("cc_path", find_compiler())
    os.environ.setdefault("python_config_path", find_python_config())
    if "nvcc_path" not in os.environ and not cuda_runtime():
        os.environ["nvcc_path"] = ""
    make_cache()
    if os.environ.get("use_mkl", "1") == "1":
        place_onednn()
    os.environ["use_mpi"] = str(int(under_mpirun()))
    if under_mpirun():  # compiling in threads hangs under Open MPI
        os.environ.setdefault("use_parallel_op_compiler", "0")
    os.environ.setdefault("cache_name", "crnn_jt")
    os.environ.setdefault("log_silent", "1")
    # Threads that wait for each other spin this often before they sleep. OpenMP's own default, 300 times as much, lets
    # the speed fall to a quarter as soon as another program wants a core.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def import_jittor():
    """Prepares, then imports Jittor with a word on the first, slow start; returns the module."""
    if "jittor" in sys.modules:
        return sys.modules["jittor"]
    prepare()
    for kind in (np.float32, np.float64):
        _ = np.finfo(kind).smallest_subnormal  # numpy remembers; later it would warn, as Jittor flushes denormals
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # Jittor would import it: seconds lost, and two OpenMP runtimes in one process
    try:
        with _FirstStart():
            import jittor_utils

            jittor_utils.pool_cleanup = _end_compilers
            core_patch.install(jittor_utils, jittor_home() / ".cache/jittor")
            import jittor

        op_compiler.install(jittor)
    except Exception as error:
        raise UserError(f"Jittor cannot start: {_last_line(error)} (python -m crnn_jt doctor says more)") from error
    finally:
        if hidden:
            sys.modules.pop("torch", None)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # Jittor's handler ends this process when any child is killed
    return jittor


def _end_compilers() -> None:
    """Ends Jittor's pool of compiling processes at exit, in place of its own clean-up, which waits forever when a
    signal to the whole process group (Ctrl-C, a service manager's SIGTERM) has ended a process that held the pool's
    lock.
    """
    pool = sys.modules["jittor_utils"].p
    pool._terminate.cancel()
    pool._state = pool._worker_handler._state = "TERMINATE"  # no new processes for those that end
    for process in pool._pool:
        process.kill()


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:300] if lines else ''}"


def find_compiler() -> str:
    """The C++ compiler for Jittor: the user's `cc_path`, else g++. Raises UserError where there is none."""
    named = os.environ.get("cc_path")
    found = shutil.which(named or "g++")
    if found is None:
        what = (
            f"cc_path={named}: no such compiler"
            if named
            else "g++: not found, and Jittor compiles its operators with it"
        )
        raise UserError(f"{what}; install it (Debian, Ubuntu: apt install g++)")
    return found


def find_python_config() -> str:
    """The `python3.x-config` of the running Python, which Jittor asks for the headers. Raises UserError where it is
    missing.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}-config"
    folders = [Path(sys.executable).parent, Path(sys.base_prefix) / "bin", Path("/usr/bin"), Path("/usr/local/bin")]
    candidates = [os.environ.get("python_config_path"), *(str(folder / name) for folder in folders)]
    found = next((path for path in candidates if path and os.path.isfile(path)), None)
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if found is None or not headers.is_file():
        missing = name if found is None else str(headers)
        package = name.replace("-config", "-dev")
        raise UserError(f"{missing}: not found, and Jittor compiles against Python's headers; install {package}")
    return found


def under_mpirun() -> bool:
    """Whether `mpirun` started this process. Jittor's MPI support is built and used only then, not wherever there is an
    mpicc. Raises UserError where it is needed and there is no mpicc to build it with.
    """
    if "OMPI_COMM_WORLD_SIZE" not in os.environ:
        return False
    if shutil.which(os.environ.get("mpicc_path") or "mpicc") is None:
        raise UserError("mpicc: not found, and Jittor builds its MPI support with it; apt install libopenmpi-dev")
    return True


def cuda_runtime() -> bool:
    """Whether a CUDA compiler, runtime library and driver are all there; `nvcc` alone is not enough."""
    if shutil.which("nvcc") is None:
        return False
    return _loads("libcuda.so.1") and any(_loads(name) for name in _cudart_names())


def _cudart_names() -> list[str]:
    home = Path(os.path.realpath(shutil.which("nvcc") or "nvcc")).parent.parent
    return ["libcudart.so", *map(str, sorted(home.glob("lib*/libcudart.so*")))]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _user_home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:  # a container's user that has no entry in /etc/passwd
        raise UserError("HOME: not set, and this user has no home folder; set HOME to a folder of your own") from error


def jittor_home() -> Path:
    """The folder whose `.cache/jittor` Jittor uses: `JITTOR_HOME`, what its config file remembers, or the user's
    home.
    """
    remembered = {}
    config = _user_home() / ".cache/jittor/config.json"
    if config.is_file():
        try:
            remembered = json.loads(config.read_text())
        except ValueError as error:
            raise UserError(f"{config}: not valid JSON; delete it, Jittor writes it anew") from error
    return Path(os.environ.get("JITTOR_HOME", remembered.get("JITTOR_HOME", _user_home())))


def make_cache() -> Path:
    """Makes Jittor's cache folder and returns it. Raises UserError where it cannot be written, or where the user's home
    cannot: Jittor keeps its config file there, whatever JITTOR_HOME says.
    """
    cache = jittor_home() / ".cache/jittor"
    for folder, name in ((_user_home() / ".cache/jittor", "HOME"), (cache, "JITTOR_HOME")):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            why = f"cannot be written ({error.strerror}), and Jittor keeps there what it compiles"
            raise UserError(f"{folder}: {why}; set {name} to a folder that can be written") from error
    return cache


def onednn_folder() -> Path:
    """Where Jittor looks for oneDNN."""
    name = _ONEDNN_FOLDER.get(platform.machine())
    if name is None:
        raise UserError(f"{platform.machine()}: Jittor has no oneDNN for this processor; set use_mkl=0")
    return jittor_home() / ".cache/jittor/mkl" / name


def onednn_works(folder: Path) -> bool:
    """Whether `folder` holds oneDNN's headers and a library that loads, whoever put them there."""
    library = folder / "lib/libmkldnn.so"
    return library.is_file() and (folder / "include" / _HEADERS / "dnnl.hpp").is_file() and _loads(str(library))


def place_onednn() -> Path:
    """Copies oneDNN from the installed wheels to where Jittor looks, unless a working one is there already, whoever put
    it there. A dangling link or a broken copy is replaced. Returns the folder.

    Copied, not linked: the folder is shared by all environments of the user and must outlive this one.
    """
    folder = onednn_folder()
    if onednn_works(folder):
        return folder
    prefix = installed_onednn()
    if prefix is None:
        wheels = " ".join(f"{name}=={ONEDNN_VERSION}" for name in ONEDNN_WHEELS)
        raise UserError(f"oneDNN: not installed; pip install {wheels}, or set use_mkl=0 (slow convolutions)")
    try:
        _copy_onednn(prefix, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); free space or set JITTOR_HOME") from error
    return folder


def installed_onednn() -> Path | None:
    """The prefix under whose `lib` and `include` pip put the oneDNN wheels: the environment's, /usr/local for Debian's
    own Python, or the user's after `pip install --user`. None where there is none.
    """
    for prefix in map(Path, (sys.prefix, sysconfig.get_path("data"), site.getuserbase())):
        if (prefix / "lib/libmkldnn.so").is_file() and (prefix / "include" / _HEADERS).is_dir():
            return prefix
    return None


def _copy_onednn(prefix: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".onednn-", dir=folder.parent))
    try:
        (temporary / "lib").mkdir()
        shutil.copy2(prefix / "lib/libmkldnn.so", temporary / "lib/libdnnl.so.2")
        for name in ("libmkldnn.so", "libmkldnn.so.2", "libdnnl.so"):
            (temporary / "lib" / name).symlink_to("libdnnl.so.2")
        shutil.copytree(prefix / "include" / _HEADERS, temporary / "include" / _HEADERS)
        for header in [*prefix.glob("include/dnnl*.h*"), *prefix.glob("include/mkldnn*.h*")]:
            shutil.copy2(header, temporary / "include")
        temporary.chmod(0o755)
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            folder.rename(temporary / "broken")
        temporary.rename(folder)
        shutil.rmtree(folder / "broken", ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _FirstStart:
    """Says that Jittor compiles its core, and how far it is, when the cache of this environment holds none yet."""

    def __enter__(self) -> None:
        import jittor_utils

        self.cache = Path(jittor_utils.cache_path)
        self.stop = threading.Event()
        self.thread = None
        if not list(self.cache.glob("jittor_core*.so")):
            print("Jittor compiles its core for this machine, once: about 2 minutes on two cores.", file=sys.stderr)
            self.thread = threading.Thread(target=self._tick, daemon=True)
            self.thread.start()

    def _tick(self) -> None:
        started, every = time.monotonic(), 1 if sys.stderr.isatty() else 20
        while not self.stop.wait(every):
            compiled = sum(1 for _ in self.cache.glob("obj_files/*.o"))
            seconds = time.monotonic() - started
            print(f"  {seconds:4.0f} s, {compiled} files compiled", end=_LINE_END, file=sys.stderr, flush=True)

    def __exit__(self, *_) -> None:
        self.stop.set()
        if self.thread is not None:
            self.thread.join()
            print(file=sys.stderr)


_LINE_END = "\r" if sys.stderr.isatty() else "\n"


def package_version(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
