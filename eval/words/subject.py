"""A loaded recogniser as the evaluation needs it: readings with their log-probabilities, scores of given words."""

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
from eval.words.transcribe import Transcription


@dataclass(frozen=True)
class Beam:
    """Prefix beam search for the lexicon-free readings: `weight` of a character model trained on `words` (0: none)."""

    width: int
    weight: float = 0.0
    words: Sequence[str] = ()


class Loaded:
    """Wraps what `crnn_jt.load` gives. Decoders have no per-step probabilities and score words instead."""

    def __init__(self, reader: SequenceReader, beam: Beam | None = None, language: str = "none"):
        self.reader, self.symbols = reader, reader.tokenizer.symbols
        self.beam, self.model = beam, None
        self.channel = None if language == "none" else reader.channel(language)
        if beam is not None and beam.weight:
            self.model = CharacterLM(beam.words, self.symbols)

    def read(self, images: list[Image.Image]) -> list[Transcription]:
        """As `Subject.read`."""
        found: list[Transcription] = [Transcription("", 0.0)] * len(images)
        generator = self.reader.recognizer.generator
        for rows, batch in self._make_batches(images):
            log_probs, lengths = self.reader.log_probs(batch)
            readings = generator.decode(log_probs, lengths)
            choices = self.channel and self.reader.correct(self.channel, log_probs, lengths)
            for i, reading in enumerate(readings):
                steps = log_probs[: lengths[i], i] if generator.framewise else None
                if self.beam is not None and steps is not None:
                    reading = self._search(steps)
                text, confidence = self.reader.tokenizer.decode(reading.indices), reading.confidence
                if choices:
                    text, confidence = choices[i].text, choices[i].confidence
                found[rows[i]] = Transcription(text, confidence, steps)
        return found

    def _search(self, steps: np.ndarray) -> ctc.Reading:
        """The beam's best reading of log-probabilities (T, K)."""
        weight = self.beam.weight
        bonus = weight  # a length bonus of 1 nat a character, weighted alike: the model charges for every further one
        return ctc.beam_search(steps, self.beam.width, self.model, weight, bonus)[0]

    def score(self, images: list[Image.Image], rows: np.ndarray, words: Sequence[str]) -> np.ndarray:
        """As `Subject.score`; a word counts in its likeliest form where the character set has capitals."""
        forms = [list(words)]
        if any(symbol.isupper() for symbol in self.symbols):
            forms += [[word.capitalize() for word in words], [word.upper() for word in words]]
        scores = np.full((len(forms), len(rows)), -np.inf)
        for members, batch in self._make_batches(images):
            place = np.full(len(images), -1)
            place[members] = np.arange(len(members))
            mine = np.flatnonzero(place[rows] >= 0)
            for row, form in zip(scores, forms):
                row[mine] = self.reader.score(batch, place[rows[mine]], [form[i] for i in mine])
        return scores.max(axis=0)

    def _make_batches(self, images: list[Image.Image]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Places of images of one width, and these as float32 (N, C, H, W)."""
        pixels = [self.reader.pixels(image) for image in images]
        for rows in by_width([image.shape[2] for image in pixels]):
            yield rows, normalise(np.stack([pixels[row] for row in rows]))


def load(weights: str, beam: Beam | None = None, language: str = "none") -> Loaded:
    """The recogniser of that name or file. Raises UserError, also for one that does not read characters."""
    from crnn_jt.reading import load as load_reader

    reader = load_reader(weights)
    if reader.tokenizer.separator:
        raise UserError(f"--weights {weights}: reads symbols of a vocabulary, not words; use python -m omr test")
    return Loaded(reader, beam, language)
