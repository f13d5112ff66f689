"""Reading scores with a trained model: staves found, framed as the model knows them, read, and understood as music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from crnn_jt.reading import SequenceReader, open_picture
from crnn_jt.spec import ModelSpec
from crnn_jt.weights import Weights, load_weights
from data_tools.errors import UserError
from data_tools.music import agnostic, semantic
from data_tools.music.notation import Doubt, Event, MusicError, doubts
from data_tools.sample import CorruptSample, Reader, Sample
from data_tools.scores.engraving import FRAME_ABOVE, FRAME_BELOW, STAFF_SPACE
from data_tools.scores.framing import frame
from omr.staves import NoStaff, crop_to_ink, find_staves

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


def frame_of(spec: ModelSpec, info: dict) -> str:
    """How a model's pictures are framed: "staff" or "ink" (data_tools.scores.engraving)."""
    return info.get("frame") or ("staff" if spec.extractor.name == "staff_light" else "ink")


def framed(image: Image.Image, spec: ModelSpec, kind: str) -> list[Image.Image]:
    """Each staff of a picture as the model wants it, from top to bottom; raises NoStaff."""
    if kind == "staff":
        space = spec.image.height / (FRAME_BELOW + FRAME_ABOVE)
        return [frame(image, staff, space) for staff in find_staves(image)]
    return [crop_to_ink(frame(image, staff, STAFF_SPACE)) for staff in find_staves(image)]


class Framed:
    """A reader whose pictures are framed as a model wants them; those of the right height already are left alone."""

    def __init__(self, reader: Reader, spec: ModelSpec, kind: str):
        self.reader, self.spec, self.kind = reader, spec, kind

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, index: int) -> Sample:
        sample = self.reader[index]
        if self.kind == "ink" or sample.image.height == self.spec.image.height:
            return sample
        try:
            image = framed(sample.image, self.spec, self.kind)[0]
        except NoStaff as error:
            raise CorruptSample(sample.key, "no staff was found in the picture") from error
        return Sample(image, sample.text, sample.key, sample.extra)


class ScoreReader:
    """A model of scores, ready to read. Raises UserError where the weights are of no such model."""

    def __init__(self, weights: Weights, name: str):
        if not weights.spec.labels.vocabulary:
            raise UserError(f"--weights {name}: reads {weights.spec.labels.characters!r}, not music")
        self.sequence = SequenceReader(weights, name)
        self.kind = frame_of(weights.spec, weights.info)

    @property
    def spec(self) -> ModelSpec:
        """The model's spec."""
        return self.sequence.spec

    def read(self, picture: Image.Image | str | Path) -> list[StaffReading]:
        """The staves of a scan or photo, from top to bottom; raises UserError (NoStaff where there is none)."""
        images = framed(open_picture(picture), self.spec, self.kind)
        predictions = self.sequence.read(images)
        return [
            understood(prediction.text.split(), prediction.confidence, list(prediction.character_confidences), image)
            for prediction, image in zip(predictions, images)
        ]


def understood(symbols: list[str], confidence: float, confidences: Sequence[float], image: Image.Image) -> StaffReading:
    """Symbols of either encoding as music; what makes no notation becomes a doubt."""
    trouble: list[Doubt] = []
    try:
        events = agnostic.parse(symbols) if _is_agnostic(symbols) else semantic.parse(symbols)
    except MusicError as error:
        events, trouble = [], [Doubt(1, 0, str(error))]
    found = [*trouble, *doubts(events)]
    return StaffReading(semantic.encode(events), confidence, symbols, list(confidences), events, found, image)


def _is_agnostic(symbols: Sequence[str]) -> bool:
    return any(symbol.startswith(("clef.", "note.", "barline-L")) for symbol in symbols)


def load(name: str | Path) -> ScoreReader:
    """A model by bundled name or weights file. Raises UserError."""
    return ScoreReader(load_weights(name), str(name))
