"""Jittor's compiling threads: mended where its core is the one that is known, and indeed mended."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from crnn_jt import backend, core_patch

pytestmark = pytest.mark.skipif(backend.NAME != "jittor", reason="Jittor's core")

BEFORE = r"""
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <functional>
#include <iostream>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#define EXTERN_LIB extern
#define LOGe std::cerr
#define LOGw std::cerr
using namespace std;
static string& get_thread_name() { static thread_local string name; return name; }
static string S(int number) { return to_string(number); }
namespace jittor {
vector<void (*)()> cleanup_callback;
"""
AFTER = r"""
}
int main() {
  jittor::threads.create_threads(8);
  for (int round = 0; round < 200; round++) {
    atomic<int> count(0);
    jittor::threads.launch_all(8, [&](int) { count++; });
    jittor::threads.wait_all();
    if (count != 8) _Exit(1);
  }
  jittor::SimpleThreads::stop();
}
"""


@pytest.fixture(scope="module")
def source() -> str:
    import jittor_utils

    return (Path(jittor_utils.__file__).parent.parent / "jittor" / core_patch.SOURCE).read_text()


def test_the_threads_have_run_when_they_are_waited_for(source, tmp_path):
    """Else a thread that wakes up late works on variables that are gone."""
    mended = core_patch.mend(source)
    assert mended is not None, "another Jittor: look whether its threads still race"
    threads = mended[mended.index("struct SimpleThread {") : mended.index("} threads;") + len("} threads;")]
    (tmp_path / "threads.cc").write_text(BEFORE + threads + AFTER)
    subprocess.run(["g++", "-O1", "-pthread", "threads.cc", "-o", "threads"], cwd=tmp_path, check=True)
    assert subprocess.run(["./threads"], cwd=tmp_path, timeout=100).returncode == 0


def test_what_is_not_known_is_left_alone(source):
    assert core_patch.mend(source.replace("cv.wait(lck);", "cv.wait(lck, ready);")) is None


def test_the_core_is_compiled_from_the_mended_file():
    from crnn_jt import runtime

    folder = Path(runtime.import_jittor().flags.cache_path)
    assert "crnn_jt-sources" in (folder / "obj_files/parallel_compiler.cc.o.key").read_text(errors="replace")
