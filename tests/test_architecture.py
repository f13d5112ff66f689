"""The rooms look one way, and frameworks stay behind the seam: read from the syntax tree, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("data_tools", "crnn_jt", "omr", "ocr", "eval", "tests")  # each imports only itself and what stands before it
FRAMEWORKS = {"jittor", "jittor_utils", "torch", "torchvision"}
SEAM = ("crnn_jt/backend/", "crnn_jt/runtime.py")
BENCHES = ("eval/",)  # they run other engines for comparison, in processes of their own
PICKLES = {
    "data_tools/workers.py": "parent and worker, over a socket pair",
    "data_tools/chunks.py": "written for a fingerprint, never read",
    "crnn_jt/pickles.py": "foreign weights, through an unpickler that knows arrays alone; tested with hostile ones",
}
STAGES = ("rectifiers", "extractors", "refiners", "necks", "generators", "heads", "correctors")
STOREYS = (("layers",), STAGES, ("models",), ("tasks",), ("commands",))  # of crnn_jt: none imports one after it
LAYER_TESTS = {  # who may ask of which class a layer is; all else is registered (`singledispatch`)
    "crnn_jt/freeze/groups.py": "what fuses depends on which layer follows which",
    "crnn_jt/foreign/crnn.py": "a published layout numbers its convolutions",
    "crnn_jt/compression/eight_bits.py": "a file of integers says so of its layers in 8 bits, and of nothing else",
    "crnn_jt/search/supernet.py": "a search decides the choices of a plan, and nothing else in it",
}
FILES = [path for room in ROOMS[:-1] for path in sorted((ROOT / room).rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> list[str]:
    """Every module that a file imports, anywhere in it."""
    return modules_of(path, ast.walk(parse(path)))


def modules_of(path: Path, nodes: Iterator[ast.AST]) -> list[str]:
    """The modules that the import statements among `nodes` name; of `from a import b` a.b, and a
    unless b is a module.
    """
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += names if all(map(is_module, names)) else [node.module, *names]
    return found


@cache
def is_module(name: str) -> bool:
    """Whether a dotted name is a file or folder of the project."""
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported; what stands under TYPE_CHECKING does not."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from at_import([*node.body, *node.orelse])
        elif isinstance(node, ast.Try | ast.With):
            handlers = [line for handler in getattr(node, "handlers", []) for line in handler.body]
            yield from at_import([*node.body, *handlers])


def layer_classes() -> set[str]:
    """The names of the classes in crnn_jt/layers, less `Layer` itself: whether something is a layer may be asked."""
    paths = (ROOT / "crnn_jt/layers").glob("*.py")
    return {node.name for path in paths for node in parse(path).body if isinstance(node, ast.ClassDef)} - {"Layer"}


def asked_classes(node: ast.AST) -> set[str]:
    """The classes for which a node asks: isinstance, issubclass, `case Conv()`, `type(x) is Conv`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
        asked = node.args[1:]
    elif isinstance(node, ast.MatchClass):
        asked = [node.cls]
    elif isinstance(node, ast.Compare) and ast.unparse(node.left).startswith("type("):
        asked = node.comparators
    else:
        return set()
    parts = [part for one in asked for part in ast.walk(one)]
    return {getattr(part, "id", None) or part.attr for part in parts if isinstance(part, ast.Name | ast.Attribute)}


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
    lines = [node.lineno for node in ast.walk(parse(path)) if compares_backend(node)]
    assert not lines, f"lines {lines} ask for the backend"


def test_no_import_goes_in_a_circle():
    """Modules that need each other can only be read, tested and changed together, and which comes first is luck."""
    modules = {name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in FILES}
    graph = {name: modules.keys() & modules_of(path, at_import(parse(path).body)) for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nobody_imports_a_command(path):
    """Options are for people: one that is renamed for them must break no other code. `__main__` names commands as
    strings, and imports the one that is asked for.
    """
    wrong = [module for module in imported(path) if {"commands", "command"} & set(module.split("."))]
    assert not wrong, f"imports {wrong}; what others need belongs into a module of its own"


@pytest.mark.parametrize("storey", range(len(STOREYS)), ids=lambda number: STOREYS[number][0])
def test_the_recogniser_is_built_upwards(storey):
    """A layer serves every stage, a stage every model, a model every task, because none of them knows who uses it."""
    above = {f"crnn_jt.{name}" for names in STOREYS[storey + 1 :] for name in names}
    for path in [path for name in STOREYS[storey] for path in (ROOT / "crnn_jt" / name).glob("*.py")]:
        wrong = [module for module in imported(path) if ".".join(module.split(".")[:2]) in above]
        assert not wrong, f"{name_of(path)} imports {wrong}"


def test_stages_do_not_import_each_other():
    """An extractor that needs a refiner cannot be swapped."""
    for stage in STAGES:
        others = {f"crnn_jt.{other}" for other in STAGES if other != stage}
        for path in (ROOT / "crnn_jt" / stage).glob("*.py"):
            wrong = [module for module in imported(path) if ".".join(module.split(".")[:2]) in others]
            assert not wrong, f"{name_of(path)} imports {wrong}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nobody_asks_which_layer_it_is(path):
    """A chain of isinstance tests has to be found and lengthened for every new layer; a registration stands by it."""
    if name_of(path) in LAYER_TESTS or not any(module.startswith("crnn_jt.layers") for module in imported(path)):
        return
    known = layer_classes()
    lines = [node.lineno for node in ast.walk(parse(path)) if asked_classes(node) & known]
    assert not lines, f"lines {lines} ask for the class of a layer; register what they do instead"


def test_the_seam_offers_the_same_on_both_sides():
    """A name that one backend lacks is found here, not by the user of that backend."""

    def offered(name: str) -> dict[str, set[str]]:
        tree = parse(ROOT / "crnn_jt/backend" / name)
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in tree.body:  # what stands in a file of its own is imported by name
            if isinstance(node, ast.ImportFrom) and node.module.startswith("crnn_jt.backend._"):
                names |= {alias.name for alias in node.names}
        found = {"module": {name for name in names if name[0] != "_"}}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.keywords:
                found[node.targets[0].id] = {keyword.arg for keyword in node.value.keywords}
        return found

    jittor, torch = offered("_jittor.py"), offered("_torch.py")
    for part in ("nn", "ops", "fused", "ranks", "module"):
        assert jittor[part] and jittor[part] == torch[part], part
    text = (ROOT / "crnn_jt/backend/__init__.py").read_text("utf-8")
    missing = {name for name in jittor["module"] if f"_chosen.{name}" not in text}
    assert not missing, f"crnn_jt/backend/__init__.py does not offer {missing}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_pickle_but_between_our_own_processes(path):
    """Weights are never unpickled: a file from the net must not run code."""
    if name_of(path) in PICKLES:
        return
    assert not {"pickle", "dill", "cloudpickle"} & {module.split(".")[0] for module in imported(path)}
