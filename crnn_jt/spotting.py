"""Reading photographs with a spotter: text is found, and read from the features that found it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from data_tools.stopwatch import stage
from data_tools.words.language import Language

HIGH = 64
"""What is cut out already is looked at so high at most, in pixels."""


class RegionReader(SequenceReader):
    """Reads regions of feature maps, (R, C, height, W) of one width at a time, as a recogniser's reader does pictures:
    with lexicon and language.
    """

    def __init__(self, model: Spotter, weights: Weights, name: str, fast: bool = True):
        from crnn_jt.freeze import try_freeze

        self.name, self.info = name, weights.info
        self.recognizer, self.pieces, self._refining = model, None, None
        self.network = try_freeze(model, weights.arrays, "branch") if fast else None

    def _sequence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.network is not None:
            return super()._sequence(images)
        from crnn_jt import backend

        widths = np.full(len(images), images.shape[3])
        with backend.no_grad():
            sequence, lengths = self.recognizer.see(backend.ops.array(images), widths)
            return backend.ops.numpy(self.recognizer.refine(sequence, lengths)), lengths

    def read_regions(
        self, batches: Iterable[tuple[list[int], np.ndarray]], count: int, lexicon, language
    ) -> list[Prediction]:
        """What `count` regions say, given as batches of one width each: their places and float32 (R, C, height, W)."""
        channel = self.channel(language) if lexicon is None else None
        return self._read_batches(self._look_at(batches), count, lexicon, channel, spans=True)


class SpotReader(TextDetector):
    """A spotter ready to find and to read text; `fast` False keeps to the framework's own operators. Raises UserError
    where the weights are of another kind of model.

    On the CPU kernels it is two networks: from a photograph to the neck's map with the probabilities of text, and from
    regions of the map to what they say.
    """

    model: Spotter

    def __init__(self, weights: Weights, name: str, fast: bool = True):
        from crnn_jt.freeze import try_freeze

        super().__init__(weights, name, fast=False)
        if not isinstance(self.model, Spotter):
            raise UserError(f"{name}: is a {weights.spec.kind}, not a spotter")
        self.network = try_freeze(self.model, weights.arrays, "spotting") if fast else None
        self.reader = RegionReader(self.model, weights, name, fast)
        self._seen: tuple | None = None  # the pixels that were looked at last, and what was seen in them

    @property
    def tokenizer(self):
        """Text <-> indices."""
        return self.model.tokenizer

    def channel(self, language: str | Language | None):
        """The language ready to correct what is read; None where there is none."""
        return self.reader.channel(language)

    def _look(self, pixels: np.ndarray) -> np.ndarray:
        from crnn_jt import backend

        seen = self._see(pixels)
        if self.network is not None:
            return seen[1]
        with backend.no_grad():
            return backend.ops.numpy(backend.ops.sigmoid(self.model.head(seen)))[0, 0]

    def _see(self, pixels: np.ndarray):
        """What is seen in pixels uint8 (h, w) or (h, w, C), kept for what is read in it: on the kernels what `unfold`
        gives, else the neck's map or maps.
        """
        from crnn_jt import backend

        if self._seen is None or not np.array_equal(self._seen[0], pixels):
            images = self._pad(pixels)
            with backend.no_grad(), stage("network"):
                if self.network is None:
                    self._seen = pixels, self.model.features(backend.ops.array(images))
                else:
                    self._seen = pixels, self.model.unfold(self.network.run(images), *images.shape[2:])
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
            found = self.reader.read_regions(self._cut(piece, inside), len(inside), lexicon, language)
            for row, prediction in zip(rows, found):
                predictions[row] = prediction
        return predictions

    def _cut(self, pixels: np.ndarray, quads: list[np.ndarray]) -> Iterator[tuple[list[int], np.ndarray]]:
        """The regions of the map of pixels along quads, in batches of one width: their places, (R, C, height, W)."""
        widths, cut = widths_of(quads, self.spec.region), self._cutter(self._see(pixels))
        for rows in by_width(widths):
            with stage("crops"):
                regions = cut([quads[row] for row in rows], widths[rows])
            yield rows, regions

    def _cutter(self, seen) -> Callable[[list[np.ndarray], np.ndarray], np.ndarray]:
        """What cuts regions of one width out of what was seen, along quads."""
        from crnn_jt.backend import no_grad, ops

        def cut_plainly(quads, widths):
            with no_grad():
                return ops.numpy(self.model.cut(seen, [quads], widths))

        if self.reader.network is None:
            return cut_plainly
        if self.network is not None:
            maps, _ = seen
        else:  # of a head that the kernels lack
            maps = np.ascontiguousarray(ops.numpy(self.model.finest(seen))[0].transpose(1, 2, 0))
        return lambda quads, widths: self.model.cut_fast(maps, quads, int(widths[0]))

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


def load(name: str | Path, fast: bool = True) -> SpotReader:
    """A spotter by bundled name or weights file. Raises UserError."""
    return SpotReader(load_weights(name), str(name), fast)
