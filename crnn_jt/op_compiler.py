"""Compiles Jittor's operators in a quarter of the time.

Jittor writes a C++ file for each operator that is new to this machine and has its `utils/asm_tuner.py` compile it, in a
Python process of its own: to assembler with debug information, for a pass over that text, and then to a library. All
but a few do without the pass, and nine tenths of the compiler's work are the same headers every time. Jittor starts the
tuner with the program that its flag `python_path` names; a shell script takes that place, which

- reads the headers once, into a precompiled one for all operators (60 MB in Jittor's cache);
- leaves to the tuner what asks for its pass, and whatever else it does not know;
- has a library appear whole or not at all, so that a compiler that outlives a killed process spoils nothing.

The machine code is the same but for what the debug information adds.
"""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from types import ModuleType

from data_tools.files import atomic_file, write_text

HEADERS = ("<assert.h>", "<algorithm>", "<cmath>", "<limits>", '"var.h"', '"op.h"', '"executor.h"')
"""What operators include before anything that differs from one to the next. `JIT` is defined in all of them."""

_LINKING = ("-l", "-L", "-Wl,", "-shared")

_SCRIPT = """#!/bin/sh
# TUNER --cc_path=COMPILER SOURCE FLAG… -o LIBRARY; written by crnn_jt/op_compiler.py
header={folder}/operators.h
case "$1" in */asm_tuner.py) ;; *) exec {python} "$@" ;; esac
for library; do :; done
case "$library" in *.so) ;; *) exec {python} "$@" ;; esac
grep -q "@begin" "$3" && exec {python} "$@"
compiler=${{2#--cc_path=}}
shift 2
if [ ! -e "$header.gch" ]; then
  "$compiler" -x c++-header "$header" {flags} -DJIT=1 -o "$header.$$" && mv "$header.$$" "$header.gch"
fi
"$compiler" -DJIT=1 -include "$header" "$@" -o "$library.$$" && mv "$library.$$" "$library"
"""


def install(jittor: ModuleType) -> None:
    """Has the operators of this process compiled so. Left as it is where the compiler is not g++, and for CUDA."""
    flags = jittor.flags
    if flags.cc_type != "g++" or flags.nvcc_path:
        return
    headers = "".join(f"#include {name}\n" for name in HEADERS)
    about = "\n".join((_SCRIPT, headers, flags.cc_path, flags.cc_flags, flags.python_path))
    folder = Path(flags.cache_path) / f"operators-{hashlib.sha256(about.encode()).hexdigest()[:12]}"
    script = folder / "compile.sh"
    if not script.exists():
        names = {"folder": shlex.quote(str(folder)), "python": shlex.quote(flags.python_path)}
        compiling = shlex.join(flag for flag in shlex.split(flags.cc_flags) if not flag.startswith(_LINKING))
        write_text(folder / "operators.h", headers)
        with atomic_file(script, 0o755) as file:
            file.write(_SCRIPT.format(**names, flags=compiling).encode())
    flags.python_path = str(script)
