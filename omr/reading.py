"""Reading scores with a trained model: staves found, framed as the model knows them, read, and understood as music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

import numpy as np
from PIL import Image

from crnn_jt.pictures import open_picture
from crnn_jt.reading import SequenceReader
from crnn_jt.spec import RecognizerSpec
from crnn_jt.weights import Weights, load_weights
from data_tools.errors import UserError
from data_tools.images import list_pages, split_page
from data_tools.music import agnostic, semantic
from data_tools.music.notation import Barline, Clef, Doubt, Event, Key, Meter, MusicError, close_by_meter, doubts
from data_tools.scores.engraving import FRAME_ABOVE, FRAME_BELOW, STAFF_SPACE
from data_tools.scores.framing import Staff
from omr.checks import find_octave_mark, unreadable
from omr.ink import crop_to_ink
from omr.orientation import find_upright
from omr.straightening import draw_straight

BARLINES = ("primus", "drawn")
_SURE = 0.97
"""Confidence in a symbol below which a staff may stand on its head: upright ones have 0.99, others 0.7 to 0.9."""
DEFAULT = "omr-light"


@dataclass(frozen=True)
class StaffReading:
    """One staff: its symbols with a confidence each, 0-1; the events they make; what is doubtful; its picture.

    `semantic` is what was read, or what an agnostic reading means; `confidence` is p(symbols | picture).
    """

    semantic: list[str]
    confidence: float
    symbols: list[str]
    confidences: list[float]
    events: list[Event]
    doubts: list[Doubt]
    image: Image.Image = field(repr=False)

    @property
    def certainty(self) -> float:
        """The confidence in a symbol: the geometric mean."""
        return self.confidence ** (1 / max(1, len(self.symbols)))


def framed(image: Image.Image, spec: RecognizerSpec) -> list[Image.Image]:
    """Each staff of a picture as the model wants it, from top to bottom; raises NoStaff."""
    return frame_staves(*find_upright(image), spec)


def frame_staves(picture: Image.Image, staves: Sequence[Staff], spec: RecognizerSpec) -> list[Image.Image]:
    """Those staves of a picture (mode L, black on white paper) as the model wants them."""
    whole = spec.image.frame == "staff"
    space = spec.image.height / (FRAME_BELOW + FRAME_ABOVE) if whole else STAFF_SPACE
    grey = np.asarray(picture)
    images = [Image.fromarray(draw_straight(grey, staff, space)) for staff in staves]
    return images if whole else [crop_to_ink(image) for image in images]


@dataclass(frozen=True)
class ReadingOptions:
    """How symbols are understood.

    `accidentals`: "notation", what is drawn holds to the bar line, or "primus", a name is what sounds
    (`data_tools.music.semantic.parse`). `barline`: "primus", the semantic encoding ends in a bar line where the last
    measure is complete, as PrIMuS's labels, or "drawn", where the picture does. Events end as drawn.
    """

    accidentals: str = "notation"
    barline: str = "primus"

    def __post_init__(self) -> None:
        for name, known in (("accidentals", semantic.READINGS), ("barline", BARLINES)):
            if getattr(self, name) not in known:
                raise UserError(f"--{name} {getattr(self, name)}: it takes {' or '.join(known)}")


class ScoreReader:
    """A model of scores, ready to read. Raises UserError where the weights are of no such model."""

    def __init__(self, weights: Weights, name: str, options: ReadingOptions = ReadingOptions()):
        if not weights.spec.labels.vocabulary:
            raise UserError(f"--weights {name}: reads {weights.spec.labels.characters!r}, not music")
        self.sequence = SequenceReader(weights, name)
        self.options = options

    @property
    def spec(self) -> RecognizerSpec:
        """The model's spec."""
        return self.sequence.spec

    def read(self, picture: Image.Image | np.ndarray | str | Path) -> list[StaffReading]:
        """The staves of a scan or photo, from top to bottom, of a file with several pages those of all its pages.

        The picture may lie on its side, stand on its head, be turned by any angle or be a negative. Raises UserError
        (NoStaff where a page has none).
        """
        return [staff for page in open_pages(picture) for staff in self.read_page(page)]

    def read_page(self, picture: Image.Image) -> list[StaffReading]:
        """`read` for one page."""
        upright, staves = find_upright(picture)
        found = self._read_staves(upright, staves)
        if sum(staff.certainty for staff in found) < _SURE * len(found):
            turned = [_turned_over(staff, upright.size) for staff in reversed(staves)]
            found = max(found, self._read_staves(upright.rotate(180), turned), key=_certainty)
        return found

    def _read_staves(self, picture: Image.Image, staves: Sequence[Staff]) -> list[StaffReading]:
        images = frame_staves(picture, staves, self.spec)
        troubles = [unreadable(image) if self.spec.image.frame == "staff" else "" for image in images]
        readable = [image for image, trouble in zip(images, troubles) if not trouble]
        predictions = iter(self.sequence.read(readable) if readable else [])
        result = []
        for image, trouble in zip(images, troubles):
            if trouble:
                result.append(StaffReading([], 0.0, [], [], [], [Doubt(1, 0, trouble)], image))
                continue
            read = next(predictions)
            confidences = list(read.character_confidences)
            found = understand(read.text.split(), read.confidence, confidences, image, self.options)
            result.append(self._doubted(found))
        return result

    def _doubted(self, staff: StaffReading) -> StaffReading:
        """With what the picture says about the first clef that no symbol says."""
        clef = next((event for event in staff.events if isinstance(event, Clef)), None)
        mark = find_octave_mark(staff.image, clef) if clef and self.spec.image.frame == "staff" else ""
        return replace(staff, doubts=[Doubt(1, 0, mark), *staff.doubts]) if mark else staff


def open_pages(picture: Image.Image | np.ndarray | str | Path) -> list[Image.Image]:
    """A picture, or all pages of a file that has several (`path#2` is one of them). Raises UserError."""
    if not isinstance(picture, str | Path):
        return [open_picture(picture)]
    path, page = split_page(picture)
    return [open_picture(name) for name in (list_pages(path) if page == 1 else [picture])]


def _certainty(staves: Sequence[StaffReading]) -> float:
    """The mean of the staves' certainty; a beginning as music has it counts as much as a tenth more."""
    return sum(staff.certainty + 0.1 * _begins(staff.events) for staff in staves) / max(1, len(staves))


def _begins(events: Sequence[Event]) -> bool:
    """Whether a time signature stands before the first note, behind a clef."""
    head = list(takewhile(lambda event: isinstance(event, Clef | Key | Meter), events))
    return isinstance(head[0] if head else None, Clef) and isinstance(head[-1], Meter)


def _turned_over(staff: Staff, size: tuple[int, int]) -> Staff:
    """The staff in the picture of that size turned by 180 degrees: its highest line is its lowest then."""
    right, low = size[0] - 1, size[1] - 1
    bottom = low - staff.y - staff.slope * right + 4 * staff.space
    return Staff(bottom, staff.slope, staff.space, right - staff.right, right - staff.left)


def understand(
    symbols: list[str],
    confidence: float,
    confidences: Sequence[float],
    image: Image.Image,
    options: ReadingOptions = ReadingOptions(),
) -> StaffReading:
    """Symbols of either encoding as music; what makes no notation becomes a doubt."""
    trouble: list[Doubt] = []
    try:
        if _is_agnostic(symbols):
            events = agnostic.parse(symbols)
        else:
            events = semantic.parse(symbols, options.accidentals)
    except MusicError as error:
        events, trouble = [], [Doubt(1, 0, str(error))]
    events = _single_bars(events)
    found = [*trouble, *doubts(events)]
    labelled = close_by_meter(events) if options.barline == "primus" else events
    return StaffReading(semantic.encode(labelled), confidence, symbols, list(confidences), events, found, image)


def _single_bars(events: Sequence[Event]) -> list[Event]:
    """The events without bar lines that follow another at once: a double one, or one with dots, is one."""
    pairs = zip([None, *events], events)
    return [event for before, event in pairs if not (isinstance(event, Barline) and isinstance(before, Barline))]


def _is_agnostic(symbols: Sequence[str]) -> bool:
    return any(symbol.startswith(("clef.", "note.", "barline-L")) for symbol in symbols)


def load(name: str | Path, options: ReadingOptions = ReadingOptions()) -> ScoreReader:
    """A model by bundled name or weights file. Raises UserError."""
    return ScoreReader(load_weights(name), str(name), options)
