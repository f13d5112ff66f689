"""Words and lines cut out of photographs, as `python -m data_tools crops` writes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_tools import lmdb_writer, records
from data_tools.__main__ import COMMANDS
from data_tools.cli import main
from data_tools.photos.lines import join_lines, number_lines
from data_tools.photos.regions import CutRegions
from data_tools.readers import open_reader
from data_tools.sample import Region


@pytest.fixture
def tool(capsys):
    def run(*argv):
        code = main("data_tools", "", COMMANDS, [str(arg) for arg in argv])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.float32([[left, top], [right, top], [right, bottom], [left, bottom]])


def write_scenes(root: Path, count: int = 1, lines: str = "") -> Path:
    """Photographs with a dark box (`one`, right half white) and a word beside it that runs up (`up`)."""
    for folder in ("image", "gt"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        image = Image.new("RGB", (100, 60), (120, 120, 120))
        draw = ImageDraw.Draw(image)
        draw.rectangle((10, 10, 29, 19), fill="black")
        draw.rectangle((30, 10, 49, 19), fill="white")
        draw.rectangle((70, 10, 79, 29), fill="white")
        draw.rectangle((70, 30, 79, 49), fill="black")
        image.save(root / "image" / f"{number}.png")
        own = "10,10,50,10,50,20,10,20,one\n70,50,70,10,80,10,80,50,up\n0,0,5,0,5,5,0,5,###\n"
        (root / "gt" / f"{number}.txt").write_text(own + lines)
    return root


def test_words_are_cut_out_as_they_are_read(tool, tmp_path):
    """What runs up in the photograph is level in the data set; what nobody can read is not in it."""
    more = "0,0,9,9,9,0,0,9,cross\n200,10,240,10,240,20,200,20,gone\n50,50,60,50,60,60,50,60,?\n"
    scenes = write_scenes(tmp_path / "scenes", 1, more)
    code, out, _ = tool("crops", scenes, "--out", tmp_path / "x.lmdb")
    assert code == 0 and "x.lmdb: 2 words; left out: " in out
    for why in ("1 × not legible", "1 × of unknown text", "1 × its outline crosses itself", "1 × it lies outside"):
        assert why in out
    reader = open_reader(tmp_path / "x.lmdb")
    assert [reader[n].text for n in range(2)] == ["one", "up"]
    for index in range(2):
        pixels = np.asarray(reader[index].image)
        assert pixels.shape == (10, 40, 3) and pixels[:, :18].mean() < 20 and pixels[:, 22:].mean() > 235


def test_words_whose_outline_begins_where_it_is_seen_are_laid_down(tool, tmp_path):
    """ICDAR 2015 begins at the upper left whichever way a word runs."""
    scenes = write_scenes(tmp_path / "scenes", 1, "70,10,80,10,80,50,70,50,seen\n")
    assert tool("crops", scenes, "--out", tmp_path / "x.lmdb")[0] == 0
    read, seen = (np.asarray(open_reader(tmp_path / "x.lmdb")[n].image) for n in (1, 2))
    assert seen.shape == read.shape and np.abs(seen.astype(int) - read).max() < 30


def test_outlines_far_beyond_the_picture_are_left_out(tool, tmp_path):
    """Neither a spike of no area nor numbers that no picture reaches make a picture of gigabytes."""
    Image.new("RGB", (100, 60)).save(tmp_path / "a.png")
    spike = [[10, 10], [90000, 10], [50, 10], [50, 20], [50, 90000], [10, 20]]
    far = [[0, 0], [1e30, 0], [1e30, 9], [0, 9]]
    outlines = {"spike": spike, "far": far, "one": [[10, 10], [50, 10], [50, 20], [10, 20]]}
    parts = [{"transcription": text, "points": points, "difficult": False} for text, points in outlines.items()]
    (tmp_path / "Label.txt").write_text("a.png\t" + json.dumps(parts))
    code, out, _ = tool("crops", tmp_path, "--out", tmp_path / "x.lmdb")
    assert code == 0 and "x.lmdb: 1 words; left out: " in out


def test_turned_ones_say_so(tool, tmp_path):
    """A classifier of direction is measured on them."""
    scenes = write_scenes(tmp_path / "scenes", 20)
    for workers in (0, 2):
        name = tmp_path / f"{workers}.lmdb"
        assert tool("crops", scenes, "--out", name, "--turned", 0.5, "--seed", 3, "--workers", workers)[0] == 0
    one, two = (open_reader(tmp_path / f"{workers}.lmdb") for workers in (0, 2))
    angles = [one[n].extra["angle"] for n in range(40)]
    assert 10 < angles.count("180") < 30 and set(angles) == {"0", "180"}
    for index, angle in enumerate(angles):
        pixels = np.asarray(one[index].image)
        assert (pixels[:, :18].mean() < 20) == (angle == "0")
        assert pixels.tobytes() == np.asarray(two[index].image).tobytes(), "the same for any number of workers"


def test_words_behind_each_other_are_one_line():
    """A reader of lines learns from sets of words; the next column is not run into."""
    words = [(10, 10, 40, 20, "To"), (44, 10, 80, 20, "be"), (140, 10, 170, 20, "or"), (10, 25, 40, 35, "not")]
    regions = [Region(box(*place), text) for *place, text in words]
    assert [region.text for region in join_lines(regions)] == ["To be", "or", "not"]
    assert [region.line for region in number_lines(regions)] == [0, 0, 1, 2]
    turned = [
        Region(np.stack([region.polygon[:, 1], -region.polygon[:, 0]], axis=1), region.text) for region in regions
    ]
    assert [region.text for region in join_lines(turned)] == ["To be", "or", "not"]
    lines = [Region(box(10, 10, 40, 20), "TOTAL DUE"), Region(box(44, 10, 80, 20), "9.90")]
    assert [region.text for region in join_lines(lines)] == ["TOTAL DUE", "9.90"], "they are lines already"
    large = [Region(box(10, 10, 40, 20), "a"), Region(box(44, 0, 80, 40), "B")]
    assert len(join_lines(large)) == 2


def test_lines_are_cut_out(tool, tmp_path):
    scenes = write_scenes(tmp_path / "scenes", 1, "10,40,30,40,30,50,10,50,two\n34,40,60,40,60,50,34,50,words\n")
    assert tool("crops", scenes, "--out", tmp_path / "x.lmdb", "--unit", "lines")[0] == 0
    reader = open_reader(tmp_path / "x.lmdb")
    assert [reader[n].text for n in range(3)] == ["one", "up", "two words"] and reader[2].image.size == (50, 10)


def test_an_interrupted_run_goes_on_to_the_same_records(tool, tmp_path, monkeypatch):
    """What was committed is there, nothing is lost and nothing is overwritten."""
    scenes, out = write_scenes(tmp_path / "scenes", 5), tmp_path / "x.lmdb"
    monkeypatch.setattr(records, "_PER_JOB", 3)
    monkeypatch.setattr(lmdb_writer, "_BATCH_BYTES", 1)
    cut = CutRegions.__getitem__

    def stop(self, index):
        if index == 7:
            raise KeyboardInterrupt
        return cut(self, index)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(CutRegions, "__getitem__", stop)
        assert tool("crops", scenes, "--out", out)[0] == 130 and len(open_reader(out)) == 6
    assert tool("crops", scenes, "--out", out)[0] == 2
    code, printed, _ = tool("crops", scenes, "--out", out, "--resume", "--json")
    assert code == 0 and json.loads(printed)["n"] == 10
    assert tool("crops", scenes, "--out", tmp_path / "y.lmdb")[0] == 0
    one, two = open_reader(out), open_reader(tmp_path / "y.lmdb")
    assert all(one.stored(n) == two.stored(n) for n in range(10))


@pytest.mark.parametrize(
    "options, named",
    [
        (["--unit", "letters"], "--unit is 'letters'; it must be one of words, lines"),
        (["--turned", "2"], "--turned is 2.0; it must be a number from 0 to 1"),
        (["--workers", "-1"], "--workers"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_data_set(tool, tmp_path, options, named):
    scenes = write_scenes(tmp_path / "scenes")
    code, out, err = tool("crops", scenes, "--out", tmp_path / "x.lmdb", *options)
    assert (code, out) == (2, "") and named in err.splitlines()[-1] and not (tmp_path / "x.lmdb").exists()


def test_an_lmdb_of_whole_photographs_is_refused(tool, tmp_path):
    """Their regions would be lost without a word."""
    code, _, err = tool("lmdb", write_scenes(tmp_path / "scenes"), tmp_path / "x.lmdb")
    assert code == 2 and "cut them out with crops" in err and not (tmp_path / "x.lmdb").exists()


def test_photographs_without_text_are_one_line(tool, tmp_path):
    scenes = write_scenes(tmp_path / "scenes")
    (scenes / "gt" / "0.txt").write_text("0,0,5,0,5,5,0,5,###\n")
    code, _, err = tool("crops", scenes, "--out", tmp_path / "x.lmdb")
    assert code == 2 and "not one legible region in 1 photographs" in err


def test_a_photograph_that_cannot_be_used_costs_only_its_own_words(tool, tmp_path):
    scenes = write_scenes(tmp_path / "scenes", 3)
    (scenes / "gt" / "1.txt").unlink()
    (scenes / "image" / "2.png").write_bytes(b"torn")
    code, out, _ = tool("crops", scenes, "--out", tmp_path / "x.lmdb", "--json")
    found = json.loads(out)
    assert code == 0 and found["n"] == 2
    assert (
        found["skipped"]["photographs that cannot be used"] == 1
        and found["skipped"]["the image cannot be decoded"] == 2
    )
