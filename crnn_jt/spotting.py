"""Reading photographs with a spotter: text is found, and read from the features that found it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from crnn_jt.decoding.lexicon import Lexicon
from crnn_jt.detecting import TextDetector, cut_tiles
from crnn_jt.models.spotter import Spotter
from crnn_jt.reading import Picture, Prediction, SequenceReader, by_width, open_picture
from crnn_jt.regions import widths_of
from crnn_jt.spelling import WordList, spell_out
from crnn_jt.weights import Weights, load_weights
from data_tools.errors import UserError
from data_tools.images import to_channels
from data_tools.words.language import Language

HIGH = 64
"""What is cut out already is looked at so high at most, in pixels."""


class RegionReader(SequenceReader):
    """Reads regions of feature maps, (R, C, height, W) of one width at a time, as a recogniser's reader does pictures:
    with lexicon and language.
    """

    def __init__(self, model: Spotter, weights: Weights, name: str):
        self.name, self.info = name, weights.info
        self.recognizer, self.pieces, self.network = model, None, None

    def _sequence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from crnn_jt import backend

        widths = np.full(len(images), images.shape[3])
        with backend.no_grad():
            sequence, lengths = self.recognizer.see(backend.ops.array(images), widths)
            return backend.ops.numpy(self.recognizer.refine(sequence, lengths)), lengths

    def read_regions(self, regions: np.ndarray, widths: np.ndarray, lexicon, language) -> list[Prediction]:
        """What regions say, (R, C, height, W) with their own widths (R,)."""
        channel = self.channel(language) if lexicon is None else None
        each_width = by_width(widths)
        batches = ((rows, np.ascontiguousarray(regions[rows][..., : widths[rows[0]]])) for rows in each_width)
        return self._read_batches(self._look_at(batches), len(regions), lexicon, channel, spans=True)


class SpotReader(TextDetector):
    """A spotter ready to find and to read text. Raises UserError where the weights are of another kind of model."""

    model: Spotter

    def __init__(self, weights: Weights, name: str):
        super().__init__(weights, name, fast=False)
        if not isinstance(self.model, Spotter):
            raise UserError(f"{name}: is a {weights.spec.kind}, not a spotter")
        self.reader = RegionReader(self.model, weights, name)
        self._seen: tuple | None = None  # the pixels that were looked at last, and the neck's map of them

    @property
    def tokenizer(self):
        """Text <-> indices."""
        return self.model.tokenizer

    def channel(self, language: str | Language | None):
        """The language ready to correct what is read; None where there is none."""
        return self.reader.channel(language)

    def _look(self, pixels: np.ndarray) -> np.ndarray:
        from crnn_jt import backend

        features = self._features(pixels)
        with backend.no_grad():
            return backend.ops.numpy(backend.ops.sigmoid(self.model.head(features)))[0, 0]

    def _features(self, pixels: np.ndarray):
        """The neck's map of pixels uint8 (h, w) or (h, w, C), kept for what is read in it."""
        from crnn_jt import backend

        if self._seen is None or not np.array_equal(self._seen[0], pixels):
            with backend.no_grad():
                self._seen = pixels, self.model.features(backend.ops.array(self._pad(pixels)))
        return self._seen[1]

    def read_in_place(
        self,
        pixels: np.ndarray,
        factor: float,
        quads: Sequence[np.ndarray],
        lexicon: WordList | Lexicon | Iterable[str] | None = None,
        language: str | Language | None = None,
    ) -> list[Prediction]:
        """What stands in the quads (4, 2) of a picture uint8 (H, W, 3), in its pixels, when it is looked at scaled by
        `factor`. Lexicon and language are as `SequenceReader.read` takes them.
        """
        if lexicon is not None and not isinstance(lexicon, WordList):
            lexicon = WordList(lexicon, {}) if isinstance(lexicon, Lexicon) else spell_out(lexicon, self.tokenizer)
        scaled = self.scale(open_picture(pixels), factor)
        predictions = [Prediction("", 0.0, "")] * len(quads)
        for rows, piece, inside in self._by_tile(np.asarray(scaled), [quad * np.float32(factor) for quad in quads]):
            widths = widths_of(inside, self.spec.region)
            found = self.reader.read_regions(self._cut(piece, inside, widths), widths, lexicon, language)
            for row, prediction in zip(rows, found):
                predictions[row] = prediction
        return predictions

    def _cut(self, pixels: np.ndarray, quads: list[np.ndarray], widths: np.ndarray) -> np.ndarray:
        from crnn_jt import backend

        features = self._features(pixels)
        with backend.no_grad():
            return backend.ops.numpy(self.model.cut(features, [quads], widths))

    def _by_tile(self, pixels: np.ndarray, quads: list[np.ndarray]):
        """The numbers of the quads whose middle each tile is there for, the tile's pixels, and the quads in these."""
        middles = np.array([quad.mean(0) for quad in quads]).reshape(-1, 2)
        height, width = pixels.shape[:2]
        middles = np.clip(middles, 0, np.array([width, height]) - 0.5)
        for down in cut_tiles(height):
            for across in cut_tiles(width):
                x, y = middles.T
                own = (x >= across.first) & (x < across.last) & (y >= down.first) & (y < down.last)
                rows = np.flatnonzero(own).tolist()
                if rows:
                    corner = np.float32([across.begin, down.begin])
                    piece = pixels[down.begin : down.end, across.begin : across.end]
                    yield rows, piece, [quads[row] - corner for row in rows]

    def read(
        self,
        images: Sequence[Picture],
        lexicon: WordList | Lexicon | Iterable[str] | None = None,
        *,
        language: str | Language | None = None,
        spans: bool = False,
    ) -> list[Prediction]:
        """What stands in pieces that were cut out already, each the whole of a picture."""
        found = []
        for image in map(open_picture, images):
            pixels = np.asarray(to_channels(image, 3))
            (height, width), factor = pixels.shape[:2], min(1.0, HIGH / image.height)
            whole = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
            found += self.read_in_place(pixels, factor, [whole], lexicon, language)
        return found


def load(name: str | Path) -> SpotReader:
    """A spotter by bundled name or weights file. Raises UserError."""
    return SpotReader(load_weights(name), str(name))
