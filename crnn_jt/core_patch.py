"""Mends Jittor's core where its compiling threads race, while it is compiled.

Operators are compiled by threads that are each given a function, which refers to variables of the caller. The caller
takes a thread whose lock is free for one that has finished (`SimpleThreads::wait_all`, Jittor 1.3.11): one that has not
woken up yet has a free lock too. It runs later, on variables that are gone, and spoils memory: seen as crashes of every
third run on two idle cores where operators lie in the cache, so that the others are done at once. Here a thread is
finished when it has run what it was given.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from types import ModuleType

from data_tools.files import write_text

SOURCE = "src/parallel_compiler.cc"
CHANGES = (
    ("    std::condition_variable cv;\n", "    std::condition_variable cv;\n    bool waits_for_its_turn = false;\n"),
    ("            if (func)\n                func(id);\n            while (true) {", "            while (true) {"),
    ("cv.wait(lck);", "cv.wait(lck, [this] { return waits_for_its_turn; });"),
    (
        "                if (func) {\n                    func(id);\n",
        "                if (func) {\n                    func(id);\n                    waits_for_its_turn = false;\n",
    ),
    ("        this->func = func;\n", "        this->func = func;\n        waits_for_its_turn = true;\n"),
    (
        "                    t.mtx.unlock();\n                    ok = 1;\n                    break;\n",
        "                    ok = !t.waits_for_its_turn;\n                    t.mtx.unlock();\n"
        "                    if (ok) break;\n",
    ),
)
"""What is found once in Jittor's file, and what takes its place."""


def install(jittor_utils: ModuleType, cache: Path) -> None:
    """Has Jittor's core compiled from the mended file, kept in `cache`; call before `import jittor`.

    Where the file is not the one that is known, operators are compiled one after another instead.
    """
    source = Path(jittor_utils.__file__).parent.parent / "jittor" / SOURCE
    mended = mend(source.read_text()) if source.is_file() else None
    if mended is None:
        os.environ.setdefault("use_parallel_op_compiler", "0")
        return
    name = f"parallel_compiler-{hashlib.sha256(mended.encode()).hexdigest()[:12]}.cc"
    path = cache / "crnn_jt-sources" / name
    if not path.is_file():
        write_text(path, mended)
    run_cmds = jittor_utils.run_cmds

    def run(cmds: list[str], *rest, **options):
        quoted = f'"{path}"'
        return run_cmds([re.sub(rf'"[^"]*/{SOURCE}"', lambda _: quoted, cmd) for cmd in cmds], *rest, **options)

    jittor_utils.run_cmds = run


def mend(text: str) -> str | None:
    """The mended source; None where it is not the one that is known."""
    for old, new in CHANGES:
        if text.count(old) != 1:
            return None
        text = text.replace(old, new)
    return text
