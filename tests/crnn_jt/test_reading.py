"""Reading in Python: whatever a picture comes as, and in whatever company, its text is the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import crnn_jt
from crnn_jt.backend import NAME, state
from crnn_jt.models import build
from crnn_jt.pictures import expand, open_picture
from crnn_jt.reading import SequenceReader, by_width
from crnn_jt.weights import Weights, save_weights
from data_tools.errors import UserError
from data_tools.words.language import Language
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


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.complex64),
        np.zeros((0, 4), np.uint8),
        np.zeros((2, 2, 2, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((5, 4, 7)),
        np.array([["a"]]),
        np.array([[None]]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_that_are_no_pictures(array):
    """Complex numbers, text, nothing, one or four dimensions: said, not guessed."""
    with pytest.raises(UserError, match="is no picture; give uint8"):
        open_picture(array)


def test_a_lexicon_of_plain_words():
    """read(…, lexicon=[…]) answers with one of them where it can."""
    found = reader().read(WORDS, lexicon=["ab", "bag", "cab"])
    assert all(p.text in ("ab", "bag", "cab") if p.lexicon == "within" else p.text == p.raw for p in found)
    assert any(p.lexicon == "within" for p in found)


@pytest.mark.parametrize("generator", ["ctc", "attention"])
def test_a_language_corrects_what_is_read(generator):
    """read(…, language=…) weighs listed words more, keeps what was read as `raw`, and is off where nobody asks."""
    own, words = reader(generator=generator), ("bag", "cab", "dad", "fa", "he")
    language = Language("test", words, np.log(np.full(5, 0.2)))
    plain, corrected = own.read(WORDS), own.read(WORDS, language=language, alternatives=2)
    assert [prediction.raw for prediction in corrected] == [prediction.text for prediction in plain]
    assert all(0 <= prediction.confidence <= 1 for prediction in corrected)
    assert any(prediction.text in words for prediction in corrected)
    assert any(prediction.text != prediction.raw for prediction in corrected)
    assert all(text != p.text for p in corrected for text, _ in p.alternatives)
    assert texts(own.read([word], language=language)[0] for word in WORDS) == texts(own.read(WORDS, language=language))


@pytest.mark.parametrize("generator", ["ctc", "attention"])
def test_what_was_seen_may_be_asked_again(generator):
    """`see` and `tell` are `read` in two halves: with lexicon, language or neither, of all that was seen or of some."""
    own = reader(generator=generator)
    sights, language = own.see(WORDS), Language("test", ("bag", "cab"), np.log([0.5, 0.5]))
    for options in ({}, {"language": language, "alternatives": 2}, {"lexicon": ["ab", "bag"]}, {"spans": True}):
        found, expected = own.tell(sights, **options), own.read(WORDS, **options)
        assert texts(found) == texts(expected)
        assert [p.spans for p in found] == [p.spans for p in expected]
        assert texts(own.tell(sights[::-2], **options)) == texts(expected[::-2])
    assert own.tell(own.see([])) == []


LONG = tiny.draw("abcdefgh" * 4, (210, 32))


def test_long_lines_are_read_in_pieces_and_not_squeezed():
    """A model of lines reads any length; one of words says that it was squeezed, and by how much."""
    lines, words = reader(characters="abcdefg "), reader()
    (found,) = lines.read([LONG], spans=True)
    assert not found.warning and len(found.raw) > 4
    assert texts(lines.read([*WORDS, LONG])[-1:]) == texts([found])
    assert "squeezed 4.4 times to the 48 columns" in words.read([LONG])[0].warning
    far = LONG.resize((90_000, 32))
    assert "squeezed" in lines.read([far])[0].warning, "no picture may take all the memory"


@pytest.mark.parametrize("generator", ["ctc", "attention"])
def test_places_of_symbols_are_given_where_they_are_known(generator):
    own = reader(generator=generator)
    found = own.read(WORDS, spans=True)
    assert any(prediction.raw for prediction in found)
    for prediction in found:
        assert len(prediction.spans) == (len(prediction.raw) if generator == "ctc" else 0)
    assert not any(prediction.spans for prediction in own.read(WORDS))


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
