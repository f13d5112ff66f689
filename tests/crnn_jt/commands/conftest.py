"""Command lines in this process (Jittor starts slowly), and a model that reads."""

from __future__ import annotations

import pytest

from crnn_jt.__main__ import COMMANDS
from crnn_jt.backend import state
from crnn_jt.models import build
from crnn_jt.weights import Weights, save_weights
from data_tools.cli import main
from tests.crnn_jt import tiny


@pytest.fixture
def crnn_jt(capsys):
    """`python -m crnn_jt …`: (exit code, standard output, standard error)."""

    def run(*words) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main("crnn_jt", "", COMMANDS, [str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def mistake(crnn_jt):
    """Asserts that a command ends with exit code 2 and one line, and gives the line."""

    def run(*words) -> str:
        code, out, err = crnn_jt(*words)
        assert code == 2 and not out, (code, out, err)
        assert "Traceback" not in err
        return err.strip().splitlines()[-1]

    return run


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file of weights that read something, if not the right thing."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, Weights(state(tiny.lively(build(tiny.model()))), tiny.model(), {"step": 1}))
    return path


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Drawn words in the report's layout."""
    return tiny.write_set(tmp_path_factory.mktemp("data") / "set", 6)
