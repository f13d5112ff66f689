"""Pictures drawn shape by shape must be those of a general SVG renderer, whatever was drawn before them."""

from io import BytesIO
from random import Random

import numpy as np
import pytest
from PIL import Image

from data_tools.music import mei
from data_tools.music.notation import Barline, Clef, Meter, MusicError, Note
from data_tools.scores import drawing
from data_tools.scores.engraving import PRIMUS, STAFF_SPACE, engrave, to_svg, varied_style
from data_tools.scores.grammar import compose


def page_of(svg: str, staff_space: float, smooth: bool) -> np.ndarray:
    """The whole page as resvg draws it."""
    import resvg_py

    content = resvg_py.svg_to_bytes(
        svg_string=svg,
        background="white",
        skip_system_fonts=True,
        zoom=staff_space / STAFF_SPACE,
        shape_rendering="geometric_precision" if smooth else "crisp_edges",
    )
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image.getchannel("R"), np.float32) / 255


@pytest.mark.parametrize("style", [PRIMUS, varied_style(Random(1), 7.0), varied_style(Random(5), 20.0)])
def test_picture_is_that_of_a_general_renderer(style):
    """Ties, beams, dots, multi-measure rests, ledger lines: nothing is lost, doubled or moved."""
    for seed in (11, 18, 26):
        svg = to_svg(mei.write(compose(Random(seed))), style)
        page = page_of(svg, style.staff_space, style.smooth)
        own = drawing.draw(drawing.read(svg), style.staff_space, style.smooth, 0, page.shape[0])
        page, own = page[:, : own.shape[1]], own[:, : page.shape[1]]
        ink = (page < 0.5).sum()
        assert abs(int((own < 0.5).sum()) - ink) < 0.06 * ink
        assert (np.abs(page - own) > 0.75).sum() < 0.03 * ink


def test_picture_does_not_depend_on_what_was_drawn_before():
    text = mei.write(compose(Random(3)))
    style = varied_style(Random(3), 7.0)
    first = engrave(text, style, "staff").tobytes()
    for seed in range(4):
        engrave(mei.write(compose(Random(seed))), varied_style(Random(seed), 7.0), "staff")
    warm = engrave(text, style, "staff").tobytes()
    drawing._kept_stamp.cache_clear()
    assert first == warm == engrave(text, style, "staff").tobytes()


def test_notes_beyond_the_frame_are_cut_and_the_frame_kept():
    notes = [Note("C", 0, 8, "quarter"), Note("C", 0, 1, "quarter")]
    image = engrave(mei.write([Clef("G", 2), Meter(2, 4), *notes, Barline()]), varied_style(Random(1), 7.0), "staff")
    assert image.height == round(13.7 * 7)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('class="page-margin"', 'class="nothing"', "no page"),
        ("<use ", "<text>hello</text><use ", "<text>"),
        ("<use ", '<path d="M0 0 L50 600" stroke-width="9" /><use ', "slanted"),
        ("<path ", "<g ", "<use>"),
    ],
)
def test_what_no_staff_has_is_named(old, new, why):
    """A picture that would lack something is refused, not drawn without it."""
    svg = to_svg(mei.write(compose(Random(3)))).replace(old, new, -1 if new == "<g " else 1)
    with pytest.raises(MusicError, match=why):
        drawing.read(svg)
