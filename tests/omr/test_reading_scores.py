"""The commands must read any staff with any model of scores, say what is doubtful, and leave nothing half written.

The model here is tiny and untrained: what it reads is nonsense, which must be exported all the same.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_jt import backend
from crnn_jt.recognizer import Recognizer, build
from crnn_jt.spec import StageSpec, load_config
from crnn_jt.weights import Weights, save_weights
from data_tools.cli import main
from data_tools.scores import Recipe, RenderedScores
from omr.__main__ import COMMANDS
from omr.reading import Framed, ScoreReader, understood

LIGHT = load_config("omr-light").model
DRAWN = "clef.G-L2 accidental.sharp-L5 note.half-L5 barline-L1"
TINY = replace(
    LIGHT,
    extractor=StageSpec("staff_light", {"width": 0.15}),
    refiner=StageSpec("bilstm", {"hidden": 8, "depth": 1}),
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, Weights(backend.state(build(TINY, 0)), TINY, {"frame": "staff"}))
    return path


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "staff.png"
    RenderedScores(1, 1)[0].image.save(path)
    return path


def run(*arguments) -> int:
    return main("omr", "", COMMANDS, list(map(str, arguments)))


def test_read_writes_everything(weights, picture, tmp_path, capsys):
    files = [tmp_path / name for name in ("x.musicxml", "x.mid", "x.png")]
    options = [option for name, file in zip(("--musicxml", "--midi", "--png"), files) for option in (name, file)]
    assert run("read", picture, "--weights", weights, "--json", *options) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["path"] == str(picture) and entry["staff"] == 1 and 0 <= entry["confidence"] <= 1
    assert [symbol for symbol, _ in entry["symbols"]] == entry["semantic"].split()
    assert b"score-partwise" in files[0].read_bytes() and files[1].read_bytes()[:4] == b"MThd"
    with Image.open(files[2]) as sheet:
        assert sheet.height > 96


def test_page_gives_a_file_for_each_staff(weights, picture, tmp_path, capsys):
    with Image.open(picture) as staff:
        page = Image.new("L", (staff.width + 100, 700), 255)
        page.paste(staff, (50, 60))
        page.paste(staff, (50, 400))
    page.save(tmp_path / "page.png")
    assert run("read", tmp_path / "page.png", "--weights", weights, "--midi", tmp_path / "x.mid", "--json") == 0
    assert [entry["staff"] for entry in json.loads(capsys.readouterr().out)] == [1, 2]
    assert (tmp_path / "x.mid").exists() and (tmp_path / "x-2.mid").exists()


def test_pictures_without_a_staff_are_named_and_the_others_read(weights, picture, tmp_path, capsys):
    Image.new("L", (300, 100), 255).save(tmp_path / "blank.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    code = run("read", tmp_path / "blank.png", tmp_path / "broken.png", picture, "--weights", weights, "--json")
    entries = json.loads(capsys.readouterr().out)
    assert code == 1 and ["error" in entry for entry in entries] == [True, True, False]
    assert "staff" in entries[0]["error"] and "\n" not in entries[0]["error"]


def test_measures_count_every_score(weights, tmp_path, capsys):
    main("data_tools", "", __import__("data_tools.__main__").__main__.COMMANDS, _scores(tmp_path / "Corpus"))
    capsys.readouterr()
    folder = tmp_path / "Corpus" / "s0-000000002"
    folder.joinpath("s0-000000002.semantic").write_text("clef-G2 note-H4_odd")
    assert run("test", "--weights", weights, "--data", tmp_path / "Corpus", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["n"] == 2 and sum(figures["skipped"].values()) == 1
    assert figures["sequence_accuracy"] == 0 and figures["kinds"]["clef"]["n"] >= 2


def _scores(folder: Path) -> list[str]:
    return ["scores", "--n", "3", "--out", str(folder)]


def test_mistakes_are_one_line(weights, picture, tmp_path, capsys):
    words = replace(TINY, labels=replace(TINY.labels, vocabulary="", characters="abc", max_length=5))
    save_weights(tmp_path / "words.safetensors", Weights(backend.state(build(words, 0)), words))
    for arguments, why in (
        (["read", picture, "--weights", tmp_path / "words.safetensors"], "not music"),
        (["read", tmp_path / "nothere.png", "--weights", weights], "nothere.png"),
        (["test", "--weights", weights, "--data", tmp_path / "nothere"], "nothere"),
        (["test", "--weights", weights, "--data", picture.parent, "--split", "test"], "--split"),
        (["train", "--config", "crnn-light", "--out", tmp_path / "run"], "reads words"),
    ):
        assert run(*arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert why in error


def test_report_models_have_the_reports_shapes():
    """128x800 becomes 100 steps of 512 features; the wide and the light one keep a step each 4 columns."""
    primus, wide = (Recognizer(load_config(name).model) for name in ("primus", "primus-wide"))
    assert primus.extractor.out_shape(128, 800) == (2, 100) and primus.extractor.out_channels == 256
    assert primus._features() == 512 and primus.tokenizer.classes == 1782
    assert wide.extractor.out_shape(128, 2000) == (2, 500)
    light = Recognizer(TINY)
    assert light.extractor.out_shape(96, 512)[0] == 1 and abs(light.extractor.out_shape(96, 512)[1] - 128) <= 1


def test_framed_data_are_what_the_model_learned():
    clean, learned = RenderedScores(2, 2), RenderedScores(2, 2, Recipe(frame="staff", staff_space=96 / 13.7))
    framed = Framed(clean, TINY, "staff")
    assert framed[1].image.height == 96 and framed[1].text == clean[1].text
    assert abs(framed[1].image.width - learned[1].image.width) < 20
    assert Framed(learned, TINY, "staff")[0].image.tobytes() == learned[0].image.tobytes()


def test_agnostic_readings_become_music():
    image = Image.fromarray(np.zeros((9, 9), np.uint8))
    staff = understood(DRAWN.split(), 1.0, [1.0] * 4, image)
    assert staff.semantic == ["clef-G2", "keySignature-GM", "note-F#5_half", "barline"] and not staff.doubts
    broken = understood(["note.half-L5"], 1.0, [1.0], image)
    assert broken.semantic == [] and "clef" in str(broken.doubts[0])


def test_score_reader_reads_the_same_alone_and_in_company(weights):
    from crnn_jt.weights import load_weights

    reader = ScoreReader(load_weights(weights), "tiny")
    image = RenderedScores(1, 1)[0].image
    (alone,) = reader.read(image)
    assert alone.symbols == reader.read(image)[0].symbols and alone.image.height == 96
