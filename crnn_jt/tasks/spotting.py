"""Finding and reading text at once: photographs, their regions and what these say."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crnn_jt import backend
from crnn_jt.backend import ops
from crnn_jt.decoding.ctc import Reading, feasible, pad
from crnn_jt.decoding.regions import Found
from crnn_jt.matching import Counts, count, match
from crnn_jt.models.branch import Words
from crnn_jt.models.spotter import Spotter
from crnn_jt.regions import widths_of
from crnn_jt.spec import Config
from crnn_jt.tasks.base import TASKS
from crnn_jt.tasks.detection import Detection, Pieces
from data_tools.loader import Loader, PhotoBatch
from data_tools.photos.cutting import is_tall, lay_down, measure
from data_tools.readers.quads import to_quad
from data_tools.sample import Region

MOST_JITTER = 0.4
"""Beyond, corners would change places."""


@dataclass(frozen=True)
class Scenes:
    """Photographs and the maps that are to come out, as a detector's, and the words in them."""

    pieces: Pieces
    words: Words

    def __len__(self) -> int:
        return len(self.pieces)


def nothing_to_read(height: int, width: int) -> np.ndarray:
    """The quad of a whole photograph: it stands in, without weight, where a batch has no word to be read."""
    return np.float32([[0, 0], [width, 0], [width, height], [0, height]])


@TASKS.register("spotting")
class Spotting(Detection):
    """Trains a spotter on photographs with regions: a detector's losses, and `text` times `reading`. At most `words` of
    a photograph are read at a step, drawn by the seed, the step and the photograph; their corners are moved by up to
    `jitter` times their heights, since what is found later is not exact either. Options of pieces are a detector's. It
    is judged by the words that are found and read right, as an H-mean.
    """

    best = "end_to_end"
    taught = "distilled-spotting"
    model: Spotter

    def __init__(
        self,
        model: Spotter,
        config: Config,
        rotation: float = 10.0,
        smallest: float = 0.5,
        largest: float = 2.0,
        whole: int = 0,
        words: int = 16,
        reading: float = 1.0,
        jitter: float = 0.1,
    ):
        super().__init__(model, config, rotation, smallest, largest, whole)
        if words < 1 or jitter > MOST_JITTER:
            raise ValueError(f"words takes 1 or more, jitter {MOST_JITTER} at most")
        self.words, self.jitter, self._step = words, jitter, 0
        self.weights = {**self.weights, "text": reading}

    def before_step(self, step: int) -> None:
        """Which words are read follows from the step and the photograph, whichever rank has it."""
        self._step = step

    def usable(self, batch: PhotoBatch) -> tuple[Scenes, int]:
        """All photographs."""
        pieces, left_out = super().usable(batch)
        return Scenes(pieces, self._words(batch)), left_out

    def stand_in(self, batch: PhotoBatch) -> Scenes:
        """An empty photograph without text."""
        pieces = super().stand_in(batch)
        return Scenes(pieces, self._arrange([[]], pieces.images.shape[2:]))

    def losses(self, inputs: Scenes) -> dict[str, Any]:
        """Those of the head, and `text`."""
        return self.model.losses(ops.array(inputs.pieces.images), inputs.pieces.targets, inputs.words)

    def _words(self, batch: PhotoBatch) -> Words:
        chosen = []
        for key, regions in zip(batch.keys, batch.regions):
            readable = [pair for region in regions if (pair := self._encode(region)) is not None]
            rng = np.random.default_rng((self.config.train.seed, self._step, zlib.crc32(key.encode())))
            if len(readable) > self.words:
                readable = [readable[n] for n in sorted(rng.choice(len(readable), self.words, replace=False))]
            chosen.append([(self._move(quad, rng), symbols) for quad, symbols in readable])
        return self._arrange(chosen, batch.images.shape[2:])

    def _move(self, quad: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The quad, its corners moved."""
        most = self.jitter * measure(quad)[1]
        return quad + rng.uniform(-most, most, (4, 2)).astype(np.float32)

    def _encode(self, region: Region) -> tuple[np.ndarray, tuple[int, ...]] | None:
        """The quad and the symbols of a region; None where the model cannot write it."""
        text = self.model.tokenizer.accept(region.text) if region.legible else None
        symbols = tuple(self.model.tokenizer.encode(text)) if text else ()
        if not 0 < len(symbols) <= self.model.spec.labels.max_length:
            return None
        quad = to_quad(region.polygon)
        if self.model.generator.framewise:
            steps = self.model.steps(widths_of([quad], self.model.spec.region))
            return (quad, symbols) if feasible(symbols, int(steps[0])) else None
        return quad, symbols

    def _arrange(self, chosen: Sequence[Sequence[tuple]], size: tuple[int, int]) -> Words:
        """The words of the photographs of a batch, which are of one size; one that stands in where there are none."""
        total = len(chosen)
        shares = [1 / (len(own) * total) for own in chosen for _ in own]
        if not shares:
            chosen, shares = [[(nothing_to_read(*size), (1,))], *chosen[1:]], [0.0]
        targets, sizes = pad([symbols for own in chosen for _, symbols in own])
        quads = [[quad for quad, _ in own] for own in chosen]
        widths = widths_of([quad for own in quads for quad in own], self.model.spec.region)
        return Words(quads, widths, targets, sizes, np.array(shares, np.float32))

    def evaluate(self, loader: Loader) -> tuple[dict[str, float], list]:
        """H-means of what was found (`hmean`) and of what was found and read right (`end_to_end`) over all photographs;
        and what was read wrongly.
        """
        found_all, read_all, photographs, examples = Counts(), Counts(), 0, []
        for batch in loader.batches():
            if not len(batch):
                continue
            for found, texts, regions, key in zip(*self._spot(batch), batch.regions, batch.keys):
                matched = match([each.polygon for each in found], regions)
                pairs = [(texts[a], self.model.tokenizer.accept(regions[b].text) or "") for a, b in matched.pairs]
                right = sum(text == truth for text, truth in pairs)
                counts, photographs = count(matched), photographs + 1
                found_all, read_all = found_all + counts, read_all + Counts(right, counts.found, counts.truths)
                examples += [f"{key}: {truth!r} read {text!r}" for text, truth in pairs if text != truth]
        end_to_end = read_all.scores()["hmean"]
        return {"n": photographs, **found_all.scores(), "end_to_end": end_to_end}, examples

    def _spot(self, batch: PhotoBatch) -> tuple[list[list[Found]], list[list[str]]]:
        """What is found in each photograph, in the batch's pixels, and what it says."""
        with backend.no_grad():
            features = self.model.features(ops.array(batch.images))
            found = self.model.find(features, batch.sizes)
            quads = [[upright(each.quad) for each in own] for own in found]
            readings = iter(self._read(features, quads))
        texts = [[self.model.tokenizer.decode(next(readings).indices) for _ in own] for own in quads]
        return found, texts

    def _read(self, features, quads: Sequence[Sequence[np.ndarray]]) -> list[Reading]:
        if not any(map(len, quads)):
            return []
        return self.model.generator.decode(*self.model.read(features, quads))


def upright(quad: np.ndarray) -> np.ndarray:
    """A quad that was found, from its top left as read: tall ones are taken for text that runs up."""
    return lay_down(quad) if is_tall(quad) else quad
