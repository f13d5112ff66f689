"""Checks what Jittor needs on this machine: compiler, Python headers, cache, oneDNN, CUDA, MPI, versions. Each line
ends in OK or in what to do. Compiles Jittor's core if that has not happened yet (about 2 minutes, once).

  python -m crnn_jt doctor
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass

from crnn_jt import __version__, runtime
from data_tools.errors import UserError

PACKAGES = (
    "numpy",
    "pillow",
    "lmdb",
    "pybktree",
    "rapidfuzz",
    "safetensors",
    "matplotlib",
    "verovio",
    "opencv-python-headless",
    "pypdfium2",
)


@dataclass(frozen=True)
class Finding:
    """One line of the report; `ok` None marks what is optional and absent."""

    what: str
    found: str
    ok: bool | None = True
    remedy: str = ""


def add_arguments(parser) -> None:
    """Declares the options."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args) -> int:
    """Prints the findings; 1 where something that is needed is missing."""
    findings = [check() for check in CHECKS]
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            state = {True: "OK", False: f"MISSING: {finding.remedy}", None: f"absent (optional): {finding.remedy}"}
            print(f"{finding.what:<16} {finding.found}  {state[finding.ok]}".rstrip())
    return int(any(finding.ok is False for finding in findings))


def _attempt(what: str, look: Callable[[], object]) -> Finding:
    try:
        return Finding(what, str(look()))
    except UserError as error:
        return Finding(what, "-", False, str(error))


def _compiler() -> Finding:
    def look() -> str:
        path = runtime.find_compiler()
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        return f"{path} ({shown.splitlines()[0] if shown else 'does not run'})"

    return _attempt("compiler", look)


def _headers() -> Finding:
    return _attempt("python headers", runtime.find_python_config)


def _onednn() -> Finding:
    if os.environ.get("use_mkl", "1") != "1":
        return Finding("oneDNN", "switched off by use_mkl: slow convolutions", None, "unset use_mkl")
    return _attempt("oneDNN", runtime.place_onednn)


def _cuda() -> Finding:
    if runtime.cuda_runtime():
        return Finding("CUDA", f"nvcc {shutil.which('nvcc')}")
    why = "nvcc without a CUDA runtime or driver" if shutil.which("nvcc") else "no nvcc"
    return Finding("CUDA", why, None, "training and reading run on the CPU")


def _mpi() -> Finding:
    found = shutil.which("mpirun"), shutil.which("mpicc")
    if all(found):
        return Finding("MPI", str(found[0]))
    return Finding("MPI", "-", None, "for data-parallel training: apt install openmpi-bin libopenmpi-dev")


def _cache() -> Finding:
    return _attempt("cache", runtime.make_cache)


def _jittor() -> Finding:
    def look() -> str:
        jittor = runtime.import_jittor()
        total = float((jittor.ones((4, 4)) * 2).sum().numpy().sum())
        return f"{jittor.__version__} computes" if total == 32 else "computes wrongly"

    return _attempt("jittor", look)


def _kernels() -> Finding:
    def look() -> str:
        from crnn_jt.backend.fast import build

        build.native()
        return "compiled for this processor"

    return _attempt("fast kernels", look)


def _python() -> Finding:
    versions = [f"{name} {runtime.package_version(name) or 'absent'}" for name in PACKAGES]
    return Finding("python", f"{platform.python_version()}; crnn-jt {__version__}, {', '.join(versions)}")


CHECKS = (_python, _compiler, _headers, _cache, _onednn, _cuda, _mpi, _jittor, _kernels)
