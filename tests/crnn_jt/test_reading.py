"""Reading in Python: whatever a picture comes as, and in whatever company, its text is the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import crnn_jt
from crnn_jt.backend import NAME, state
from crnn_jt.reading import SequenceReader, by_width, expand, open_picture
from crnn_jt.recognizer import build
from crnn_jt.weights import Weights, save_weights
from data_tools.errors import UserError
from tests.crnn_jt import tiny

WORDS = [tiny.draw(tiny.word(n), (24 + 8 * (n % 4), 32)) for n in range(9)]


def reader(fast=True, **options) -> SequenceReader:
    spec = tiny.model(image=tiny.PROPORTIONAL, **options)
    return SequenceReader(Weights(state(tiny.lively(build(spec))), spec), "tiny", fast)


def texts(predictions) -> list[tuple[str, float]]:
    return [(prediction.text, pytest.approx(prediction.confidence, rel=1e-3)) for prediction in predictions]


@pytest.mark.parametrize("generator", ["ctc", "attention"])
def test_alone_in_a_batch_and_beside_wider_images(generator):
    """The text of an image is its own."""
    own = reader(generator=generator)
    together = own.read(WORDS)
    assert len({prediction.confidence for prediction in together}) > 1
    assert texts(own.read([word])[0] for word in WORDS) == texts(together)
    assert texts(own.read(WORDS[::-1])[::-1]) == texts(together)


def test_padded_batches_read_as_single_images():
    """The validation's path, with padding, against reading."""
    own = reader()
    pixels = [own.pixels(word) for word in WORDS]
    widths = np.array([image.shape[2] for image in pixels])
    images = np.zeros((len(pixels), 1, 32, widths.max()), np.float32)
    for row, image in zip(images, pixels):
        row[:, :, : image.shape[2]] = image / 127.5 - 1
    found = [own.tokenizer.decode(reading.indices) for reading in own.readings(images, widths)]
    padded = own.recognizer.generator.decode(*own.recognizer.log_probs(images, widths))
    expected = [prediction.text for prediction in own.read(WORDS)]
    assert found == expected == [own.tokenizer.decode(reading.indices) for reading in padded]


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: the kernels are its")
@pytest.mark.parametrize("generator", ["ctc", "encoder_decoder", "attention"])
def test_the_kernels_read_as_the_framework_does(generator):
    """Frozen and plain give the same; of a model with a decoder, all up to its sequence is frozen."""
    frozen = reader(generator=generator)
    assert frozen.network is not None
    assert texts(frozen.read(WORDS)) == texts(reader(fast=False, generator=generator).read(WORDS))


def test_pictures_of_every_kind(tmp_path):
    """PIL, arrays and paths, grey and colour."""
    own, word = reader(), WORDS[2]
    word.save(tmp_path / "word.png")
    colour = word.convert("RGB")
    ways = [word, colour, np.asarray(word), np.asarray(colour), tmp_path / "word.png", str(tmp_path / "word.png")]
    assert len({prediction.text for prediction in own.read(ways)}) == 1
    assert own.read([]) == []


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((0, 4), np.uint8), np.zeros((2, 2, 2, 2), np.uint8)])
def test_arrays_that_are_no_pictures(array):
    """Floats, nothing, four dimensions: said, not guessed."""
    with pytest.raises(UserError, match="is no picture; give uint8"):
        open_picture(array)


def test_a_lexicon_of_plain_words():
    """read(…, lexicon=[…]) answers with one of them where it can."""
    found = reader().read(WORDS, lexicon=["ab", "bag", "cab"])
    assert all(p.text in ("ab", "bag", "cab") if p.lexicon == "within" else p.text == p.raw for p in found)
    assert any(p.lexicon == "within" for p in found)


def test_groups_of_equal_width():
    """Every image once, no group mixed or larger than the batch."""
    widths = [5, 7, 5, 5, 7]
    assert by_width(widths, 2) == [[0, 2], [3], [1, 4]]


def test_load_by_path(tmp_path):
    """`crnn_jt.load(file).read(…)` is the whole of it."""
    spec = tiny.model()
    save_weights(tmp_path / "w.safetensors", Weights(state(tiny.lively(build(spec))), spec))
    (prediction,) = crnn_jt.load(tmp_path / "w.safetensors").read([WORDS[0]])
    assert isinstance(prediction, crnn_jt.Prediction) and 0 <= prediction.confidence <= 1
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        crnn_jt.lod  # noqa: B018


def test_expand(tmp_path):
    """A folder gives its pictures, sorted, and nothing else; a name with brackets is a file before it is a glob."""
    for name in ("b.png", "a.JPG", "note.txt", "[x].png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in expand([str(tmp_path)])] == ["[x].png", "a.JPG", "b.png"]
    assert [path.name for path in expand([str(tmp_path / "[x].png"), str(tmp_path / "?.txt")[:-5] + "no*.txt"])] == [
        "[x].png",
        "note.txt",
    ]


def test_confidences_are_probabilities():
    """A blank picture too."""
    (prediction,) = reader().read([Image.new("L", (40, 32), 255)])
    assert 0 <= prediction.confidence <= 1
    assert len(prediction.character_confidences) == len(prediction.raw)
