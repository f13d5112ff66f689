"""What `pip install` brings: the wheel holds all that the code opens, and what is installed works from any folder,
without the checkout and without writing next to its code.

The wheel is built from a copy, so that the checkout stays clean, and installed without its dependencies, which this
environment has: nothing is fetched. Jittor's cache is the user's own; an empty one would take minutes to fill.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import crnn_jt

ROOT = Path(__file__).parents[1]
ROOMS = [name for name in ("data_tools", "crnn_jt", "omr", "ocr", "eval") if (ROOT / name).is_dir()]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PICTURE, TEXT = "crnn_jt/bundled/images/01.png", "sandier"
STAFF = "omr/examples/incipit.png"


def wanting() -> str:
    """What this environment lacks for building a wheel, in words; empty where it lacks nothing."""
    if not importlib.util.find_spec("pip"):
        return "no pip in this environment"
    [needed] = map(Requirement, PROJECT["build-system"]["requires"])
    try:
        found = importlib.metadata.version(needed.name)
    except importlib.metadata.PackageNotFoundError:
        found = "0"
    return "" if found in needed.specifier else f"no {needed}: pip install -r requirements-dev.txt"


builds = pytest.mark.skipif(bool(wanting()), reason=wanting())


def pip(*words: str | Path, cwd: Path) -> None:
    """Runs this environment's pip, off line."""
    line = [sys.executable, "-m", "pip", *map(str, words), "--no-deps", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ROOMS:
        shutil.copytree(ROOT / name, folder / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("*.toml"), *ROOT.glob("*.md"), ROOT / "LICENSE"):
        shutil.copy2(path, folder / "copy")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, folder / "copy", cwd=folder)
    [path] = folder.glob("*.whl")
    return path


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of a read-only installation; afterwards nothing in it may have changed."""
    folder = tmp_path_factory.mktemp("installed") / "packages"
    pip("install", "--target", folder, wheel, cwd=folder.parent)
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    before = snapshot(folder)
    yield folder
    assert snapshot(folder) == before, "something was written next to the code"
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture
def run(installed, tmp_path):
    """Runs an installed script from an empty folder: the finished process."""

    def start(script: str, *words: str | Path) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        line = [str(installed / "bin" / script), *map(str, words)]
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return start


@builds
def test_the_wheel_holds_what_the_code_opens_and_nothing_else(wheel):
    """A kernel's header, a configuration or a word list that is left out shows on a user's machine alone."""
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    assert packed == expected


@builds
def test_installed_it_reads_words_from_any_folder(run, installed):
    """Weights, configurations and kernels come from the installation; no folder of the checkout is looked for."""
    done = run("crnn-jt", "read", installed / PICTURE, "--json")
    assert done.returncode == 0, done.stderr
    assert [found["text"] for found in json.loads(done.stdout)] == [TEXT]


@builds
def test_installed_it_reads_a_staff_from_any_folder(run, installed):
    """The music's vocabularies, and the libraries that are imported for scores alone."""
    done = run("crnn-omr", "read", installed / STAFF, "--json")
    assert done.returncode == 0, done.stderr
    label = (installed / STAFF).with_suffix(".semantic").read_text("utf-8").split()
    assert [found["semantic"].split() for found in json.loads(done.stdout)] == [label]


@builds
def test_installed_it_renders_words_in_workers(run, tmp_path):
    """Word list, fonts, and worker processes that must find the installation too."""
    done = run("crnn-data", "words", "--n", 4, "--out", "words.lmdb", "--seed", 1, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "words.lmdb").exists()


@builds
@pytest.mark.parametrize(
    "script, room", [("crnn-jt", "crnn_jt"), ("crnn-omr", "omr"), ("crnn-ocr", "ocr"), ("crnn-data", "data_tools")]
)
def test_help_names_the_command_that_was_typed(script, room, run):
    """Installed there is `crnn-jt`; `python -m crnn_jt` in its help would send the user to the checkout."""
    command = "inspect" if script == "crnn-data" else "read"
    overview, details, mistake = (
        run(script, "--help"),
        run(script, command, "--help"),
        run(script, command, "--nothing"),
    )
    assert overview.stdout.startswith(f"usage: {script} COMMAND")
    assert f"usage: {script} {command} " in details.stdout and f"python -m {room} " not in details.stdout
    assert mistake.returncode == 2 and mistake.stderr.startswith(f"{script} {command}: ")


def test_help_names_the_module_where_that_was_typed():
    """In the checkout there is no script."""
    line = [sys.executable, "-m", "crnn_jt", "read", "--help"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage: python -m crnn_jt read " in done.stdout and "crnn-jt read" not in done.stdout


def test_help_into_a_pipe_that_closes_is_quiet():
    """`… --help | head -1`: no traceback after the line."""
    line = [sys.executable, "-u", "-m", "crnn_jt", "--help"]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() == 0


@builds
def test_the_version_is_said_once(wheel):
    """In crnn_jt/__init__.py; the wheel and the citation follow."""
    assert wheel.name.split("-")[:2] == ["crnn_jt", crnn_jt.__version__]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == crnn_jt.__version__


def pins(file: str) -> dict[str, str]:
    """Versions by name of a file of requirements."""
    lines = re.findall(r"^([\w-]+)==(\S+)", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in lines}


@pytest.mark.parametrize(
    "extra, file",
    [("", "requirements.txt"), ("export", "requirements-bench.txt"), ("bench", "requirements-bench.txt"),
     ("dev", "requirements-dev.txt"), ("torch", "requirements-torch.txt")],
)  # fmt: skip
def test_what_is_installed_is_what_is_tested(extra, file):
    """A dependency that is pinned for the tests and not declared is missing from every installation; one whose range
    leaves out the tested version installs another.
    """
    project = PROJECT["project"]
    declared = map(Requirement, project["optional-dependencies"][extra] if extra else project["dependencies"])
    ranges = {need.name.lower().replace("_", "-"): need.specifier for need in declared if need.name != project["name"]}
    tested = pins(file)
    assert ranges.keys() <= tested.keys(), "declared, not tested"
    assert extra or ranges.keys() == tested.keys(), "tested, not declared"
    assert [name for name in ranges if Version(tested[name]) not in ranges[name]] == []
