"""Photographs with a text file of quadrilaterals each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools.readers import open_reader
from data_tools.readers.quads import format_region, parse, to_quad
from data_tools.readers.scenes.pairs import PairsReader
from data_tools.sample import CorruptSample, Region


def write(root: Path, annotations: dict[str, str | bytes], pictures: str = "image", labels: str = "gt") -> Path:
    for name, content in annotations.items():
        for folder in (pictures, labels):
            (root / folder).mkdir(parents=True, exist_ok=True)
        stem = name.removeprefix("gt_")
        Image.new("RGB", (40, 30)).save(root / pictures / f"{stem}.png")
        (root / labels / f"{name}.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


@pytest.mark.parametrize(
    "pictures, labels, prefix", [("image", "gt", ""), ("images", "labels", "gt_"), ("", "", "gt_")]
)
def test_layouts_in_use_are_opened(tmp_path, pictures, labels, prefix):
    """ICDAR puts annotations into a folder of their own, or beside the pictures."""
    root = write(tmp_path, {f"{prefix}img_1": "1,2,9,2,9,6,1,6,Hello\r\n", f"{prefix}img_2": ""}, pictures, labels)
    reader = open_reader(root)
    assert isinstance(reader, PairsReader) and len(reader) == 2
    sample = reader[0]
    assert sample.text == "Hello" and sample.regions[0].polygon.tolist() == [[1, 2], [9, 2], [9, 6], [1, 6]]
    assert reader[1].regions == ()


@pytest.mark.parametrize(
    "line, text, legible",
    [
        ("0,0,9,0,9,4,0,4,a, b", "a, b", True),
        ("0,0,9,0,9,4,0,4,###", "###", False),
        ("0,0,9,0,9,4,0,4", "", False),
        ('0, 0, 9, 4, "it\'s"', "it's", True),
        ('0 0 9 4 "two words"', "two words", True),
        ("0.5,0,9,0,9,4,0,4.25,é", "é", True),
    ],
)
def test_lines_of_both_years_are_understood(line, text, legible):
    region = parse(line)
    assert (region.text, region.legible, region.polygon.shape) == (text, legible, (4, 2))


@pytest.mark.parametrize("line", ["", "hello", "1,2,3", "a,b,c,d,e,f,g,h,text", "nan,0,9,0,9,4,0,4,x"])
def test_lines_that_make_no_sense_are_none(line):
    assert parse(line) is None


def test_bad_lines_and_a_missing_annotation_cost_no_more_than_themselves(tmp_path, caplog):
    """A set with a flaw is read all the same, and the flaw is named."""
    root = write(tmp_path, {"a": "\ufeff1,2,9,2,9,6,1,6,one\nrubbish\n1,8,9,8,9,9,1,9,two\n", "b": b"\xff\xfe\x00"})
    Image.new("RGB", (4, 4)).save(root / "image" / "c.png")
    reader = open_reader(root)
    assert reader.text(0) == "one two" and "1 of its annotation's parts" in caplog.text and "line 2" in caplog.text
    for index in (1, 2):
        with pytest.raises(CorruptSample) as caught:
            reader[index]
        assert caught.value.part == "label"


def test_what_is_formatted_is_parsed_again():
    region = Region(np.float32([[0, 0.25], [9, 0], [9, 4], [0, 4]]), "a,b")
    again = parse(format_region(region))
    assert again.text == "a,b" and np.abs(again.polygon - region.polygon).max() < 0.06
    assert not parse(format_region(Region(region.polygon, "?", False))).legible


def test_an_outline_of_many_points_becomes_the_box_that_begins_where_it_does():
    curve = np.float32([[10, 10], [20, 8], [30, 10], [30, 16], [20, 14], [10, 16]])
    assert to_quad(curve)[0].tolist() == [10, 8] and len(to_quad(curve)) == 4
    assert to_quad(np.roll(curve, 3, axis=0))[0].tolist() == [30, 16]
