"""`read`: every picture gets its line, whatever is wrong with the others."""

from __future__ import annotations

import json

import pytest


def test_files_folders_and_globs(crnn_jt, weights, data):
    """Six pictures, named three ways, in order."""
    image = data / "image"
    for words in ([image], [image / "*.png"], sorted(image.iterdir())):
        code, out, _ = crnn_jt("read", *words, "--weights", weights, "--json")
        found = json.loads(out)
        assert code == 0 and [entry["path"] for entry in found] == sorted(str(path) for path in image.iterdir())
        assert all(0 <= entry["confidence"] <= 1 and entry["text"] == entry["raw"] for entry in found)


def test_lines_for_people(crnn_jt, weights, data):
    """Path, text, confidence."""
    code, out, _ = crnn_jt("read", data / "image", "--weights", weights)
    assert code == 0 and len(out.splitlines()) == 6 and out.startswith(str(data / "image" / "0.png"))


def test_a_picture_that_cannot_be_read_does_not_stop_the_others(crnn_jt, weights, data, tmp_path):
    """Broken, empty and text files are named with the reason; the others are read; the exit code says so."""
    (tmp_path / "broken.png").write_bytes((data / "image/0.png").read_bytes()[:40])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "note.png").write_text("not a picture")
    (tmp_path / "word.png").write_bytes((data / "image/1.png").read_bytes())
    code, out, _ = crnn_jt("read", tmp_path, "--weights", weights, "--json")
    found = json.loads(out)
    assert code == 1 and ["error" in entry for entry in found] == [True, True, True, False]
    assert all(entry["path"] in entry["error"] for entry in found[:3])
    code, out, err = crnn_jt("read", tmp_path, "--weights", weights)
    assert code == 1 and len(out.splitlines()) == 1 and "broken.png" in err and "Traceback" not in err


def test_a_lexicon_decides(crnn_jt, weights, data, tmp_path):
    """Under a lexicon of one word the answer is that word as the list spells it; the raw reading is kept."""
    (tmp_path / "words.txt").write_text("ACE\n")
    code, out, _ = crnn_jt("read", data / "image", "--weights", weights, "--lexicon", tmp_path / "words.txt", "--json")
    found = json.loads(out)
    assert code == 0 and all(entry["text"] == "ACE" or entry["lexicon"] == "fallback" for entry in found)
    assert any(entry["lexicon"] == "within" for entry in found)


def test_alternatives(crnn_jt, weights, data):
    """The next likeliest readings, best first, none of them the answer itself."""
    _, out, _ = crnn_jt("read", data / "image/0.png", "--weights", weights, "--alternatives", 2, "--json")
    (entry,) = json.loads(out)
    others = entry["alternatives"]
    assert len(others) == 2 and entry["text"] not in [other["text"] for other in others]
    assert others[0]["confidence"] >= others[1]["confidence"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.png"], "nowhere.png: no such file, folder or pattern"),
        (["{data}/image", "--weights", "crnn-lite"], "crnn-lite: no such weights file or model; models that ship:"),
        (["{data}/image", "--weights", "{data}/gt.txt"], "gt.txt: not a readable safetensors file"),
        (["{data}"], "no pictures in this folder"),
        (["{data}/image", "--alternatives", "-1"], "--alternatives -1: it takes 0 or more"),
        (["{data}/image", "--weights", "{weights}", "--lexicon", "{data}/none.txt"], "none.txt"),
        (["{data}/image", "--lexikon", "x"], "--lexikon"),
        ([], "images"),
    ],
)
def test_mistakes(words, said, mistake, weights, data):
    """One line that names the file or option."""
    assert said in mistake("read", *(word.format(data=data, weights=weights) for word in words))


def test_a_lexicon_without_one_usable_word(mistake, weights, data, tmp_path):
    """All words outside the character set: said, instead of falling back on every picture."""
    (tmp_path / "words.txt").write_text("???\n")
    line = mistake("read", data / "image", "--weights", weights, "--lexicon", tmp_path / "words.txt")
    assert "none of its words can be written" in line


def test_a_language_of_ones_own(crnn_jt, weights, data, tmp_path):
    """A file made by `data_tools language` weighs the readings; what is none, or does not fit, is said in one line."""
    import numpy as np

    from data_tools.words.language import Language, write_language

    image = data / "image" / "0.png"
    write_language(tmp_path / "x.lang", Language("x", ("bag", "cab"), np.log(np.full(2, 0.5))))
    code, out, _ = crnn_jt("read", image, "--weights", weights, "--language", tmp_path / "x.lang", "--json")
    assert code == 0 and len(json.loads(out)) == 1
    write_language(tmp_path / "y.lang", Language("y", ("сыр",), np.zeros(1)))
    (tmp_path / "words.txt").write_text("bag\n")
    for language, message in (
        (tmp_path / "y.lang", "none of its words can be written in the model's character set"),
        (tmp_path / "words.txt", "is no language file, or a damaged one"),
        ("klingon", "no such file; there are: english, none"),
    ):
        code, _, err = crnn_jt("read", image, "--weights", weights, "--language", language)
        assert code == 2 and message in err and len(err.splitlines()) == 1
    code, _, err = crnn_jt(
        "read", image, "--weights", weights, "--language", "none", "--lexicon", tmp_path / "words.txt"
    )
    assert code == 2 and "name one of the two" in err
