"""`test`: the figures of a model on labelled data."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image


def test_json_is_the_whole_of_standard_output(crnn_jt, weights, data):
    """Scripts parse it."""
    code, out, _ = crnn_jt("test", "--weights", weights, "--data", data, "--json")
    found = json.loads(out)
    assert code in (0, None) and found["n"] == 6 and {"accuracy", "ned", "cer"} <= found.keys()


def test_several_sets_are_one(crnn_jt, weights, data):
    """Every sample of both counts."""
    _, out, _ = crnn_jt("test", "--weights", weights, "--data", data, data, "--json")
    assert json.loads(out)["n"] == 12


def test_wrong_readings_are_shown(crnn_jt, weights, data):
    """What was read for what."""
    _, out, _ = crnn_jt("test", "--weights", weights, "--data", data)
    assert " read " in out and "accuracy" in out


def test_failures_are_a_picture_to_look_at(crnn_jt, weights, data, tmp_path):
    """An untrained model misreads all six: six cells."""
    code, _, _ = crnn_jt("test", "--weights", weights, "--data", data, "--failures", tmp_path / "wrong.png")
    sheet = Image.open(tmp_path / "wrong.png")
    assert code in (0, None) and sheet.width == 6 * 166 + 6 and len(set(sheet.convert("L").tobytes())) > 2


def test_failures_that_cannot_be_written(crnn_jt, weights, data, tmp_path):
    """One line that names the place, and the scores are not lost."""
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "wrong.png"
    code, out, err = crnn_jt("test", "--weights", weights, "--data", data, "--failures", place)
    assert code == 2 and "accuracy" in out and f"{place}: cannot be written" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "{data}/nowhere"], "nowhere: there is no such file or folder"),
        (["--data", "{data}/image"], "no data set was found here"),
        ([], "required: data"),
    ],
)
def test_mistakes(words, said, mistake, weights, data):
    """One line that names the path or option."""
    assert said in mistake("test", "--weights", weights, *(word.format(data=data) for word in words))


def test_corrupt_samples_are_counted_beside_the_figures(crnn_jt, weights, data, tmp_path, caplog):
    """A set of which half is torn has figures; --max-corrupt refuses it."""
    torn = shutil.copytree(data, tmp_path / "torn")
    for name in ("0.png", "1.png", "2.png"):
        (torn / "image" / name).write_bytes(b"no picture")
    _, out, _ = crnn_jt("test", "--weights", weights, "--data", torn, "--json")
    found = json.loads(out)
    assert (found["n"], found["skipped"]) == (3, 3) and "accuracy" in found
    assert "left out of the figures: 3 × the image cannot be decoded" in caplog.text
    code, out, err = crnn_jt("test", "--weights", weights, "--data", torn, "--max-corrupt", 0.2)
    assert code == 2 and not out and "max_corrupt" in err.strip().splitlines()[-1]


def test_nothing_but_corrupt_samples(mistake, weights, data, tmp_path):
    """No figures of nothing."""
    torn = shutil.copytree(data, tmp_path / "torn")
    for path in (torn / "image").iterdir():
        path.write_bytes(b"")
    assert "not one of 6 samples can be used" in mistake("test", "--weights", weights, "--data", torn)


def test_an_empty_set(mistake, weights, tmp_path):
    """No samples: no score of 0 of 0."""
    (tmp_path / "image").mkdir()
    (tmp_path / "gt.txt").write_text("")
    assert str(tmp_path) in mistake("test", "--weights", weights, "--data", tmp_path)
