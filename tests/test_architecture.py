"""The rooms look one way, and frameworks stay behind the seam: read from the syntax tree, nothing is imported."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("data_tools", "crnn_jt", "omr", "eval", "tests")  # each imports only itself and what stands before it
FRAMEWORKS = {"jittor", "jittor_utils", "torch", "torchvision"}
SEAM = ("crnn_jt/backend/", "crnn_jt/runtime.py")
BENCHES = ("eval/",)  # they run other engines for comparison, in processes of their own
PICKLES = {
    "data_tools/workers.py": "parent and worker, over a socket pair",
    "data_tools/chunks.py": "written for a fingerprint, never read",
    "crnn_jt/pickles.py": "foreign weights, through an unpickler that knows arrays alone; tested with hostile ones",
}
FILES = [path for room in ROOMS[:-1] for path in sorted((ROOT / room).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> list[str]:
    """Every module that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def compares_backend(node: ast.AST) -> bool:
    """`… NAME == "torch"` and its like: a comparison or match of a name with a backend's name."""
    if not isinstance(node, ast.Compare):
        return False
    parts = [node.left, *node.comparators]
    values = {value for part in parts for value in (c.value for c in ast.walk(part) if isinstance(c, ast.Constant))}
    return bool(values & {"jittor", "torch"})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_look_down(path):
    """data_tools knows no recogniser, the recogniser no scores: a room can be used without those above it."""
    room = name_of(path).split("/")[0]
    above = ROOMS[ROOMS.index(room) + 1 :]
    wrong = [module for module in imported(path) if module.split(".")[0] in above]
    assert not wrong, f"{room} must not import {wrong}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_frameworks_stay_behind_the_seam(path):
    """One stage definition for both backends lives by this; a framework elsewhere would break the other one."""
    if name_of(path).startswith((*SEAM, *BENCHES)):
        return
    wrong = [module for module in imported(path) if module.split(".")[0] in FRAMEWORKS]
    assert not wrong, f"import {wrong} through crnn_jt.backend"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nobody_asks_which_backend_runs(path):
    """`if backend == …` outside of the seam is a second implementation in disguise."""
    if name_of(path).startswith((*SEAM, *BENCHES)):
        return
    lines = [node.lineno for node in ast.walk(ast.parse(path.read_text("utf-8"))) if compares_backend(node)]
    assert not lines, f"lines {lines} ask for the backend"


def test_stages_do_not_import_each_other():
    """An extractor that needs a refiner cannot be swapped."""
    stages = ("extractors", "refiners", "generators")
    for stage in stages:
        others = tuple(f"crnn_jt.{other}" for other in stages if other != stage)
        for path in (ROOT / "crnn_jt" / stage).glob("*.py"):
            wrong = [module for module in imported(path) if module.startswith(others)]
            assert not wrong, f"{name_of(path)} imports {wrong}"


def test_the_seam_offers_the_same_on_both_sides():
    """A name that one backend lacks is found here, not by the user of that backend."""

    def offered(name: str) -> dict[str, set[str]]:
        tree = ast.parse((ROOT / "crnn_jt/backend" / name).read_text("utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
        found = {"module": names}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.keywords:
                found[node.targets[0].id] = {keyword.arg for keyword in node.value.keywords}
        return found

    jittor, torch = offered("_jittor.py"), offered("_torch.py")
    for part in ("nn", "ops", "ranks", "module"):
        assert jittor[part] == torch[part], part


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_pickle_but_between_our_own_processes(path):
    """Weights are never unpickled: a file from the net must not run code."""
    if name_of(path) in PICKLES:
        return
    assert not {"pickle", "dill", "cloudpickle"} & {module.split(".")[0] for module in imported(path)}
