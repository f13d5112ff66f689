"""Reading pictures with a trained model: what `crnn_jt.load(name)` gives."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from crnn_jt.decoding import ctc
from crnn_jt.decoding.lexicon import Lexicon, LexiconReading
from crnn_jt.spec import ModelSpec
from crnn_jt.weights import Weights, check, load_weights
from data_tools import images as pictures
from data_tools.errors import UserError
from data_tools.sample import CorruptSample
from data_tools.transforms import normalise

logger = logging.getLogger(__name__)
BATCH = 64
PAIRS = 256
"""Words that a decoder scores at once; always so many, since Jittor compiles for each new shape."""
FAST_LEXICON = 2000
"""Above so many words a decoder, which has to score each, takes only those within `DECODER_DELTA` edits."""
DECODER_DELTA = 3

Picture = Image.Image | np.ndarray | str | os.PathLike


@dataclass(frozen=True)
class Prediction:
    """What was read.

    `text` is the answer, `raw` the reading without a lexicon, `confidence` p(text | image), 0-1, and
    `character_confidences` one value a symbol of `raw`. `lexicon` says whether one was used: none, within (the text is
    one of its words) or fallback (no word qualified). `alternatives` are (text, confidence), best first, if asked for.
    """

    text: str
    confidence: float
    raw: str
    character_confidences: tuple[float, ...] = ()
    lexicon: str = "none"
    alternatives: tuple[tuple[str, float], ...] = ()


class SequenceReader:
    """A model ready to read. `weights` names what to load; `fast` False keeps to the framework's own operators."""

    def __init__(self, weights: Weights, name: str, fast: bool = True):
        from crnn_jt import backend
        from crnn_jt.recognizer import Recognizer, transform_of

        self.name, self.info = name, weights.info
        self.recognizer = Recognizer(weights.spec)
        check(weights.arrays, backend.state(self.recognizer), name)
        backend.load_state(self.recognizer, weights.arrays)
        self.recognizer.eval()
        self.transform = transform_of(weights.spec)
        self.network = _frozen(self.recognizer, weights) if fast and backend.kernels() else None

    @property
    def spec(self) -> ModelSpec:
        """The model's spec."""
        return self.recognizer.spec

    @property
    def tokenizer(self):
        """Text <-> indices."""
        return self.recognizer.tokenizer

    def read(
        self, images: Sequence[Picture], lexicon: Lexicon | Iterable[str] | None = None, alternatives: int = 0
    ) -> list[Prediction]:
        """Reads pictures: PIL images, arrays (H, W) or (H, W, 3) of uint8, or paths.

        With a lexicon (a `Lexicon`, or words in the model's character set) the likeliest of its words is the answer.
        `alternatives` asks for so many further readings (CTC models). Raises UserError where a picture does not open.
        """
        if lexicon is not None and not isinstance(lexicon, Lexicon):
            lexicon = Lexicon(list(lexicon), self.tokenizer.symbols)
        pixels = [self.pixels(image) for image in images]
        predictions: list[Prediction] = [Prediction("", 0.0, "")] * len(pixels)
        for rows in by_width([image.shape[2] for image in pixels]):
            batch = normalise(np.stack([pixels[row] for row in rows]))
            for row, prediction in zip(rows, self._read_batch(batch, lexicon, alternatives)):
                predictions[row] = prediction
        return predictions

    def pixels(self, image: Picture) -> np.ndarray:
        """The picture as the model takes it, uint8 (C, H, W). Raises UserError where it cannot be opened."""
        return self.transform.pixels(open_picture(image))

    def log_probs(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 (N, C, H, W) of one width -> log-probabilities (T, N, K) and lengths (N,)."""
        logits, lengths = self.logits(images)
        return _log_softmax(logits), lengths

    def logits(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 (N, C, H, W) of one width -> logits (T, N, K) and lengths (N,)."""
        from crnn_jt import backend

        generator = self.recognizer.generator
        sequence, lengths = self._sequence(images)
        if self.network is not None and generator.aligned:
            return sequence, lengths  # the head is frozen with the rest
        with backend.no_grad():
            return backend.ops.numpy(generator(backend.ops.array(sequence), lengths)), lengths

    def _sequence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the frozen network gives, else the refined sequence (T, N, D); and lengths (N,)."""
        from crnn_jt import backend

        widths = np.full(len(images), images.shape[3])
        if self.network is not None:
            return self.network.run(images), np.asarray(self.recognizer.steps(widths))
        with backend.no_grad():
            sequence, lengths = self.recognizer.sequence(backend.ops.array(images), widths)
            return backend.ops.numpy(sequence), np.asarray(lengths)

    def readings(self, images: np.ndarray, widths: np.ndarray) -> list[ctc.Reading]:
        """Lexicon-free readings of a padded batch: float32 (N, C, H, W) and each image's own width (N,)."""
        found: list[ctc.Reading] = [ctc.Reading((), 0.0)] * len(images)
        for rows in by_width(widths):
            log_probs, lengths = self.log_probs(np.ascontiguousarray(images[rows][:, :, :, : widths[rows[0]]]))
            for row, reading in zip(rows, self.recognizer.generator.decode(log_probs, lengths)):
                found[row] = reading
        return found

    def score(self, images: np.ndarray, rows: np.ndarray, words: Sequence[str]) -> np.ndarray:
        """log p(words[m] | images[rows[m]]), (M,), for float32 (N, C, H, W) of one width; features come once."""
        from crnn_jt import backend

        refined, lengths = self._sequence(images)
        chunks = range(0, len(words), PAIRS)
        with backend.no_grad():
            parts = [self._pairs(refined, lengths, rows[i : i + PAIRS], list(words[i : i + PAIRS])) for i in chunks]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _pairs(self, refined: np.ndarray, lengths: np.ndarray, rows: np.ndarray, words: list[str]) -> np.ndarray:
        """Scores of at most PAIRS words, filled up to a shape that comes again."""
        from crnn_jt.backend import ops

        encoded = [self.tokenizer.encode(word) for word in words]
        longest = max(map(len, encoded))
        filler = [1] * max(longest, min(-(-longest // 8) * 8, self.spec.labels.max_length))
        encoded += [filler] * (PAIRS + 1 - len(words))
        rows = np.concatenate([rows, np.zeros(len(encoded) - len(words), dtype=np.int64)])
        sequence = ops.array(np.ascontiguousarray(refined[:, rows]))
        return np.asarray(self.recognizer.generator.score(sequence, lengths[rows], encoded))[: len(words)]

    def _read_batch(self, images: np.ndarray, lexicon: Lexicon | None, alternatives: int) -> list[Prediction]:
        log_probs, lengths = self.log_probs(images)
        readings = self.recognizer.generator.decode(log_probs, lengths)
        predictions = [self._prediction(reading) for reading in readings]
        if alternatives and self.recognizer.generator.aligned:
            predictions = [
                self._with_alternatives(prediction, log_probs[: lengths[n], n], alternatives)
                for n, prediction in enumerate(predictions)
            ]
        if lexicon is None:
            return predictions
        chosen = self._choose(images, log_probs, lengths, lexicon, [prediction.raw for prediction in predictions])
        return [_under_lexicon(prediction, choice) for prediction, choice in zip(predictions, chosen)]

    def _prediction(self, reading: ctc.Reading) -> Prediction:
        text = self.tokenizer.decode(reading.indices)
        return Prediction(text, reading.confidence, text, reading.character_confidences)

    def _with_alternatives(self, prediction: Prediction, log_probs: np.ndarray, count: int) -> Prediction:
        beams = ctc.beam_search(log_probs, width=max(8, 2 * count))
        texts = [(self.tokenizer.decode(beam.indices), beam.confidence) for beam in beams]
        others = [(text, confidence) for text, confidence in texts if text != prediction.text]
        return replace(prediction, alternatives=tuple(others[:count]))

    def _choose(self, images, log_probs, lengths, lexicon: Lexicon, texts: list[str]) -> list[LexiconReading]:
        if self.recognizer.generator.aligned:
            return lexicon.decode(log_probs, lengths)
        delta = DECODER_DELTA if len(lexicon) > FAST_LEXICON else None
        return lexicon.choose(texts, lambda rows, words: self.score(images, rows, words), delta)


def _under_lexicon(prediction: Prediction, choice: LexiconReading) -> Prediction:
    if not choice.within:
        return replace(prediction, lexicon="fallback")
    confidence = float(np.exp(min(choice.log_probability, 0.0)))
    return replace(prediction, text=choice.word, confidence=confidence, lexicon="within")


def by_width(widths: Sequence[int], batch: int = BATCH) -> list[list[int]]:
    """Positions of images in groups of equal width, `batch` at most in each.

    Nothing is padded, so that the text read from an image cannot depend on its batch mates.
    """
    groups: dict[int, list[int]] = {}
    for position, width in enumerate(widths):
        groups.setdefault(int(width), []).append(position)
    return [rows[i : i + batch] for rows in groups.values() for i in range(0, len(rows), batch)]


def open_picture(image: Picture) -> Image.Image:
    """A PIL image, array or path as a PIL image. Raises UserError."""
    if isinstance(image, Image.Image):
        return image
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
            raise UserError(f"an array {image.dtype}{list(image.shape)} is no picture; give uint8 (H, W) or (H, W, 3)")
        return Image.fromarray(image)
    try:
        return pictures.decode(Path(image).read_bytes(), str(image))
    except CorruptSample as corrupt:
        raise UserError(str(corrupt)) from corrupt
    except OSError as error:
        raise UserError(f"{image}: cannot be opened ({error.strerror})") from error


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(2, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(2, keepdims=True))


def _frozen(recognizer, weights: Weights):
    """The network on the CPU kernels, or None (said in the log) where they do not cover it."""
    from crnn_jt.freeze import NotCovered, Parts, freeze_parts

    extractor, generator = recognizer.extractor, recognizer.generator
    try:
        head = generator.layers()[0] if generator.aligned else None
        plans = extractor.layers(), recognizer.refiner.layers(), head
        return freeze_parts(Parts(weights.spec.image.channels, *plans, extractor.sequence_axis), weights.arrays)
    except NotCovered as reason:
        logger.info("%s", f"{weights.spec.name}: runs on Jittor's own operators; the fast kernels lack {reason}")
        return None


def load(name: str | Path, fast: bool = True) -> SequenceReader:
    """A model by bundled name or weights file. Raises UserError.

    >>> import crnn_jt
    >>> crnn_jt.load("crnn-light").read(["sign.jpg"])[0].text
    """
    return SequenceReader(load_weights(name), str(name), fast)


def expand(paths: Sequence[str]) -> list[Path]:
    """Files of paths, folders (their pictures, sorted) and globs. Raises UserError for what is not there."""
    import glob

    from PIL import Image as pil

    endings = {ending.lower() for ending in pil.registered_extensions()}
    found: list[Path] = []
    for path in paths:
        if os.path.isdir(path):
            inside = sorted(p for p in Path(path).iterdir() if p.suffix.lower() in endings and p.is_file())
            if not inside:
                raise UserError(f"{path}: no pictures in this folder")
            found += inside
        elif os.path.exists(path):
            found.append(Path(path))
        else:
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise UserError(f"{path}: no such file, folder or pattern")
            found += [Path(match) for match in matches if os.path.isfile(match)]
    return found
