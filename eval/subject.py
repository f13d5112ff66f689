"""A loaded recogniser as the evaluation wants it: readings with their log-probabilities, scores of given words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from crnn_jt.decoding import ctc
from crnn_jt.decoding.language_model import CharacterLM
from crnn_jt.reading import SequenceReader, by_width
from data_tools.errors import UserError
from data_tools.transforms import normalise
from eval.words import Read

PAIRS = 256
"""Words that a decoder scores at once; always so many, since Jittor compiles for each new shape."""


@dataclass(frozen=True)
class Beam:
    """Prefix beam search for the lexicon-free readings: `weight` of a character model trained on `words` (0: none)."""

    width: int
    weight: float = 0.0
    words: Sequence[str] = ()


class Loaded:
    """Wraps what `crnn_jt.load` gives. Decoders have no per-step probabilities and score words instead."""

    def __init__(self, reader: SequenceReader, beam: Beam | None = None):
        self.reader, self.symbols = reader, reader.tokenizer.symbols
        self.beam, self.model = beam, None
        if beam is not None and beam.weight:
            self.model = CharacterLM(beam.words, self.symbols)

    def read(self, images: list[Image.Image]) -> list[Read]:
        """As `Subject.read`."""
        found: list[Read] = [Read("", 0.0)] * len(images)
        generator = self.reader.recognizer.generator
        for rows, batch in self._batches(images):
            log_probs, lengths = self.reader.log_probs(batch)
            for i, reading in enumerate(generator.decode(log_probs, lengths)):
                steps = log_probs[: lengths[i], i] if generator.aligned else None
                if self.beam is not None and steps is not None:
                    reading = ctc.beam_search(steps, self.beam.width, self.model, self.beam.weight, self.beam.weight)[0]
                found[rows[i]] = Read(self.reader.tokenizer.decode(reading.indices), reading.confidence, steps)
        return found

    def score(self, images: list[Image.Image], rows: np.ndarray, words: Sequence[str]) -> np.ndarray:
        """As `Subject.score`; a word counts in its likeliest form where the character set has capitals."""
        forms = [list(words)]
        if any(symbol.isupper() for symbol in self.symbols):
            forms += [[word.capitalize() for word in words], [word.upper() for word in words]]
        scores = np.full((len(forms), len(rows)), -np.inf)
        for members, batch in self._batches(images):
            sequence, lengths = self._sequence(batch)
            place = np.full(len(images), -1)
            place[members] = np.arange(len(members))
            mine = np.flatnonzero(place[rows] >= 0)
            for start in range(0, len(mine), PAIRS):
                part = mine[start : start + PAIRS]
                for row, form in zip(scores, forms):
                    row[part] = self._pairs(sequence, lengths, place[rows[part]], [form[i] for i in part])
        return scores.max(axis=0)

    def _batches(self, images: list[Image.Image]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Places of images of one width, and these as float32 (N, C, H, W)."""
        pixels = [self.reader.pixels(image) for image in images]
        for rows in by_width([image.shape[2] for image in pixels]):
            yield rows, normalise(np.stack([pixels[row] for row in rows]))

    def _sequence(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Refined vectors (T, N, D) and lengths (N,) of images of one width, computed once for all their words."""
        from crnn_jt import backend
        from crnn_jt.backend import ops

        with backend.no_grad():
            widths = np.full(len(batch), batch.shape[3])
            sequence, lengths = self.reader.recognizer.sequence(ops.array(batch), widths)
            return ops.numpy(sequence), np.asarray(lengths)

    def _pairs(self, sequence: np.ndarray, lengths: np.ndarray, places: np.ndarray, words: list[str]) -> np.ndarray:
        """log p of at most PAIRS words on the images at `places`; filled up to a shape that comes again."""
        from crnn_jt import backend
        from crnn_jt.backend import ops

        longest = min(-(-max(map(len, words)) // 8) * 8, self.reader.spec.labels.max_length)
        filler = self.symbols[0] * max(longest, max(map(len, words)))
        filled = words + [filler] * (PAIRS + 1 - len(words))
        places = np.concatenate([places, np.zeros(len(filled) - len(words), dtype=np.int64)])
        encoded = [self.reader.tokenizer.encode(word) for word in filled]
        with backend.no_grad():
            seq = ops.array(np.ascontiguousarray(sequence[:, places]))
            return np.asarray(self.reader.recognizer.generator.score(seq, lengths[places], encoded))[: len(words)]


def load(weights: str, beam: Beam | None = None) -> Loaded:
    """The recogniser of that name or file. Raises UserError, also for one that does not read characters."""
    from crnn_jt.reading import load as load_reader

    reader = load_reader(weights)
    if reader.tokenizer.separator:
        raise UserError(f"--weights {weights}: reads symbols of a vocabulary, not words; use python -m omr test")
    return Loaded(reader, beam)
