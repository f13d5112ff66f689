"""Rendered photographs: the same from one seed, words where their outlines say, and a folder that is read back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from data_tools.__main__ import COMMANDS
from data_tools.cli import main
from data_tools.errors import UserError
from data_tools.photos import Recipe, RenderedScenes
from data_tools.photos.folder import write_photos
from data_tools.photos.lines import JoinLines
from data_tools.polygons import area, iou
from data_tools.readers import open_reader
from data_tools.sample import Region, Sample

SMALL = Recipe(system_fonts=False, height=256, width=320, signs=(3, 6))
CLEAN = replace(SMALL, light=0.0, blur=0.0, noise=0.0, jpeg=0.0, clutter=0.0, occlusion=0.0)


def samples(recipe: Recipe, count: int = 6, seed: int = 1) -> list[Sample]:
    reader = RenderedScenes(seed, count, recipe)
    return [reader[index] for index in range(count)]


def pixels(sample: Sample) -> np.ndarray:
    return np.asarray(sample.image.convert("L"), np.float32)


@pytest.mark.parametrize("documents", [0.0, 1.0])
def test_a_photograph_depends_on_seed_and_number_alone(documents):
    """Else a training could not be repeated, nor resumed."""
    recipe = replace(SMALL, documents=documents)
    reader, again = RenderedScenes(5, 4, recipe), RenderedScenes(5, 9, recipe)
    for index in (3, 0):
        one, other = reader[index], again[index]
        assert one.image.tobytes() == other.image.tobytes() and one.text == other.text
        assert [r.polygon.tolist() for r in one.regions] == [r.polygon.tolist() for r in other.regions]
    assert RenderedScenes(6, 4, recipe)[0].image.tobytes() != reader[0].image.tobytes()


@pytest.mark.parametrize("documents", [0.0, 1.0])
def test_outlines_lie_inside_the_picture_and_apart(documents):
    """A detector that learns from overlapping words learns to join them."""
    for sample in samples(replace(SMALL, documents=documents)):
        polygons = [region.polygon for region in sample.regions]
        assert all((p >= 0).all() and (p <= (320, 256)).all() and p.dtype == np.float32 for p in polygons)
        overlaps = iou(polygons, polygons) - np.eye(len(polygons)) if polygons else np.zeros((1, 1))
        assert overlaps.max() < 0.3
        assert sample.text == " ".join(region.text for region in sample.regions if region.legible)


@pytest.mark.parametrize("documents", [0.0, 1.0])
def test_legible_words_can_be_told_from_their_ground(documents):
    """Inside each outline there are dark and light pixels: the word is there, and can be seen."""
    seen = total = 0
    for sample in samples(replace(CLEAN, documents=documents)):
        grey = pixels(sample)
        for region in sample.regions:
            (left, top), (right, bottom) = region.polygon.min(0).astype(int), region.polygon.max(0).astype(int)
            if region.legible and right > left and bottom > top:
                total, seen = total + 1, seen + (np.ptp(grey[top:bottom, left:right]) > 25)
    assert total > 20 and seen > 0.95 * total


def test_words_of_a_line_share_its_number_in_reading_order():
    """Line detectors and page readers are judged by it."""
    (sample,) = samples(replace(CLEAN, documents=1.0), 1)
    numbers = [region.line for region in sample.regions]
    assert numbers == sorted(numbers)
    lines = JoinLines()(sample).regions
    assert len(lines) == len(set(numbers))
    assert " ".join(line.text for line in lines) == " ".join(region.text for region in sample.regions)


def test_joined_words_are_one_box_around_them():
    words = [Region(np.float32([[x, 0], [x + 4, 0], [x + 4, 2], [x, 2]]), str(x), line=3) for x in (0, 6)]
    (line,) = JoinLines()(Sample(None, "", "", regions=tuple(words))).regions
    assert line.text == "0 6" and line.polygon.tolist() == [[0, 0], [10, 0], [10, 2], [0, 2]]


def test_curved_and_upright_words_have_outlines_that_hold_them():
    """Outlines of more than four points, and tall ones, come up."""
    bent = samples(replace(CLEAN, curve=1.0, signs=(8, 8)), 4)
    assert any(len(region.polygon) == 8 for sample in bent for region in sample.regions)
    assert all(area(region.polygon) > 4 for sample in bent for region in sample.regions if region.legible)
    tall = [
        np.ptp(r.polygon, axis=0) for s in samples(replace(CLEAN, upright=1.0)) for r in s.regions if len(r.text) > 3
    ]
    assert sum(height > width for width, height in tall) > 0.9 * len(tall)


def test_backgrounds_of_the_users_are_used(tmp_path):
    """Red photographs give red scenes; an empty folder is named."""
    Image.new("RGB", (400, 300), (250, 5, 5)).save(tmp_path / "red.png")
    found = samples(replace(CLEAN, backgrounds=str(tmp_path), signs=(1, 1)), 10)
    reddish = [np.median(np.asarray(sample.image)[..., 0]) > 200 for sample in found]
    assert sum(reddish) > 5
    (tmp_path / "red.png").unlink()
    with pytest.raises(UserError, match="no picture there"):
        RenderedScenes(0, 1, replace(SMALL, backgrounds=str(tmp_path))).renderer()


@pytest.mark.parametrize(
    "values", [{"documents": 2.0}, {"height": 5}, {"signs": (4, 2)}, {"capitals": (0, 10)}, {"light": "much"}]
)
def test_a_recipe_that_makes_no_sense_is_refused(values):
    with pytest.raises(UserError, match=next(iter(values))):
        replace(SMALL, **values)


def test_the_command_writes_the_same_files_with_any_workers_and_goes_on(tmp_path, capsys):
    """An interrupted run of an hour is not lost."""

    def run(out: str, *more: str) -> None:
        words = [
            "scenes",
            "--n",
            "4",
            "--seed",
            "3",
            "--size",
            "160",
            "--documents",
            "0.5",
            "--out",
            str(tmp_path / out),
        ]
        assert main("data_tools", "", COMMANDS, [*words, *more]) == 0

    run("one")
    run("two", "--workers", "2")
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(names) == 8
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)
    (tmp_path / "two" / names[-1]).unlink()
    run("two")
    assert (tmp_path / "one" / names[-1]).read_bytes() == (tmp_path / "two" / names[-1]).read_bytes()


def test_what_is_written_is_read_back(tmp_path):
    """Texts, legibility and corners to a tenth of a pixel."""
    reader = RenderedScenes(2, 3, SMALL)
    assert write_photos(reader, tmp_path / "set") == 3
    again = open_reader(tmp_path / "set")
    for index in range(3):
        before, after = reader[index], again[index]
        assert len(after.regions) == len(before.regions) and after.image.size == before.image.size
        for one, other in zip(before.regions, after.regions):
            assert other.legible == one.legible and (not one.legible or other.text == one.text)
            if len(one.polygon) == 4:
                np.testing.assert_allclose(other.polygon, one.polygon, atol=0.06)


def test_another_folder_is_not_written_into(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        write_photos(RenderedScenes(0, 1, SMALL), tmp_path)
