"""Scores rendered on demand: composed incipits, or Plaine & Easie files, as samples with both PrIMuS encodings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from data_tools.errors import UserError
from data_tools.music import agnostic, mei, semantic, vocabulary
from data_tools.music.notation import Event, MusicError, close_by_meter
from data_tools.sample import CorruptSample, Sample
from data_tools.scores import pae
from data_tools.scores.camera import CameraRecipe, followed, photograph
from data_tools.scores.engraving import PRIMUS, STAFF_SPACE, Style, engrave, engraved, varied_style
from data_tools.scores.framing import Staff, frame, placed
from data_tools.scores.grammar import compose
from data_tools.scores.levelling import blackened
from data_tools.scores.signs import add_signs

LOOKS, FRAMES, BARLINES = ("primus", "varied"), ("ink", "staff"), ("primus", "drawn")
_LARGER = 12 / 7
"""So many times as large a picture is drawn that is framed afterwards; those in PrIMuS's look have its own size."""
_FRAMED = CameraRecipe(cells=4)
"""The camera of pictures that are framed afterwards: bent by a coarser grid, which is faster."""


@dataclass(frozen=True)
class Recipe:
    """What scores look like and which encoding is the label.

    `look` "primus" (as PrIMuS itself) or "varied"; `frame` "ink" (cropped to what is drawn) or "staff" (one height, the
    staff always in one place, paper white and ink black); `staff_space` pixels between staff lines; `camera` the share
    of pictures that go through the camera's distortions; `any_symbol` keeps music whose symbols are beyond PrIMuS's
    vocabularies;
    over the first `ease_in` composed incipits length and camera grow from little to all: a fresh model's easier start;
    `even` composes rare clefs, keys, meters, accidentals and rests more often, from 0 (as the catalogue has them) to 1;
    `found` is the share of clean pictures of the frame "staff" that are drawn larger and then framed, where a finder
    might say that the staff is, as a reader gets them, and not drawn in their place at once; all photographs are;
    `barline` says when the semantic label has a closing bar line: "primus" where the last measure is complete, as
    PrIMuS's, or "drawn" where the picture has one, as a network learns it; `signs` is the share of pictures with trills
    and the like above some notes, which no encoding has.
    """

    look: str = "primus"
    frame: str = "ink"
    staff_space: float = STAFF_SPACE
    camera: float = 0.0
    encoding: str = "semantic"
    any_symbol: bool = False
    ease_in: int = 0
    even: float = 0.0
    found: float = 0.6
    barline: str = "primus"
    signs: float = 0.0

    def __post_init__(self) -> None:
        _one_of("look", self.look, LOOKS)
        _one_of("frame", self.frame, FRAMES)
        _one_of("encoding", self.encoding, vocabulary.ENCODINGS)
        _one_of("barline", self.barline, BARLINES)
        if not 3 <= self.staff_space <= 60:
            raise UserError(f"staff_space is {self.staff_space}; it must be 3 to 60 pixels")
        if not 0 <= self.camera <= 1:
            raise UserError(f"camera is {self.camera}; it is a share from 0 to 1")
        if self.ease_in < 0:
            raise UserError(f"ease_in is {self.ease_in}; it is a number of incipits, 0 or more")
        if not 0 <= self.even <= 1:
            raise UserError(f"even is {self.even}; it is a share from 0 to 1")
        if not 0 <= self.found <= 1:
            raise UserError(f"found is {self.found}; it is a share from 0 to 1")
        if not 0 <= self.signs <= 1:
            raise UserError(f"signs is {self.signs}; it is a share from 0 to 1")

    def grown(self, index: int) -> float:
        """How far the easier start is over at sample `index`: 1 behind it."""
        return min(1.0, index / self.ease_in) if self.ease_in else 1.0


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(f"{name} is {value!r}; it must be one of {', '.join(known)}")


@dataclass(frozen=True)
class Score:
    """One incipit: its events, both encodings (lists of symbols), MEI."""

    key: str
    events: list[Event]
    semantic: list[str]
    agnostic: list[str]
    mei: str


@contextmanager
def _named(key: str) -> Iterator[None]:
    """What cannot be engraved becomes a CorruptSample of that name."""
    try:
        yield
    except MusicError as error:
        raise CorruptSample(key, str(error)) from error


def score_of(key: str, events: list[Event], barline: str = "primus") -> Score:
    """The encodings of `events`; `barline` as in `Recipe`."""
    labelled = close_by_meter(events) if barline == "primus" else events
    return Score(key, events, semantic.encode(labelled), agnostic.encode(events), mei.write(events))


class _Scores:
    """What both readers share: `self.score(index)` decides what is drawn, the recipe how."""

    seed: int
    recipe: Recipe

    def __len__(self) -> int:
        raise NotImplementedError

    def score(self, index: int) -> Score:
        """Encodings and MEI of sample `index`, without its picture; raises CorruptSample."""
        raise NotImplementedError

    def text(self, index: int) -> str:
        """The label of sample `index` alone."""
        return " ".join(getattr(self.score(index), self.recipe.encoding))

    def __getitem__(self, index: int) -> Sample:
        score = self.score(index)
        camera, found = np.random.default_rng((self.seed, index, 1)).random(2)
        camera = camera < self.recipe.camera * self.recipe.grown(index)
        if self.recipe.frame == "staff" and (camera or found < self.recipe.found):
            image = self._found(score, index, bool(camera))
        else:
            image = self.picture(score, index)
            image = self.photograph(image, index) if camera else image
            image = blackened(image) if self.recipe.frame == "staff" else image
        texts = {"semantic": " ".join(score.semantic), "agnostic": " ".join(score.agnostic)}
        return Sample(image, texts.pop(self.recipe.encoding), score.key, texts)

    def picture(self, score: Score, index: int) -> Image.Image:
        """The score of sample `index`, engraved as the recipe says, without the camera's doing."""
        recipe = self.recipe
        if recipe.look == "varied":
            style = varied_style(Random(f"{self.seed}:{index}:style"), recipe.staff_space)
        else:
            style = Style(PRIMUS.options, recipe.staff_space, smooth=recipe.staff_space != STAFF_SPACE)
        with _named(score.key):
            return engrave(self._page(score, index), style, recipe.frame)

    def _page(self, score: Score, index: int) -> str:
        """The MEI of sample `index` as it is engraved, with the signs that no encoding has."""
        rng = Random(f"{self.seed}:{index}:signs") if self.recipe.signs else None
        return add_signs(score.mei, rng) if rng and rng.random() < self.recipe.signs else score.mei

    def _found(self, score: Score, index: int, camera: bool) -> Image.Image:
        """The staff of sample `index` in its frame, from a larger picture or the camera's one of it."""
        space, rng = self.recipe.staff_space, np.random.default_rng((self.seed, index, 3))
        style = PRIMUS
        if self.recipe.look == "varied" and rng.random() < (0.75 if camera else 0.5):
            style = varied_style(Random(f"{self.seed}:{index}:style"), space * _LARGER)
        with _named(score.key):
            image, lines = engraved(self._page(score, index), style)
        left, right = style.margin[0], image.width - style.margin[1]
        if camera:
            image, bent = followed(image, np.random.default_rng((self.seed, index, 2)), _FRAMED)
            return frame(image, Staff.bent(bent, lines, left, right).nearly(rng), space)
        staff = Staff(lines[1] - 0.5, 0.0, (lines[1] - lines[0]) / 4, left, right)
        return placed(blackened(image), staff.nearly(rng, 0.4), space)

    def photograph(self, image: Image.Image, index: int) -> Image.Image:
        """The camera's picture of sample `index`."""
        return photograph(image, np.random.default_rng((self.seed, index, 2)))


class RenderedScores(_Scores):
    """`size` composed incipits: a Reader. Sample `i` depends on (seed, i, recipe) alone."""

    def __init__(self, seed: int, size: int, recipe: Recipe = Recipe()):
        if seed < 0 or size < 1:
            raise UserError(f"seed {seed} and size {size}: the seed must be 0 or more, the size 1 or more")
        self.seed, self.size, self.recipe = seed, size, recipe

    def __len__(self) -> int:
        return self.size

    def score(self, index: int) -> Score:
        if not 0 <= index < self.size:
            raise IndexError(index)
        events = compose(Random(f"{self.seed}:{index}"), self.recipe.grown(index), self.recipe.even)
        return score_of(f"s{self.seed}-{index + 1:09d}", events, self.recipe.barline)


class PaeScores(_Scores):
    """The incipits of the user's Plaine & Easie files: a Reader. Bad ones raise CorruptSample, named."""

    def __init__(self, paths: Sequence[str | Path], recipe: Recipe = Recipe(), seed: int = 0):
        self.incipits = [incipit for path in paths for incipit in pae.read(Path(path))]
        self.recipe, self.seed = recipe, seed

    def __len__(self) -> int:
        return len(self.incipits)

    def score(self, index: int) -> Score:
        incipit = self.incipits[index]
        try:
            score = score_of(incipit.key, pae.events(incipit.text), self.recipe.barline)
        except MusicError as error:
            raise CorruptSample(incipit.key, str(error), "label") from error
        strange = vocabulary.unknown("semantic", score.semantic) + vocabulary.unknown("agnostic", score.agnostic)
        if strange and not self.recipe.any_symbol:
            raise CorruptSample(incipit.key, f"{strange[0]} is not in PrIMuS's vocabularies", "label")
        return score
