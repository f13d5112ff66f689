"""What was read, engraved beneath the picture it was read from, so that one sees at a glance whether it is right."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from data_tools.music import mei
from data_tools.music.notation import Doubt, Event, MusicError, Note, Rest, with_accidentals
from data_tools.scores.engraving import STAFF_SPACE, Style, engrave, to_svg

_GAP = 10
_PRINTED = {"staffLineWidth": 0.15, "stemWidth": 0.2, "barLineWidth": 0.3}


def engraved(events: Sequence[Event], staff_space: float = STAFF_SPACE) -> Image.Image:
    """The events as a picture (mode L), with accidentals where a reader needs them; beams are not part of what is read.

    Raises MusicError where nothing can be drawn.
    """
    return engrave(_to_mei(events), Style(_PRINTED, staff_space, ink=0, smooth=True))


def to_drawing(events: Sequence[Event]) -> str:
    """`engraved` as SVG, a group of class "measure" or "note" for each of them."""
    return to_svg(_to_mei(events), Style(_PRINTED))


def _to_mei(events: Sequence[Event]) -> str:
    drawn = with_accidentals(list(events))
    if not any(isinstance(event, Note | Rest) for event in drawn):
        raise MusicError("no notes or rests to draw")
    return mei.write(drawn)


def beneath(image: Image.Image, events: Sequence[Event], doubts: Sequence[Doubt] = ()) -> Image.Image:
    """`image` of one staff above what was read from it, at the same width; doubts in red below (mode RGB)."""
    try:
        below = engraved(events).convert("RGB")
    except MusicError as error:
        below = Image.new("RGB", (image.width, 1), "white")
        doubts = [*doubts, Doubt(1, 0, str(error))]
    width = max(image.width, 400)
    below = below.resize((width, max(1, round(below.height * width / below.width))), Image.Resampling.LANCZOS)
    lines = [f"? {doubt}" for doubt in doubts]
    font = ImageFont.load_default(14)
    sheet = Image.new("RGB", (width, image.height + below.height + _GAP * 3 + 18 * len(lines)), "white")
    sheet.paste(image.convert("RGB"), (0, 0))
    sheet.paste(below, (0, image.height + _GAP))
    draw = ImageDraw.Draw(sheet)
    draw.line([(0, image.height + _GAP // 2), (width, image.height + _GAP // 2)], fill=(160, 170, 200))
    for order, line in enumerate(lines):
        draw.text((4, image.height + below.height + 2 * _GAP + 18 * order), line, fill=(190, 0, 0), font=font)
    return sheet


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one beneath the other on white."""
    sheet = Image.new("RGB", (max(p.width for p in pictures), sum(p.height + _GAP for p in pictures)), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + _GAP
    return sheet
