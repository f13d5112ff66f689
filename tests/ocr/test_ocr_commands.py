"""python -m ocr train, read, test: what a user types and gets, with a really trained tiny detector."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from crnn_jt.spec import Config, to_dict
from tests.crnn_jt import tiny

STEPS = 120


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a set of photographs and a run of a detector on it."""
    root = tmp_path_factory.mktemp("ocr")
    tiny.write_photos(root / "set", 8)
    train = {"steps": STEPS, "validate_every": STEPS, "checkpoint_every": STEPS, "augment": False, "ema": 0.0}
    (root / "tiny.yaml").write_text(
        yaml.safe_dump(to_dict(Config(tiny.detector(0.25, 32), tiny.config(**train).train)))
    )
    line = ["--config", root / "tiny.yaml", "--out", root / "run", "--train", root / "set", "--val", root / "set"]
    done = tiny.command("train", "detector", *line, room="ocr")
    assert done.returncode == 0, done.stderr[-3000:]
    return root


def test_a_trained_detector_reads_and_is_measured(trained):
    """train, then read and test with what it wrote."""
    weights = trained / "run" / "best.safetensors"
    options = ("--detector", weights, "--resolution", "1")
    done = tiny.command("test", "--data", trained / "set", "--json", *options, room="ocr")
    assert done.returncode == 0, done.stderr[-3000:]
    values = json.loads(done.stdout)
    assert values["n"] == 8 and set(values) == {"n", "detection", "deteval", "end_to_end", "words", "cer"}
    assert values["detection"]["recall"] > 30  # as a rule 100; a fresh one finds nothing
    (trained / "torn.png").write_bytes(b"torn")
    pictures = (trained / "set" / "image" / "0.png", trained / "torn.png", trained / "set" / "image" / "1.png")
    files = ("--png", trained / "seen", "--text", trained / "text", "--hocr", trained / "all.hocr")
    done = tiny.command("read", *pictures, "--json", "--timings", *options, *files, room="ocr")
    assert done.returncode == 1, done.stderr[-3000:]
    assert {"decode", "detector > network", "order"} <= {line.split("  ")[0] for line in done.stderr.splitlines()}
    results = json.loads(done.stdout)
    assert [set(each) == {"path", "error"} for each in results] == [False, True, False]
    assert results[0]["width"] == results[0]["height"] == 64
    assert sorted(path.name for path in (trained / "seen").iterdir()) == ["0.png.png", "1.png.png"]
    assert (trained / "text" / "0.png.txt").is_file() and "ocr_page" in (trained / "all.hocr").read_text()


def test_documents_are_read_written_and_shared_out(trained, tmp_path):
    """A PDF made of what was read is read again, page by page, beside one that does not open, in two shards."""
    options = ("--detector", trained / "run" / "best.safetensors", "--resolution", "1", "--language", "none")
    pictures = (trained / "set" / "image" / "0.png", trained / "set" / "image" / "1.png")
    done = tiny.command("read", *pictures, *options, "--pdf", tmp_path / "in" / "all.pdf", room="ocr")
    assert done.returncode == 0, done.stderr[-3000:]
    (tmp_path / "in" / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    codes = []
    for number in (1, 2, 1):
        line = ("read", tmp_path / "in", "--out", tmp_path / "out", "--shard", f"{number}/2")
        codes.append(tiny.command(*line, *options, room="ocr").returncode)
    lines = [line for file in (tmp_path / "out").iterdir() for line in file.read_text().splitlines()]
    pages = {Path(entry["path"]).name: entry for entry in map(json.loads, lines)}
    assert len(lines) == 3 and set(pages) == {"all.pdf", "all.pdf#2", "torn.pdf"}
    assert pages["all.pdf#2"]["page"] == 2 and pages["all.pdf"]["width"] == 64
    assert set(pages["torn.pdf"]) == {"path", "error"}
    assert sorted(codes[:2]) == [0, 1] and codes[2] == codes[0]


def test_pictures_of_words_are_no_photographs(tmp_path):
    """A detector would learn that there is no text anywhere."""
    words = tiny.write_set(tmp_path / "words", 4)
    line = ("--config", "db-light", "--out", tmp_path / "x", "--train", words)
    done = tiny.command("train", "detector", *line, room="ocr")
    tiny.one_line(done, "no regions of text")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "words, mentioned",
    [
        (("read", "PICTURE", "--detector", "nowhere.safetensors"), "nowhere.safetensors"),
        (("read", "PICTURE", "--detector", "crnn-light"), "not a detector"),
        (("read", "PICTURE", "--resolution", "7"), "--resolution 7"),
        (("read", "PICTURE", "--spotter", "db-light"), "not a spotter"),
        (("read", "PICTURE", "--spotter", "db-light", "--detector", "db-light"), "leave --detector"),
        (("read", "PICTURE", "--selector", "db-light"), "not a selector"),
        (("read", "PICTURE", "--selector", "db-light", "--resolution", "full"), "--resolution auto"),
        (("read", "PICTURE", "--angle", "45"), "--angle 45"),
        (("read", "PICTURE", "--cut", "pages"), "--cut pages"),
        (("read", "PICTURE", "--shard", "1/2"), "--out"),
        (("read", "PICTURE", "--out", "x", "--json"), "leave out --json"),
        (("read", "nowhere.jpg"), "nowhere.jpg"),
        (("read", "PICTURE", "--pdf", "PICTURE"), "over the picture"),
        (("read", "PICTURE", "TWIN", "--text", "texts"), "would both be written"),
        (("test", "--data", "PICTURE", "--limit", "-1"), "--limit is -1"),
        (("train", "poet", "--config", "db-light", "--out", "x"), "poet"),
        (("train", "detector", "--config", "crnn-light", "--out", "x"), "crnn-light"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, words, mentioned):
    picture = tmp_path / "picture.png"
    (tmp_path / "twin").mkdir()
    named = {"PICTURE": picture, "TWIN": tmp_path / "twin" / picture.name}
    for path in named.values():
        Image.new("L", (40, 30)).save(path)
    done = tiny.command(*(named.get(word, word) for word in words), room="ocr", cwd=None)
    tiny.one_line(done, mentioned)
