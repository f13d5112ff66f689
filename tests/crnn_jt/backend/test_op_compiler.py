"""The script that compiles Jittor's operators: as Jittor's own tuner would, and whole or not at all."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from crnn_jt import backend
from crnn_jt.backend import ops

pytestmark = pytest.mark.skipif(backend.NAME != "jittor", reason="Jittor's operators")

SOURCE = '#define JIT 1\n#include <cmath>\n#include "var.h"\nextern "C" int answer() {{ return {value}; }}\n'


@pytest.fixture(scope="module")
def flags():
    from crnn_jt import runtime

    flags = runtime.import_jittor().flags
    if flags.cc_type != "g++":
        pytest.skip(f"the compiler is {flags.cc_type}, not g++")
    return flags


def compile_source(
    flags, folder: Path, source: str, tuner: str = "/nowhere/asm_tuner.py"
) -> subprocess.CompletedProcess:
    """What Jittor runs for an operator."""
    (folder / "a_op.cc").write_text(source)
    told = f'"{folder}/a_op.cc" {flags.cc_flags.split("-l")[0]} -I"{flags.jittor_path}/src" -shared -Ofast -fopenmp'
    command = f'{flags.python_path} {tuner} --cc_path="{flags.cc_path}" {told} -o "{folder}/a_op.so"'
    return subprocess.run(command, shell=True, capture_output=True, text=True)


def test_operators_are_compiled_by_the_script_with_one_header_for_all(flags):
    script = Path(flags.python_path)
    assert script.name == "compile.sh"
    assert ops.numpy(ops.array([1.0]) + 2.0).tolist() == [3.0]
    assert (script.parent / "operators.h").is_file()


def test_a_library_appears_where_jittor_looks_for_it(flags, tmp_path):
    assert compile_source(flags, tmp_path, SOURCE.format(value=7)).returncode == 0
    assert ctypes.CDLL(str(tmp_path / "a_op.so")).answer() == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_op.cc", "a_op.so"]
    assert (Path(flags.python_path).parent / "operators.h.gch").is_file()


def test_what_does_not_compile_is_said_and_leaves_no_library(flags, tmp_path):
    result = compile_source(flags, tmp_path, SOURCE.format(value="nonsense"))
    assert result.returncode and "nonsense" in result.stderr
    assert not (tmp_path / "a_op.so").exists()


def test_what_asks_for_the_tuner_gets_it(flags, tmp_path):
    (tmp_path / "asm_tuner.py").write_text("print('tuned')\n")
    tuner = str(tmp_path / "asm_tuner.py")
    asking = '//@begin replace "a" "b"\n' + SOURCE.format(value=7)
    assert compile_source(flags, tmp_path, asking, tuner).stdout == "tuned\n"
    assert compile_source(flags, tmp_path, SOURCE.format(value=7), tuner).stdout == ""
