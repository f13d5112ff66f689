"""The commands must read any staff with any model of scores, say what is doubtful, and leave nothing half written.

The model here is tiny and untrained: what it reads is nonsense, which must be exported all the same.
"""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from crnn_jt import backend
from crnn_jt.models import Recognizer, build
from crnn_jt.reading import Prediction
from crnn_jt.spec import StageSpec, load_config
from crnn_jt.weights import Weights, save_weights
from data_tools.cli import main
from data_tools.music.notation import Barline, Note
from data_tools.music.semantic import READINGS
from data_tools.scores import Recipe, RenderedScores
from omr.__main__ import COMMANDS
from omr.data import Framed
from omr.reading import ReadingOptions, ScoreReader, framed, understand

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
    save_weights(path, Weights(backend.state(build(TINY, 0)), TINY))
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


def test_all_pages_of_a_file_are_read_and_named(weights, picture, tmp_path, capsys):
    """A scan of three pages was read as one, without a word."""
    with Image.open(picture) as staff:
        page = Image.new("L", (staff.width + 100, staff.height + 200), 255)
        page.paste(staff, (50, 100))
    blank = Image.new("L", page.size, 255)
    page.save(tmp_path / "scan.tif", save_all=True, append_images=[blank, page])
    assert run("read", tmp_path / "scan.tif", "--weights", weights, "--json") == 1
    entries = json.loads(capsys.readouterr().out)
    name = str(tmp_path / "scan.tif")
    assert [entry["path"] for entry in entries] == [name, f"{name}#2", f"{name}#3"]
    assert ["error" in entry for entry in entries] == [False, True, False]
    assert entries[0]["semantic"] == entries[2]["semantic"]


def test_a_staff_on_its_head_is_turned_when_that_reads_better(weights, picture):
    """Only reading tells which way up a level staff is."""
    from crnn_jt.weights import load_weights

    reader = ScoreReader(load_weights(weights), "tiny")
    with Image.open(picture) as staff:
        page = ImageOps.expand(staff.convert("L"), 60, 255)
    (upright,) = framed(page, TINY)

    def likeness(image):
        pixels = [np.asarray(one.resize((300, 96)), float).ravel() for one in (image, upright)]
        return float(np.corrcoef(*pixels)[0, 1])

    def read(images):
        confidences = [0.99 if likeness(image) > 0.7 else 0.4 for image in images]
        return [Prediction("clef-G2 note-C4_half", confidence, "") for confidence in confidences]

    reader.sequence = SimpleNamespace(spec=TINY, read=read)
    for turned in (page, page.rotate(180)):
        (found,) = reader.read(turned)
        assert found.confidence == 0.99 and likeness(found.image) > 0.7


def test_what_is_no_staff_of_five_lines_has_no_symbols(weights):
    from crnn_jt.weights import load_weights

    page = Image.new("L", (900, 300), 255)
    for line in range(5):
        ImageDraw.Draw(page).line([(60, 100 + 16 * line), (840, 100 + 16 * line)], fill=0, width=2)
    (staff,) = ScoreReader(load_weights(weights), "tiny").read(page)
    assert staff.symbols == [] and "nothing stands" in str(staff.doubts[0]) and staff.events == []


TWO_BARS = "clef-G2 timeSignature-2/4 note-F#4_quarter note-F4_quarter barline barline note-C4_half"


def test_symbols_are_understood_as_the_options_say():
    """Bar lines that meet are one; the closing one is PrIMuS's or as drawn; accidentals hold, or not."""
    image = Image.fromarray(np.zeros((9, 9), np.uint8))

    def staff(**options):
        return understand(TWO_BARS.split(), 1.0, [1.0] * 7, image, ReadingOptions(**options))

    usual = staff()
    assert usual.semantic == TWO_BARS.replace("barline barline", "barline").split() + ["barline"]
    assert usual.symbols == TWO_BARS.split() and not usual.doubts
    assert not isinstance(usual.events[-1], Barline), "exports end as the picture does"
    assert staff(barline="drawn").semantic == usual.semantic[:-1]
    heard = [[event.alter for event in staff(accidentals=name).events if isinstance(event, Note)] for name in READINGS]
    assert heard == [[1, 1, 0], [1, 0, 0]]


def test_mistakes_are_one_line(weights, picture, tmp_path, capsys):
    words = replace(TINY, labels=replace(TINY.labels, vocabulary="", characters="abc", max_length=5))
    save_weights(tmp_path / "words.safetensors", Weights(backend.state(build(words, 0)), words))
    for arguments, why in (
        (["read", picture, "--weights", tmp_path / "words.safetensors"], "not music"),
        (["read", tmp_path / "nothere.png", "--weights", weights], "nothere.png"),
        (["test", "--weights", weights, "--data", tmp_path / "nothere"], "nothere"),
        (["test", "--weights", weights, "--data", picture.parent, "--split", "test"], "--split"),
        (["read", picture, "--weights", weights, "--accidentals", "odd"], "--accidentals odd"),
        (["test", "--weights", weights, "--data", tmp_path / "nothere", "--barline", "odd"], "--barline odd"),
        (["train", "--config", "crnn-light", "--out", tmp_path / "run"], "reads words"),
    ):
        assert run(*arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert why in error


def test_report_models_have_the_reports_shapes():
    """128x800 becomes 100 steps of 512 features; the wide and the light one keep a step each 4 columns."""
    primus, wide = (Recognizer(load_config(name).model) for name in ("primus", "primus-wide"))
    assert primus.extractor.out_shape(128, 800) == (2, 100) and primus.extractor.out_channels == 256
    assert primus.seen_features == 512 and primus.tokenizer.classes == 1782
    assert wide.extractor.out_shape(128, 2000) == (2, 500)
    light = Recognizer(TINY)
    assert light.extractor.out_shape(96, 512)[0] == 1 and abs(light.extractor.out_shape(96, 512)[1] - 128) <= 1


def test_framed_data_are_what_the_model_learned():
    clean, learned = RenderedScores(2, 2), RenderedScores(2, 2, Recipe(frame="staff", staff_space=96 / 13.7))
    framed = Framed(clean, TINY)
    assert framed[1].image.height == 96 and framed[1].text == clean[1].text
    assert abs(framed[1].image.width - learned[1].image.width) < 20
    assert Framed(learned, TINY)[0].image.tobytes() == learned[0].image.tobytes()


def test_agnostic_readings_become_music():
    image = Image.fromarray(np.zeros((9, 9), np.uint8))
    staff = understand(DRAWN.split(), 1.0, [1.0] * 4, image)
    assert staff.semantic == ["clef-G2", "keySignature-GM", "note-F#5_half", "barline"] and not staff.doubts
    broken = understand(["note.half-L5"], 1.0, [1.0], image)
    assert broken.semantic == [] and "clef" in str(broken.doubts[0])


def test_score_reader_reads_the_same_alone_and_in_company(weights):
    from crnn_jt.weights import load_weights

    reader = ScoreReader(load_weights(weights), "tiny")
    image = RenderedScores(1, 1)[0].image
    (alone,) = reader.read(image)
    assert alone.symbols == reader.read(image)[0].symbols and alone.image.height == 96
