"""Reading pictures with a trained model: what `crnn_jt.load(name)` gives."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from crnn_jt.decoding import ctc
from crnn_jt.decoding.language import Channel, Choice, open_channel
from crnn_jt.decoding.lexicon import Lexicon, LexiconReading
from crnn_jt.decoding.spans import Span, find_spans
from crnn_jt.pictures import Picture, open_picture
from crnn_jt.pieces import Pieces
from crnn_jt.sequences import COLUMNS
from crnn_jt.spec import RecognizerSpec
from crnn_jt.spelling import WordList, spell_out
from crnn_jt.weights import Weights, bundled_names, load_weights
from data_tools.stopwatch import stage
from data_tools.text import compose
from data_tools.transforms import normalise
from data_tools.words.language import Language

BATCH = 64
TOGETHER = 256
"""Images that the language is asked for at once, at least."""
PAIRS = 256
"""Words that a decoder scores at once; always this many, since Jittor compiles for each new shape."""
FAST_LEXICON = 2000
"""Above this many words a decoder, which has to score each, takes only those within `DECODER_DELTA` edits."""
DECODER_DELTA = 3
UPRIGHT = 2.0
"""How many times as high as wide a picture may be without a word of warning: no word is, only a letter or a bar."""
SQUEEZED = {"proportional": 1.5, "fixed": 3.0}
"""How much narrower than in proportion a picture may be made. Of 245 rendered words crnn-light reads 86% in proportion,
79% made 1.5 times narrower, 71% 1.75 times and 64% twice (2026-11-27). What is made of one width has learnt from all
lengths of words, up to about nine times as wide as high.
"""
LINES = "line-light"
"""The model for lines of text, once it ships."""


@dataclass(frozen=True)
class Prediction:
    """What was read.

    `text` is the answer, `raw` the reading without lexicon and language, `confidence` p(text | image), 0-1, by picture
    and language where one is used, and `character_confidences` one value a symbol of `raw`. `lexicon` says whether one
    was used: none, within (the text is one of its words) or fallback (no word qualified). `alternatives` are (text,
    confidence), best first, if asked for, and so are `spans`: where each symbol of `raw` stands, (begin, end) as shares
    of the picture's width; of models with a decoder, which do not know, there are none.
    """

    text: str
    confidence: float
    raw: str
    character_confidences: tuple[float, ...] = ()
    lexicon: str = "none"
    alternatives: tuple[tuple[str, float], ...] = ()
    warning: str = ""
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Sight:
    """What a model saw of one picture, before lexicon and language: its `image` float32 (C, H, W), log-probabilities
    (T, K), how many of the steps count, the `reading`, and what is wrong with the picture, if anything.
    """

    image: np.ndarray
    log_probs: np.ndarray
    length: int
    reading: ctc.Reading
    warning: str = ""


@dataclass(frozen=True)
class _Batch:
    """What a model saw of pictures of one width: their places among all that are read, images (N, C, H, W),
    log-probabilities (T, N, K), lengths (N,), readings.
    """

    rows: list[int]
    images: np.ndarray
    log_probs: np.ndarray
    lengths: np.ndarray
    readings: list[ctc.Reading]


class SequenceReader:
    """A model ready to read. `weights` names what to load; `fast` False keeps to the framework's own operators."""

    def __init__(self, weights: Weights, name: str, fast: bool = True):
        from crnn_jt.freeze import try_freeze
        from crnn_jt.models import restore, transform_of

        self.name, self.info = name, weights.info
        self.recognizer = restore(weights, name, "recognizer")
        self.transform = transform_of(weights.spec)
        self.pieces = _plan_pieces(self.recognizer)
        if self.pieces is not None:
            self.transform = replace(self.transform, max_width=self.pieces.longest)
        self.network = try_freeze(self.recognizer, weights.arrays) if fast else None
        self._refining = None  # the network up to the sequence, where the other one goes on

    @property
    def spec(self) -> RecognizerSpec:
        """The model's spec."""
        return self.recognizer.spec

    @property
    def tokenizer(self):
        """Text <-> indices."""
        return self.recognizer.tokenizer

    def read(
        self,
        images: Iterable[Picture],
        lexicon: WordList | Lexicon | Iterable[str] | None = None,
        alternatives: int = 0,
        language: str | Language | None = None,
        spans: bool = False,
    ) -> list[Prediction]:
        """Reads pictures: PIL images, arrays (`images.from_array` says which) or paths, `path#2` for a page of a file.

        With a lexicon (words, or a `WordList` or `Lexicon` made of them once) the likeliest of its words is the answer,
        as the list spells it. Without one the `language` weighs what is seen by what is written: `english`, `none`, a
        file's path or a `Language`; None: English where the model reads all its letters. `alternatives` asks for this
        many further readings, or words of the lexicon (without one: of CTC models, and of any with a language); `spans`
        for the places of the symbols. Lines longer than the model's pictures are read in pieces. Raises UserError where
        a picture does not open.
        """
        words, channel = self._open_words(lexicon, language)
        batches, warnings = self._look_at_pictures(images)
        predictions = self._read_batches(batches, len(warnings), words, channel, alternatives, spans)
        return [replace(one, warning=warning) for one, warning in zip(predictions, warnings)]

    def see(self, images: Iterable[Picture]) -> list[Sight]:
        """The first half of `read`: the pictures as the model sees them; `tell` may be asked of them more than once."""
        batches, warnings = self._look_at_pictures(images)
        sights: dict[int, Sight] = {}
        for batch in batches:
            for n, row in enumerate(batch.rows):
                own = batch.images[n], batch.log_probs[:, n], int(batch.lengths[n]), batch.readings[n]
                sights[row] = Sight(*own, warnings[row])
        return [sights[row] for row in range(len(warnings))]

    def tell(
        self,
        sights: Sequence[Sight],
        lexicon: WordList | Lexicon | Iterable[str] | None = None,
        alternatives: int = 0,
        language: str | Language | None = None,
        spans: bool = False,
    ) -> list[Prediction]:
        """The second half of `read`: what stands in pictures that were seen."""
        words, channel = self._open_words(lexicon, language)
        each_width = by_width([(sight.image.shape[2], len(sight.log_probs)) for sight in sights])
        batches = (_join_sights(rows, [sights[row] for row in rows]) for rows in each_width)
        predictions = self._read_batches(batches, len(sights), words, channel, alternatives, spans)
        return [replace(one, warning=sight.warning) for one, sight in zip(predictions, sights)]

    def _open_words(self, lexicon, language) -> tuple[WordList | None, Channel | None]:
        """Lexicon and language, as `read` takes them, ready; one of them at most is used."""
        if lexicon is None:
            return None, self.channel(language)
        if isinstance(lexicon, WordList):
            return lexicon, None
        return WordList(lexicon, {}) if isinstance(lexicon, Lexicon) else spell_out(lexicon, self.tokenizer), None

    def _look_at_pictures(self, images: Iterable[Picture]) -> tuple[Iterator[_Batch], list[str]]:
        """The pictures as the model sees them, batch by batch, and what is wrong with each."""
        pixels, warnings = [], []
        for image in map(open_picture, images):  # none is kept at its own size
            pixels.append(self.transform.pixels(image))
            warnings.append(self._warn(image))
        each_width = by_width([image.shape[2] for image in pixels])
        return self._look_at(
            (rows, normalise(np.stack([pixels[row] for row in rows]))) for rows in each_width
        ), warnings

    def _look_at(self, images: Iterable[tuple[list[int], np.ndarray]]) -> Iterator[_Batch]:
        """What is seen of images of one width each: their places and float32 (N, C, H, W)."""
        for rows, own in images:
            log_probs, lengths = self.log_probs(own)
            with stage("decoding"):
                readings = self.recognizer.generator.decode(log_probs, lengths)
            yield _Batch(rows, own, log_probs, lengths, readings)

    def _warn(self, image: Image.Image) -> str:
        """What is wrong with a picture for this model, if anything."""
        shape = self.spec.image
        high = image.height / image.width
        if high > UPRIGHT and not self.tokenizer.separator:
            return f"{high:.1f} times as high as wide; turn a word on its side upright, cut lines apart"
        widest = shape.widest if self.pieces is None else self.pieces.longest
        squeezed = shape.height * image.width / (image.height * widest)
        if squeezed <= SQUEEZED[shape.resize]:
            return ""
        remedy = f", or take {LINES}" if self.pieces is None and LINES in bundled_names() else ""
        return f"squeezed {squeezed:.1f} times to the {widest} columns of the model; cut a line into its words{remedy}"

    def pixels(self, image: Picture) -> np.ndarray:
        """The picture as the model takes it, uint8 (C, H, W). Raises UserError where it cannot be opened."""
        return self.transform.pixels(open_picture(image))

    def log_probs(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 (N, C, H, W) of one width -> log-probabilities (T, N, K) and lengths (N,). What is wider than
        the model's pictures is read in pieces.
        """
        width = images.shape[3]
        if self.pieces is None or width <= self.pieces.widest:
            logits, lengths = self.logits(images)
            return _log_softmax(logits), lengths
        cut = self.pieces.cut(images)
        parts = [_log_softmax(self.logits(cut[i : i + BATCH])[0]) for i in range(0, len(cut), BATCH)]
        joined = self.pieces.join(np.concatenate(parts, axis=1), width)
        return joined, np.full(len(images), len(joined))

    def logits(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 (N, C, H, W) of one width -> logits (T, N, K) and lengths (N,)."""
        from crnn_jt import backend

        generator = self.recognizer.generator
        sequence, lengths = self._sequence(images)
        if self.network is not None and generator.whole:
            return generator.trim(sequence), lengths  # it is frozen with the rest: these are its logits
        with backend.no_grad():
            return backend.ops.numpy(self.recognizer.generate(backend.ops.array(sequence), lengths)), lengths

    def _sequence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the frozen network gives, logits (T', N, K) of what it holds whole; else the refined sequence (T, N, D);
        and lengths (N,).
        """
        from crnn_jt import backend

        widths = np.full(len(images), images.shape[3])
        if self.network is not None:
            with stage("network"):
                return self.network.run(images), np.asarray(self.recognizer.steps(widths))
        with backend.no_grad():
            sequence, lengths = self.recognizer.sequence(backend.ops.array(images), widths)
            return backend.ops.numpy(sequence), np.asarray(lengths)

    def readings(self, images: np.ndarray, widths: np.ndarray, channel: Channel | None = None) -> list[ctc.Reading]:
        """Lexicon-free readings of a padded batch: float32 (N, C, H, W) and each image's own width (N,)."""
        found: list[ctc.Reading] = [ctc.Reading((), 0.0)] * len(images)
        for rows in by_width(widths):
            own = np.ascontiguousarray(images[rows][:, :, :, : widths[rows[0]]])
            log_probs, lengths = self.log_probs(own)
            readings = self.recognizer.generator.decode(log_probs, lengths)
            if channel is not None:
                choices = self.correct(channel, log_probs, lengths)
                readings = [ctc.Reading(tuple(self.tokenizer.encode(c.text)), c.confidence) for c in choices]
            for row, reading in zip(rows, readings):
                found[row] = reading
        return found

    def score(self, images: np.ndarray, rows: np.ndarray, words: Sequence[str]) -> np.ndarray:
        """log p(words[m] | images[rows[m]]), (M,), for float32 (N, C, H, W) of one width; features come once."""
        from crnn_jt import backend

        refined, lengths = self._scored(images)
        chunks = range(0, len(words), PAIRS)
        with backend.no_grad():
            parts = [self._pairs(refined, lengths, rows[i : i + PAIRS], list(words[i : i + PAIRS])) for i in chunks]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _scored(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What words are scored by: logits where these answer by place, else the refined sequence; and lengths (N,)."""
        from crnn_jt.backend import state

        generator = self.recognizer.generator
        if self.network is None or not generator.whole or generator.by_place:
            return self._sequence(images)
        if self._refining is None:  # few models are asked for scores: no memory before
            self._refining = self.recognizer.freeze_refining(state(self.recognizer))
        return self._refining.run(images), self.recognizer.steps(np.full(len(images), images.shape[3]))

    def _pairs(self, refined: np.ndarray, lengths: np.ndarray, rows: np.ndarray, words: list[str]) -> np.ndarray:
        """Scores of at most PAIRS words, filled up to a shape that comes again."""
        from crnn_jt.backend import ops
        from crnn_jt.places import score_words

        encoded = [self.tokenizer.encode(word) for word in words]
        longest = max(map(len, encoded))
        filler = [1] * max(longest, min(-(-longest // 8) * 8, self.spec.labels.max_length))
        encoded += [filler] * (PAIRS + 1 - len(words))
        rows = np.concatenate([rows, np.zeros(len(encoded) - len(words), dtype=np.int64)])
        sequence = ops.array(np.ascontiguousarray(refined[:, rows]))
        if self.network is not None and self.recognizer.generator.by_place:
            return np.asarray(score_words(sequence, encoded))[: len(words)]  # these are its logits
        return np.asarray(self.recognizer.score(sequence, lengths[rows], encoded))[: len(words)]

    def channel(self, language: str | Language | None) -> Channel | None:
        """The language ready to correct this model's readings, as `read` takes it; None where there is none."""
        return open_channel(language, self.tokenizer.symbols, self.tokenizer.separator)

    def correct(self, channel: Channel, log_probs: np.ndarray, lengths: np.ndarray) -> list[Choice]:
        """The texts of images by picture and language, from their log-probabilities."""
        framewise = self.recognizer.generator.framewise
        return channel.correct(log_probs, lengths) if framewise else channel.correct_steps(log_probs)

    def _read_batches(
        self,
        batches: Iterable[_Batch],
        count: int,
        words: WordList | None,
        channel: Channel | None,
        alternatives: int = 0,
        spans: bool = False,
    ) -> list[Prediction]:
        """What `count` images say, by what was seen of them."""
        predictions: list[Prediction] = [Prediction("", 0.0, "")] * count
        waiting = []  # for the language, which is asked for images of all widths at once
        for batch in batches:
            found = self._read_batch(batch, words, alternatives, spans)
            for row, prediction in zip(batch.rows, found):
                predictions[row] = prediction
            if channel is None or words is not None:
                continue
            waiting.append((batch.rows, batch.log_probs, batch.lengths))
            if sum(len(rows) for rows, _, _ in waiting) >= TOGETHER:
                self._correct_all(channel, waiting, predictions, alternatives)
                waiting.clear()
        if waiting:
            self._correct_all(channel, waiting, predictions, alternatives)
        return predictions

    def _read_batch(self, batch: _Batch, words: WordList | None, alternatives: int, spans: bool) -> list[Prediction]:
        """What images of one width say, by what was seen and the lexicon."""
        log_probs, lengths = batch.log_probs, batch.lengths
        predictions = [self._prediction(reading) for reading in batch.readings]
        if spans and self.recognizer.generator.framewise:
            paths = log_probs.argmax(2).T  # (N, T)
            found = [find_spans(path[:length]) for path, length in zip(paths, lengths)]
            predictions = [replace(one, spans=own) for one, own in zip(predictions, found)]
        if words is not None:
            return self._read_among(batch.images, log_probs, lengths, words, predictions, alternatives)
        if alternatives and self.recognizer.generator.framewise:
            predictions = [
                self._with_alternatives(prediction, log_probs[: lengths[n], n], alternatives)
                for n, prediction in enumerate(predictions)
            ]
        return predictions

    def _correct_all(self, channel: Channel, waiting: list, predictions: list[Prediction], alternatives: int) -> None:
        """Puts into `predictions` what the language makes of them; `waiting` are rows, log-probabilities, lengths."""
        steps = max(len(log_probs) for _, log_probs, _ in waiting)
        joined = np.concatenate([_lengthen(log_probs, steps) for _, log_probs, _ in waiting], axis=1)
        with stage("language"):
            choices = self.correct(channel, joined, np.concatenate([lengths for _, _, lengths in waiting]))
        for row, choice in zip((row for rows, _, _ in waiting for row in rows), choices):
            predictions[row] = _under_language(predictions[row], choice, alternatives)

    def _read_among(self, images, log_probs, lengths, words: WordList, predictions, alternatives) -> list[Prediction]:
        """Predictions without a lexicon as those under one."""
        texts = [prediction.raw for prediction in predictions]
        chosen = self._choose(images, log_probs, lengths, words.lexicon, texts)
        found = [_under_lexicon(prediction, choice, words) for prediction, choice in zip(predictions, chosen)]
        if not alternatives:
            return found
        return [
            replace(
                one, alternatives=self._rank(images[n : n + 1], log_probs[:, n], lengths[n], words, one, alternatives)
            )
            for n, one in enumerate(found)
        ]

    def _rank(self, image, log_probs, length, words: WordList, prediction: Prediction, count: int):
        """The likeliest `count` words for one image (1, C, H, W), log_probs (T, K), beside the answer."""
        lexicon = words.lexicon
        numbers = np.arange(len(lexicon))
        if len(lexicon) > FAST_LEXICON:
            numbers = lexicon.nearest(prediction.raw, DECODER_DELTA)[0]
        forms = [lexicon.words[number] for number in numbers]
        if not forms:
            return ()
        if self.recognizer.generator.framewise:
            scores = ctc.forward_scores(log_probs[:length], *ctc.pad([self.tokenizer.encode(form) for form in forms]))
        else:
            scores = self.score(image, np.zeros(len(forms), np.int64), forms)
        best = [(words.spell(forms[place]), float(np.exp(min(scores[place], 0.0)))) for place in np.argsort(-scores)]
        return tuple(pair for pair in best if pair[0] != prediction.text and pair[1] > 0)[:count]

    def _prediction(self, reading: ctc.Reading) -> Prediction:
        text = compose(self.tokenizer.decode(reading.indices))
        return Prediction(text, reading.confidence, text, reading.character_confidences)

    def _with_alternatives(self, prediction: Prediction, log_probs: np.ndarray, count: int) -> Prediction:
        beams = ctc.beam_search(log_probs, width=max(8, 2 * count))
        texts = [(compose(self.tokenizer.decode(beam.indices)), beam.confidence) for beam in beams]
        others = [(text, confidence) for text, confidence in texts if text != prediction.text]
        return replace(prediction, alternatives=tuple(others[:count]))

    def _choose(self, images, log_probs, lengths, lexicon: Lexicon, texts: list[str]) -> list[LexiconReading]:
        if self.recognizer.generator.framewise:
            return lexicon.decode(log_probs, lengths)
        delta = DECODER_DELTA if len(lexicon) > FAST_LEXICON else None
        return lexicon.choose(texts, lambda rows, words: self.score(images, rows, words), delta)


def _join_sights(rows: list[int], sights: Sequence[Sight]) -> _Batch:
    """Pictures of one width that were seen, at these places."""
    log_probs = np.stack([sight.log_probs for sight in sights], axis=1)
    lengths = np.array([sight.length for sight in sights])
    return _Batch(rows, np.stack([sight.image for sight in sights]), log_probs, lengths, [s.reading for s in sights])


def _under_lexicon(prediction: Prediction, choice: LexiconReading, words: WordList) -> Prediction:
    if not choice.within:
        return replace(prediction, lexicon="fallback")
    confidence = float(np.exp(min(choice.log_probability, 0.0)))
    return replace(prediction, text=words.spell(choice.word), confidence=confidence, lexicon="within")


def _under_language(prediction: Prediction, choice: Choice, alternatives: int) -> Prediction:
    others = choice.others[:alternatives] or prediction.alternatives  # a sure reading has no rivals in the language
    return replace(prediction, text=choice.text, confidence=choice.confidence, alternatives=others)


def _lengthen(log_probs: np.ndarray, steps: int) -> np.ndarray:
    """Log-probabilities (T, N, K) with certain blanks (or ends) behind, (steps, N, K)."""
    longer = np.full((steps, *log_probs.shape[1:]), -np.inf, log_probs.dtype)
    longer[: len(log_probs)], longer[len(log_probs) :, :, ctc.BLANK] = log_probs, 0.0
    return longer


def by_width(widths: Sequence[Hashable], batch: int = BATCH) -> list[list[int]]:
    """Positions of images in groups of equal width (and of whatever else is said of each), `batch` at most in each.

    Nothing is padded, so that the text read from an image cannot depend on its batch mates.
    """
    groups: dict[Hashable, list[int]] = {}
    for position, width in enumerate(widths):
        groups.setdefault(width, []).append(position)
    return [rows[i : i + batch] for rows in groups.values() for i in range(0, len(rows), batch)]


def _plan_pieces(recognizer) -> Pieces | None:
    """How long lines are cut; None for models of single words or of music, and those whose steps are no columns."""
    image, symbols = recognizer.spec.image, recognizer.tokenizer
    lines = image.resize == "proportional" and " " in symbols.symbols and not symbols.separator
    columns = recognizer.extractor.sequence is COLUMNS and recognizer.rectifier is None
    if not lines or not columns or not recognizer.generator.framewise:
        return None
    one, two = recognizer.steps(np.array([image.max_width, 2 * image.max_width]))
    return Pieces(image.max_width, image.height, image.multiple, float(two - one) / image.max_width)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(2, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(2, keepdims=True))


def load(name: str | Path, fast: bool = True) -> SequenceReader:
    """A model by bundled name or weights file. Raises UserError.

    >>> import crnn_jt
    >>> crnn_jt.load("crnn-light").read(["sign.jpg"])[0].text
    """
    return SequenceReader(load_weights(name), str(name), fast)
