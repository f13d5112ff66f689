"""A loaded recogniser under evaluation: widths may differ, beams may read, decoders score in any order."""

from types import SimpleNamespace

import numpy as np
from PIL import Image

from crnn_jt.decoding import ctc
from crnn_jt.decoding.language import Choice
from eval.words.subject import Beam, Loaded

SYMBOLS = tuple("abAB")


class Reader:
    """What `crnn_jt.load` gives, as far as it is used: T = width, each column's grey chooses the symbol."""

    tokenizer = SimpleNamespace(symbols=SYMBOLS, decode=lambda indices: "".join(SYMBOLS[i - 1] for i in indices))
    recognizer = SimpleNamespace(generator=SimpleNamespace(framewise=True, decode=ctc.greedy))

    def pixels(self, image):
        return np.asarray(image)[None]

    def log_probs(self, images):
        columns = ((images[:, 0, 0] + 1) * 127.5).round().astype(int).T  # (T, N)
        probabilities = np.full((*columns.shape, 5), 0.02)
        np.put_along_axis(probabilities, columns[:, :, None], 0.92, axis=2)
        return np.log(probabilities), np.full(columns.shape[1], len(columns))


def picture(*columns):
    return Image.fromarray(np.array([columns] * 2, dtype=np.uint8))


def test_images_of_different_widths_keep_their_order_and_steps():
    found = Loaded(Reader()).read([picture(1, 0, 2), picture(3), picture(2, 0, 2)])
    assert [read.text for read in found] == ["ab", "A", "bb"]
    assert [read.log_probs.shape for read in found] == [(3, 5), (1, 5), (3, 5)]


def test_a_beam_reads_what_the_best_path_reads_where_it_is_clear():
    images = [picture(1, 0, 2), picture(2, 0, 2)]
    for beam in (Beam(4), Beam(4, 0.3, ["ab", "bb"])):
        assert [read.text for read in Loaded(Reader(), beam).read(images)] == ["ab", "bb"]


def test_a_language_gives_the_text_and_its_confidence():
    """The steps stay the model's own: lexicon columns are chosen by the picture alone."""

    class Corrected(Reader):
        def channel(self, language):
            return language

        def correct(self, channel, log_probs, lengths):
            return [Choice(channel, 0.5)] * len(lengths)

    found = Loaded(Corrected(), language="ba").read([picture(1, 0, 2), picture(3)])
    assert [(read.text, read.confidence, len(read.log_probs)) for read in found] == [("ba", 0.5, 3), ("ba", 0.5, 1)]


def test_scores_go_to_the_pairs_they_belong_to_and_capitals_count(monkeypatch):
    loaded = Loaded(Reader())
    known = {"a": 0.1, "A": 0.4, "b": 0.2, "B": 0.1}

    def score(images, rows, words):
        width = images.shape[3]
        return np.array([np.log(known[word]) - 10 * width for _, word in zip(rows, words)])

    monkeypatch.setattr(loaded.reader, "score", score, raising=False)
    scores = loaded.score([picture(1, 0, 2), picture(3)], np.array([1, 0, 1]), ["a", "b", "b"])
    np.testing.assert_allclose(scores, [np.log(0.4) - 10, np.log(0.2) - 30, np.log(0.2) - 10])
