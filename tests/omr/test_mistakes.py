"""A mistyped option of `omr` must be told in one line that names it, before anything is read, trained or written."""

from dataclasses import replace

import pytest

from crnn_jt.spec import load_config
from crnn_jt.training import open_training, open_validation
from data_tools.cli import main
from data_tools.lmdb_writer import write_lmdb
from data_tools.records import jpeg
from data_tools.scores import RenderedScores
from data_tools.words import RenderedWords
from omr.__main__ import COMMANDS


@pytest.fixture
def place(tmp_path):
    (tmp_path / "empty").mkdir()
    RenderedScores(1, 1)[0].image.save(tmp_path / "staff.png")
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    write_lmdb(RenderedWords(1, 3), tmp_path / "words.lmdb", encode=jpeg)
    folder = tmp_path / "Corpus" / "a1"
    folder.mkdir(parents=True)
    (folder / "a1.semantic").write_text("clef-G2\tnote-C4_whole\tbarline\n")
    return tmp_path


MISTAKES = [
    ("read", "{}/nothere.png", "nothere.png"),
    ("read", "{}/empty", "no pictures"),
    ("read", "{}/staff.png --weights nothere", "nothere: no such weights"),
    ("read", "{}/staff.png --weights {}/broken.safetensors", "not a readable safetensors"),
    ("read", "{}/staff.png --weights crnn-light", "not music"),
    ("read", "", "images"),
    ("test", "--weights nothere --data {}/Corpus", "nothere: no such weights"),
    ("test", "--weights crnn-light --data {}/Corpus", "not music"),
    ("test", "--weights {}/broken.safetensors --data {}/Corpus", "not a readable safetensors"),
    ("test", "--data {}/Corpus --batch-size 0", "--batch-size 0"),
    ("test", "--weights nothere", "data"),
    ("train", "--config nothere", "--config nothere"),
    ("train", "--config crnn-light", "reads words"),
    ("train", "--config omr-light --device tpu", "--device tpu"),
    ("train", "--config omr-light --split train.txt", "--split: is for PrIMuS folders"),
    ("train", "--config omr-light --val-camera", "--val-camera: is for PrIMuS folders"),
    ("train", "--config omr-light --fonts {}", "--fonts"),
    ("train", "--config omr-light --steps 0", "train.steps"),
    ("train", "--config omr-light --train {}/nothere", "nothere"),
    ("train", "--config omr-light --train {}/words.lmdb", "no semantic encoding"),
    ("train", "--config omr-light --train {}/words.lmdb --camera", "--camera are for PrIMuS folders"),
    ("train", "--config omr-light --train {}/Corpus --split nothere", "nothere: there is no such split"),
]


@pytest.mark.parametrize(("command", "options", "why"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(command, options, why, place, capsys):
    options = options.replace("{}", str(place)).split()
    out = ["--out", str(place / "run")] if command == "train" else []
    assert main("omr", "", COMMANDS, [command, *options, *out]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1 and why in told[0] and told[0].startswith(f"omr {command}: ")
    assert not (place / "run").exists()


def test_rendered_validation_is_as_hard_as_music_is(place):
    """A fresh model's easier start must not make its first validations, and so its best weights, look good."""
    config = load_config("omr-light")
    recipe = config.data.recipe | {"ease_in": 500, "even": 0.5}
    config = replace(config, data=replace(config.data, recipe=recipe))
    train, val = open_training(config), open_validation(config)
    assert train.recipe.ease_in == 500 and val.recipe == replace(train.recipe, ease_in=0, even=0.0)
    assert train.recipe.frame == "staff" and len(val) == 400
