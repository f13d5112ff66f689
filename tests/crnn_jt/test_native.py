"""C++ is compiled once a machine, also where the home cannot be written; and a failure is one line."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crnn_jt import native
from data_tools.errors import UserError


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A library of one function, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(native.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = tmp_path / "answer.cc"
    path.write_text('#include "answer.h"\nextern "C" int answer() { return ANSWER; }\n')
    path.with_suffix(".h").write_text("#define ANSWER 42\n")
    return path


def compiled(source: Path, *flags: str) -> Path:
    return native.compile_library(source, flags, [source.with_suffix(".h")])


def answer(path: Path) -> int:
    return ctypes.CDLL(str(path)).answer()


def make_unwritable(folder: Path) -> None:
    """A file where a folder should be: root, too, cannot write below it."""
    folder.write_text("")


def test_one_source_is_compiled_once(source, tmp_path, monkeypatch):
    calls, run = [], subprocess.run
    monkeypatch.setattr(native.subprocess, "run", lambda command, **how: calls.append(command) or run(command, **how))
    first = compiled(source)
    assert compiled(source) == first and first.parent == tmp_path / "cache/crnn_jt"
    assert sum("-shared" in command for command in calls) == 1
    assert answer(first) == 42
    assert list(first.parent.iterdir()) == [first]


def test_other_flags_and_other_headers_give_another_library(source):
    paths = [compiled(source), compiled(source, "-DOTHER")]
    source.with_suffix(".h").write_text("#define ANSWER 43\n")
    paths.append(compiled(source))
    assert len(set(paths)) == 3
    assert answer(paths[2]) == 43


def test_processes_that_compile_at_once_all_get_it(source):
    program = (
        "import sys; from pathlib import Path; from crnn_jt import native\n"
        "print(native.compile_library(Path(sys.argv[1]), (), [Path(sys.argv[2])]))"
    )
    command = [sys.executable, "-c", program, str(source), str(source.with_suffix(".h"))]
    root = Path(__file__).parents[2]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(3)]
    paths = {process.communicate()[0].strip() for process in running}
    assert len(paths) == 1
    assert answer(Path(paths.pop())) == 42


def test_a_cache_that_cannot_be_written_is_replaced_by_a_private_folder(source, tmp_path):
    """A read-only home must not cost the fast path."""
    make_unwritable(tmp_path / "cache")
    path = compiled(source)
    assert path.parent == tmp_path / f"temporary/crnn_jt-{os.getuid()}"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert answer(path) == 42 and compiled(source) == path


def test_a_folder_into_which_others_can_write_is_not_trusted(source, tmp_path):
    """Else whoever shares the machine could have this user load a library of theirs."""
    make_unwritable(tmp_path / "cache")
    open_to_all = tmp_path / f"temporary/crnn_jt-{os.getuid()}"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(UserError, match=r"cache/crnn_jt: cannot be written .*; set XDG_CACHE_HOME"):
        compiled(source)


def test_what_is_in_a_read_only_cache_is_used(source, tmp_path, monkeypatch):
    path = compiled(source)
    monkeypatch.setattr(native, "_find_obstacle", lambda folder, mode=0: "nothing can be written here")
    assert compiled(source) == path


def test_a_compiler_that_fails_is_named_with_its_reason(source, tmp_path):
    source.write_text("int answer() { return nonsense; }\n")
    with pytest.raises(UserError, match=r"^answer\.cc: \S+ cannot compile it: .*error.*nonsense.*$"):
        compiled(source)
    assert not list((tmp_path / "cache/crnn_jt").iterdir())


@pytest.mark.parametrize("name", ["CXX", "cc_path"])
def test_the_user_s_own_compiler_is_taken(source, name, monkeypatch):
    for other in ("CXX", "cc_path"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "no-such-compiler")
    with pytest.raises(UserError, match=f"^{name}=no-such-compiler: no such compiler; install one"):
        compiled(source)


def test_without_a_compiler_there_is_one_line(source, monkeypatch, tmp_path):
    for other in ("CXX", "cc_path"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"^no C\+\+ compiler found; install one"):
        compiled(source)


def test_no_framework_is_imported():
    """Reading with a lexicon on PyTorch must not start Jittor, nor the other way round."""
    program = (
        "import sys; import crnn_jt.native; sys.exit(any(name in sys.modules for name in ('jittor', 'torch', 'numpy')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
