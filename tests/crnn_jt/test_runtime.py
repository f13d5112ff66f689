"""What is done before Jittor's import, without importing it: a bare machine must be told what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from crnn_jt import runtime
from data_tools.errors import UserError

SETTINGS = (
    "cc_path",
    "python_config_path",
    "nvcc_path",
    "use_mkl",
    "use_mpi",
    "cache_name",
    "log_silent",
    "JITTOR_HOME",
)


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No setting of Jittor's, and none left behind."""
    for name in (*SETTINGS, "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def executable(path: Path, content: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def test_a_missing_compiler_is_one_line(monkeypatch, tmp_path):
    """g++ and the package to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"g\+\+: not found.*apt install g\+\+"):
        runtime.find_compiler()


def test_the_user_s_own_compiler_is_respected(monkeypatch, tmp_path):
    """`cc_path`, or a line that names it."""
    own = executable(tmp_path / "clang++")
    monkeypatch.setenv("cc_path", str(own))
    assert runtime.find_compiler() == str(own)
    monkeypatch.setenv("cc_path", "no-such-compiler")
    with pytest.raises(UserError, match="cc_path=no-such-compiler: no such compiler"):
        runtime.find_compiler()


def test_missing_headers_name_the_package(monkeypatch):
    """A bare Debian has no python3.x-config."""
    monkeypatch.setattr(runtime.os.path, "isfile", lambda path: False)
    with pytest.raises(UserError, match=r"python3\.\d+-config: not found.*install python3\.\d+-dev"):
        runtime.find_python_config()


def test_nvcc_alone_is_no_cuda(monkeypatch, tmp_path):
    """A compiler without a runtime library made Jittor's import die."""
    executable(tmp_path / "nvcc")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(runtime, "_loads", lambda library: False)
    assert not runtime.cuda_runtime()
    monkeypatch.setattr(runtime, "_loads", lambda library: True)
    assert runtime.cuda_runtime()


def wheels(prefix: Path) -> Path:
    """What the oneDNN wheels leave in an environment."""
    for name in ("lib/libmkldnn.so", "include/oneapi/dnnl/dnnl.hpp", "include/dnnl.hpp"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(name)
    return prefix


def elsewhere(monkeypatch, prefix: Path) -> None:
    """Moves the environment, the system's and the user's packages to `prefix`."""
    monkeypatch.setattr(runtime.sys, "prefix", str(prefix))
    monkeypatch.setattr(runtime.sysconfig, "get_path", lambda name: str(prefix))
    monkeypatch.setattr(runtime.site, "getuserbase", lambda: str(prefix))


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty home, an environment with the wheels, libraries that load where they are files."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(runtime.sys, "prefix", str(wheels(tmp_path / "env")))
    monkeypatch.setattr(
        runtime, "_loads", lambda library: Path(library).is_file() and "bad" not in Path(library).read_text()
    )
    return tmp_path / "home"


def test_onednn_is_copied_from_the_wheels(home):
    """A copy: the environment may go, the folder is shared by all of the user's."""
    folder = runtime.place_onednn()
    assert home in folder.parents and not folder.is_symlink()
    assert (folder / "lib/libmkldnn.so").read_text() == "lib/libmkldnn.so" and (folder / "include/dnnl.hpp").is_file()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_onednn_that_works_is_left_alone(home):
    """Another project's."""
    folder = runtime.onednn_folder()
    wheels(folder)
    (folder / "lib/libmkldnn.so").write_text("another's")
    runtime.place_onednn()
    assert (folder / "lib/libmkldnn.so").read_text() == "another's"


@pytest.mark.parametrize("kind", ["dangling link", "broken library", "half a copy"])
def test_onednn_that_is_broken_is_replaced(kind, home, tmp_path):
    """A link into an environment that is gone, a download that broke off."""
    folder = runtime.onednn_folder()
    folder.parent.mkdir(parents=True)
    if kind == "dangling link":
        folder.symlink_to(tmp_path / "gone")
    else:
        wheels(folder)
        (folder / "lib/libmkldnn.so").write_text("bad")
        if kind == "half a copy":
            (folder / "lib/libmkldnn.so").unlink()
    runtime.place_onednn()
    assert runtime.onednn_works(folder)


def test_an_environment_without_the_wheels_says_what_to_install(home, monkeypatch, tmp_path):
    """The wheels by name and version, in a command that works from any folder; or the switch."""
    elsewhere(monkeypatch, tmp_path / "other")
    with pytest.raises(UserError, match=r"pip install onednn-cpu-gomp==2021\.3\.0 onednn-devel-.*use_mkl=0"):
        runtime.place_onednn()


def test_onednn_is_found_where_pip_puts_it_for_a_user(home, monkeypatch, tmp_path):
    """`pip install --user`: the libraries lie beside the user's packages, not beside Python."""
    elsewhere(monkeypatch, tmp_path / "other")
    monkeypatch.setattr(runtime.site, "getuserbase", lambda: str(wheels(tmp_path / "user")))
    assert runtime.installed_onednn() == tmp_path / "user"
    assert runtime.onednn_works(runtime.place_onednn())


def test_jittor_s_own_home_is_respected(home, monkeypatch):
    """JITTOR_HOME, or what its config file remembers; a broken config file is named."""
    config = home / ".cache/jittor/config.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"JITTOR_HOME": "/elsewhere"}')
    assert runtime.jittor_home() == Path("/elsewhere")
    monkeypatch.setenv("JITTOR_HOME", "/own")
    assert runtime.jittor_home() == Path("/own")
    monkeypatch.delenv("JITTOR_HOME")
    config.write_text("{")
    with pytest.raises(UserError, match=r"config\.json: not valid JSON"):
        runtime.jittor_home()


@pytest.mark.parametrize("variable", ["HOME", "JITTOR_HOME"])
def test_a_home_that_cannot_be_written_is_one_line(variable, home, monkeypatch, tmp_path):
    """A service's user, a container: the folder, the reason and the variable to set, not a traceback out of Jittor."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    with pytest.raises(UserError, match=rf"file/\.cache/jittor: cannot be written .*; set {variable} to a folder"):
        runtime.make_cache()


def test_a_user_without_a_home_is_one_line(monkeypatch):
    """`docker run --user 1234`: no entry in /etc/passwd, no HOME."""

    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(runtime.Path, "home", fail)
    with pytest.raises(UserError, match=r"HOME: not set.*set HOME to a folder of your own"):
        runtime.make_cache()


def test_mpi_is_for_mpirun_alone(monkeypatch, tmp_path):
    """Started by hand, no MPI is built; under mpirun without an mpicc the package is named."""
    assert not runtime.under_mpirun()
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("mpicc_path", str(executable(tmp_path / "mpicc")))
    assert runtime.under_mpirun()
    monkeypatch.setenv("mpicc_path", "no-mpicc")
    with pytest.raises(UserError, match=r"mpicc: not found.*apt install libopenmpi-dev"):
        runtime.under_mpirun()


def test_torch_is_never_imported_with_jittor_nor_jittor_with_torch():
    """With CRNN_BACKEND=torch nothing imports Jittor; help and models import neither."""
    program = (
        "import sys, crnn_jt.__main__, crnn_jt.spec, crnn_jt.weights; print({'torch', 'jittor'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_backend_is_one_line():
    """CRNN_BACKEND=tensorflow."""
    line = [sys.executable, "-m", "crnn_jt", "read", "x.png"]
    environment = {**os.environ, "CRNN_BACKEND": "tensorflow"}
    program = "import crnn_jt.backend"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert "UserError: CRNN_BACKEND=tensorflow: no such backend; set it to jittor or torch" in done.stderr
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_a_killed_child_does_not_take_this_process_along():
    """A loader's worker that the system kills must end in a line and a checkpoint, not in Jittor's quick exit."""
    import crnn_jt.backend  # noqa: F401

    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    assert child.wait() == -9


def test_a_signal_to_the_whole_group_does_not_hang_the_exit():
    """Ctrl-C and service managers signal Jittor's compiling processes too; one of them then held the pool's lock."""
    if not find_spec("jittor"):
        pytest.skip("Jittor is not installed here")
    code = (
        "import os, signal, time; from multiprocessing import active_children; from crnn_jt import runtime\n"
        "runtime.import_jittor(); import jittor_utils\n"
        "if not jittor_utils.pool_size: jittor_utils.run_cmds(['true'], '.', '.')\n"
        "time.sleep(0.5)\n"
        "for child in active_children(): os.kill(child.pid, signal.SIGTERM)\n"
        "time.sleep(0.5); print(jittor_utils.pool_size)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert int(done.stdout.split()[-1]) > 0 and not done.stderr
