"""What is no staff of five lines with music on it must not be read as one; what is framed already is left alone."""

from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_tools.images import to_channels
from data_tools.music import mei
from data_tools.music.notation import Clef, Key, Meter, Note
from data_tools.scores import Recipe, RenderedScores
from data_tools.scores.engraving import engrave, varied_style
from data_tools.scores.framing import frame
from omr.checks import find_octave_mark, is_framed, unreadable
from omr.ink import NoStaff
from omr.orientation import find_upright


def lines(count: int) -> Image.Image:
    """A page with `count` level lines and a few numbers on them."""
    page = Image.new("L", (1000, 300), 255)
    draw = ImageDraw.Draw(page)
    for line in range(count):
        draw.line([(60, 100 + 16 * line), (940, 100 + 16 * line)], fill=0, width=2)
    for order in range(6):
        draw.text((120 + 120 * order, 95 + 16 * (order % count)), str(order), fill=0)
    return page


def told(page: Image.Image) -> str:
    """Why the page's first staff is not read."""
    try:
        upright, staves = find_upright(page)
    except NoStaff as error:
        return str(error)
    return unreadable(frame(upright, staves[0], 7.0))


@pytest.mark.parametrize(("count", "why"), [(4, "fewer than five"), (6, "six or more"), (7, "six or more")])
def test_other_numbers_of_lines_are_refused(count, why):
    """A clef and a time signature were invented for tablature and chant."""
    assert why in told(lines(count)) or "no staff" in told(lines(count))


def test_an_empty_staff_is_refused():
    page = Image.new("L", (1000, 300), 255)
    for line in range(5):
        ImageDraw.Draw(page).line([(60, 100 + 16 * line), (940, 100 + 16 * line)], fill=0, width=2)
    assert "nothing stands on the staff" in told(page)


def test_music_is_not_refused():
    for camera in (0.0, 1.0):
        scores = RenderedScores(11, 12, Recipe("varied", "staff", 7.0, camera))
        assert not any(unreadable(to_channels(scores[index].image, 1)) for index in range(12))


def test_a_picture_exactly_as_high_as_the_models_is_framed_like_any_other():
    """One of 96 rows was taken for framed, and read with its staff in the wrong place."""
    learned = RenderedScores(12, 8, Recipe("varied", "staff", 7.0))
    assert all(is_framed(to_channels(learned[index].image, 1)) for index in range(8))
    for index in range(8):
        image = RenderedScores(12, 8)[index].image.convert("L")
        image = image.resize((round(image.width * 96 / image.height), 96), Image.Resampling.BOX)
        assert not is_framed(image)
    assert not is_framed(Image.fromarray(np.full((96, 300), 255, np.uint8)))


@pytest.mark.parametrize("clef", [Clef("G", 2), Clef("F", 4)])
@pytest.mark.parametrize(("place", "what"), [("below", "higher"), ("above", "lower"), (None, "")])
def test_an_octave_mark_at_the_clef_is_said(place, what, clef):
    """Tenor parts were an octave off without a word: no symbol of the encodings has the mark."""
    mark = f' clef.dis="8" clef.dis.place="{place}"' if place else ""
    for key in (0, 4):
        music = mei.write([clef, Key(key), Meter(3, 4), Note("C", 0, 5, "half", dots=1)])
        said = f'clef.line="{clef.line}"'
        image = engrave(music.replace(said, said + mark), varied_style(Random(key), 7.0), "staff")
        doubt = find_octave_mark(image, clef)
        assert bool(doubt) == bool(place) and what in doubt


def test_no_octave_mark_is_seen_at_plain_clefs():
    scores = RenderedScores(5, 40, Recipe("varied", "staff", 7.0, camera=0.5))
    for index in range(len(scores)):
        clef = next(event for event in scores.score(index).events if isinstance(event, Clef))
        assert find_octave_mark(scores[index].image.convert("L"), clef) == "", index
