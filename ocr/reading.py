"""From a photograph to a page: text found, cut out upright, read, put in order. The library's front door."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from crnn_jt.decoding.lexicon import Lexicon
from crnn_jt.decoding.regions import Found, enlarge
from crnn_jt.detecting import AUTOMATIC, FULL, Resolution, is_tiny
from crnn_jt.directing import Judging
from crnn_jt.pictures import Picture
from crnn_jt.reading import Prediction
from crnn_jt.spelling import WordList
from data_tools.errors import UserError
from data_tools.photos.cutting import turn_round
from data_tools.stopwatch import stage
from data_tools.words.language import Language
from ocr.documents import see
from ocr.memory import make_room_beside
from ocr.order import join_words
from ocr.page import Line, Page, Piece, Word, make_lines
from ocr.turning import ANGLES, Eyes, View, find_view, turn, turn_lines_back
from ocr.words import split_words

MODELS = {
    "default": ("db-light", "none", "line-light"),
    "plain": ("db-light", "none", "crnn-light"),
    "slim": ("db-light-int8", "none", "line-light-int8"),
}
"""Detector, direction and recogniser by the name of the whole; `plain` reads lower-case letters and digits alone,
`slim` are the default ones in 8 bits.
"""
CUTS = ("words", "lines")
LEAST_CONFIDENCE = 0.35
"""What is read with less a word is taken for no text."""
SURE = 0.68
"""Where nothing is read, a region counts as text from this score on: detectors take more for text than there is."""
GLANCE = Resolution(longest=640)
"""At which a picture is looked at where only which way up it lies is asked."""
TOGETHER = 64
"""Pieces that are held cut out at the same time."""
CERTAIN = 0.9
"""Text is turned round if it stands on its head with this probability (PaddleOCR's rule)."""

Words = WordList | Lexicon | Iterable[str]


class Detecting(Protocol):
    """What finds text in a picture, in its pixels: a `crnn_jt.detecting.TextDetector`, or a stand-in."""

    def find(self, image: Image.Image, resolution: Resolution) -> list[Found]: ...


class Recognising(Protocol):
    """What reads cut-out words or lines: a `crnn_jt.reading.SequenceReader`, or a stand-in."""

    def read(
        self,
        images: Iterable[Picture],
        lexicon: Words | None = None,
        *,
        language: str | Language | None = None,
        spans: bool = False,
    ) -> list[Prediction]: ...


@runtime_checkable
class ReadingInPlace(Protocol):
    """What reads regions from what it saw when it found them: a `crnn_jt.spotting.SpotReader`."""

    def read_in_place(
        self, pixels: np.ndarray, factor: float, quads: Sequence[np.ndarray], lexicon: Words | None, language
    ) -> list[Prediction]: ...


class Choosing(Protocol):
    """What says how large a picture must be looked at: a `crnn_jt.choosing.ResolutionChooser`, or a stand-in."""

    def choose(self, image: Image.Image, resolution: Resolution) -> Resolution: ...


@dataclass(frozen=True)
class ReadingOptions:
    """How photographs are read: at which resolution; turned by `angle` (None: as is found out, photograph by
    photograph); and whether regions are `cut` out one by one (words, or the lines of a detector of lines) or joined to
    lines before they are read, for recognisers that know the space. Raises UserError.
    """

    resolution: Resolution = AUTOMATIC
    angle: int | None = None
    cut: str = "words"

    def __post_init__(self):
        if self.angle not in (None, *ANGLES):
            raise UserError(f"angle {self.angle}: it takes {', '.join(map(str, ANGLES))}")
        if self.cut not in CUTS:
            raise UserError(f"cut {self.cut}: it takes {' or '.join(CUTS)}")


class PhotoReader:
    """Detector, classifier of direction (or None), recogniser and selector of resolutions (or None), ready to read
    photographs. A spotter is detector and recogniser in one.
    """

    def __init__(
        self,
        detector: Detecting,
        recognizer: Recognising,
        direction: Judging | None = None,
        options: ReadingOptions = ReadingOptions(),
        selector: Choosing | None = None,
    ):
        self.detector, self.recognizer, self.direction = detector, recognizer, direction
        self.options, self.selector = options, selector

    def read(
        self,
        picture: Picture | Sequence[Picture],
        lexicon: Words | None = None,
        language: str | Language | None = None,
    ) -> Page | list[Page]:
        """A picture (PIL image, array of uint8, path, `scan.pdf#2` for a page) gives a `Page`, a list of them a list.
        Lexicon and language are as `crnn_jt.reading.SequenceReader.read` takes them. Raises UserError where a picture
        does not open.
        """
        read = partial(self._read, lexicon=lexicon, language=language)
        return [read(each) for each in picture] if isinstance(picture, list | tuple) else read(picture)

    def _read(self, picture: Picture, lexicon: Words | None, language: str | Language | None) -> Page:
        with stage("decode"):
            image = see(picture)
            make_room_beside(image)
        if self.options.angle is None:
            views = partial(self._look_closely, image), partial(self._look, image, glance=True)
            view = find_view(*views, Eyes.of(self.recognizer))
        else:
            view = self._look(image, self.options.angle)
        lines = self._read_regions(view, lexicon, language)
        return Page(*image.size, turn_lines_back(lines, view.angle, *image.size), view.angle, view.scale)

    def find(self, picture: Picture) -> Page:
        """As `read` of one picture, but nothing is read: its lines hold words without text, their confidence the
        detector's score. Pictures are not turned but by the option `angle`.
        """
        image = see(picture)
        view = self._look(image, self.options.angle or 0)
        pieces = [(quad, each) for quad, each in zip(view.quads, view.found) if each.score >= SURE]
        lines = make_lines([Piece((Word("", each.score, quad),), quad, each.polygon) for quad, each in pieces])
        return Page(*image.size, turn_lines_back(lines, view.angle, *image.size), view.angle, view.scale)

    def _look(self, image: Image.Image, angle: int, glance: bool = False) -> View:
        """A picture turned by an angle, with the regions found. Where text is tiny, it is looked at from closer; a
        glance at a large one is at it in small: that there is much text is seen all the same.
        """
        resolution = self.options.resolution
        if self.selector is not None and not resolution.factor:
            resolution = self.selector.choose(turn(image, angle), resolution)
        closer = resolution.closer(*image.size)
        if glance and not resolution.factor and max(image.size) > GLANCE.longest:
            resolution, closer = GLANCE, None
        found = self._find(image, angle, resolution)
        if closer is not None and is_tiny(found, resolution.of(*image.size)):
            resolution, found = closer, self._find(image, angle, closer)
        return View(angle, image, found, resolution.of(*image.size))

    def _look_closely(self, image: Image.Image, angle: int) -> View:
        """The same, with what the recogniser sees of its regions where those will be read as they are: all in one go,
        though few may be asked for which way up they are, since most pages are upright.
        """
        view = self._look(image, angle)
        as_found = self.options.cut == "words" and not isinstance(self.recognizer, ReadingInPlace)
        if as_found and self.direction is None:
            with stage("recogniser"):
                view.see(range(len(view.found)), Eyes.of(self.recognizer))
        return view

    def _find(self, image: Image.Image, angle: int, resolution: Resolution) -> list[Found]:
        """The regions of a picture turned by an angle, in the turned picture."""
        factor = resolution.of(*image.size)
        with stage("detector"):
            if not angle or factor >= 1:
                return self.detector.find(turn(image, angle), resolution)
            # A large one is scaled first: turned in full, it would take its memory twice.
            small = image.resize([max(1, round(side * factor)) for side in image.size], Image.Resampling.BILINEAR)
            return [enlarge(each, np.float32(1 / factor)) for each in self.detector.find(turn(small, angle), FULL)]

    def _read_regions(self, view: View, lexicon: Words | None, language: str | Language | None) -> tuple[Line, ...]:
        """The lines of an upright picture."""
        with stage("recogniser"):
            quads, polygons, words = self._read_pieces(view, lexicon, language)
        if lexicon is not None:  # it is of words: those of a line are read again, one by one
            words = [self._read_apart(view, line, lexicon) for line in words]
        with stage("order"):
            return make_lines([Piece(*piece) for piece in zip(words, quads, polygons) if _is_text(piece[0])])

    def _read_pieces(self, view: View, lexicon, language) -> tuple[Sequence, Sequence, list[tuple[Word, ...]]]:
        """The quads of what is read in one go, their outlines, and the words in each."""
        polygons = [each.polygon for each in view.found]
        if self.options.cut == "lines":
            quads = polygons = join_words(self._see(view)[0])
        elif isinstance(self.recognizer, ReadingInPlace):
            quads = self._see(view)[0]
        else:
            eyes = Eyes.of(self.recognizer)
            quads, sights = self._see(view, eyes)
            predictions = eyes.tell(sights, lexicon, language=language, spans=True) if quads else []
            return quads, polygons, self._split(predictions, quads, lexicon)
        return quads, polygons, self._read_quads(view, quads, lexicon, language)

    def _see(self, view: View, eyes: Eyes | None = None) -> tuple[list[np.ndarray], list]:
        """The quads of the regions, those of overturned text turned round, and what a recogniser sees of each. They are
        cut out some at a time, since together they may be as large as the picture, and once but for the overturned.
        """
        quads = view.quads
        if self.direction is None:
            return quads, view.see(range(len(quads)), eyes) if eyes else []
        upright, sights = [], []
        for first in range(0, len(quads), TOGETHER):
            some = quads[first : first + TOGETHER]
            crops = [view.cut(quad) for quad in some]
            turned = (self.direction.overturned(crops) >= CERTAIN).tolist()
            upright += [turn_round(quad) if over else quad for quad, over in zip(some, turned)]
            # A crop begins at its first corner and ends a pixel before the last: turned round it would be shifted.
            each = zip(crops, turned, upright[first:])
            sights += eyes.see(view.cut(quad) if over else crop for crop, over, quad in each) if eyes else []
        return upright, sights

    def _read_quads(self, view: View, quads: Sequence[np.ndarray], lexicon, language) -> list[tuple[Word, ...]]:
        """The words in each quad."""
        if not quads:
            return []
        if isinstance(self.recognizer, ReadingInPlace):
            pixels = np.asarray(turn(view.image, view.angle))
            predictions = self.recognizer.read_in_place(pixels, view.scale, quads, lexicon, language)
        else:
            crops = map(view.cut, quads)  # one by one: together they may be as large as the picture
            predictions = self.recognizer.read(crops, lexicon, language=language, spans=True)
        return self._split(predictions, quads, lexicon)

    @staticmethod
    def _split(predictions: list[Prediction], quads: Sequence[np.ndarray], lexicon) -> list[tuple[Word, ...]]:
        """The words of what was read in each quad."""
        if lexicon is not None:
            lines = [len(prediction.raw.split()) > 1 for prediction in predictions]
            predictions = [replace(p, text=p.raw) if line else p for p, line in zip(predictions, lines)]
        return [split_words(prediction, quad) for prediction, quad in zip(predictions, quads)]

    def _read_apart(self, view: View, words: tuple[Word, ...], lexicon: Words) -> tuple[Word, ...]:
        """The words of a line, where there are several, each read under a lexicon."""
        if len(words) < 2:
            return words
        found = self._read_quads(view, [word.quad for word in words], lexicon, None)
        return tuple(each for own, word in zip(found, words) for each in own or (word,))


def _is_text(words: Sequence[Word]) -> bool:
    """Whether what was read is text, by the (geometric) mean of its words' confidences."""
    return bool(words) and float(np.prod([word.confidence for word in words])) ** (1 / len(words)) >= LEAST_CONFIDENCE


def load(
    models: str = "default",
    detector: str | os.PathLike | None = None,
    direction: str | os.PathLike | None = None,
    recognizer: str | os.PathLike | None = None,
    options: ReadingOptions = ReadingOptions(),
    spotter: str | os.PathLike | None = None,
    selector: str | os.PathLike | None = None,
) -> PhotoReader:
    """The models of that name, or in their place others by name or weights file; a `spotter` in place of detector and
    recogniser, a `selector` of resolutions before them. Raises UserError.

    >>> import ocr
    >>> ocr.load(detector="runs/db/best.safetensors").read("street.jpg").text
    """
    from crnn_jt import choosing, detecting, directing, reading, spotting

    if models not in MODELS:
        raise UserError(f"--models {models}: it takes {' or '.join(MODELS)}")
    names = [str(given or own) for given, own in zip((detector, direction, recognizer), MODELS[models])]
    if spotter is None:
        finder, reader = detecting.load(names[0]), reading.load(names[2])
    elif detector is None and recognizer is None:
        finder = reader = spotting.load(spotter)
    else:
        raise UserError(f"--spotter {spotter}: finds and reads; leave --detector and --recognizer out")
    turns = None if names[1] == "none" else directing.TogetherWithReader(directing.load(names[1]), reader)
    chooser = None if selector is None else choosing.load(selector)
    return PhotoReader(finder, reader, turns, options, chooser)
