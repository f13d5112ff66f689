"""The noisy channel: words that exist are preferred where the picture allows, and codes stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

from crnn_jt.decoding import classes, ctc
from crnn_jt.decoding import language as channels
from crnn_jt.decoding.language import Channel, open_channel
from crnn_jt.decoding.language_model import CharacterLM
from crnn_jt.decoding.lexicon import Lexicon, Weights
from crnn_jt.decoding.ngram import NGram
from crnn_jt.decoding.prior import Prior
from data_tools.errors import UserError
from data_tools.lines.recipe import CHARACTERS
from data_tools.words.language import Language, read_language

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
PRINTABLE = "".join(map(chr, range(32, 127)))


def language(counts: dict[str, float], name: str = "test") -> Language:
    words = tuple(sorted(counts))
    chances = np.array([counts[word] for word in words], float)
    return Language(name, words, np.log(chances / chances.sum()))


SMALL = language({"station": 5, "street": 9, "static": 1, "sale": 4, "stop": 7, "Bob's": 1})


def written(text: str, symbols: str, doubts: dict[int, dict[str, float]] | None = None) -> np.ndarray:
    """Log-probabilities (T, 1, K) that read `text`, a blank after each symbol; `doubts` sets chances at a place."""
    chances = np.full((2 * len(text), len(symbols) + 1), 1e-5)
    for place, symbol in enumerate(text):
        chances[2 * place + 1, 0] = 1.0
        for other, chance in {symbol: 1.0, **(doubts or {}).get(place, {})}.items():
            chances[2 * place, symbols.index(other) + 1] = chance
    return np.log(chances / chances.sum(1, keepdims=True))[:, None]


@pytest.fixture(params=[True, False], ids=["compiled", "numpy"])
def channel(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr("crnn_jt.decoding.native.library", lambda: None)
    made = Channel(SMALL, LETTERS)
    assert (made.lexicon.library is not None) == request.param
    return made


def test_a_reader_who_knows_english_does_not_read_statlon(channel):
    doubt = {4: {"l": 0.6, "i": 0.4}}
    (choice,) = channel.correct(written("statlon", LETTERS, doubt), [14])
    assert choice.text == "station"
    assert choice.confidence > dict(choice.others)["statlon"] > 0


def test_a_picture_that_is_sure_is_believed(channel):
    (choice,) = channel.correct(written("statlon", LETTERS), [14])
    assert choice.text == "statlon"


@pytest.mark.parametrize("code", ["kl05abc", "1984", "22nd", "5t0p", "b52"])
def test_codes_are_not_bent_into_words(channel, code):
    doubt = {1: {code[1]: 0.8, "t": 0.2}}
    assert channel.correct(written(code, LETTERS, doubt), [2 * len(code)])[0].text == code


def test_images_of_several_lengths_in_one_batch(channel):
    """What stands after an image's last step is not read."""
    short, long = written("sa1e", LETTERS, {2: {"1": 0.6, "l": 0.4}}), written("street", LETTERS)
    both = np.zeros((12, 2, 37))
    both[:8, :1], both[8:, :1], both[:, 1:] = short, written("zz", LETTERS), long
    assert [choice.text for choice in channel.correct(both, [8, 12])] == ["sale", "street"]
    assert channel.correct(np.zeros((4, 0, 37)), []) == []


def test_confidences_share_what_there_is(channel):
    (choice,) = channel.correct(written("stap", LETTERS, {2: {"a": 0.5, "o": 0.5}}), [8])
    confidences = [choice.confidence, *(confidence for _, confidence in choice.others)]
    assert confidences == sorted(confidences, reverse=True) and 0.9 < sum(confidences) <= 1 + 1e-9


@pytest.mark.parametrize("symbols", [PRINTABLE, CHARACTERS], ids=["ASCII", "line-light's"])
def test_lines_are_corrected_word_by_word(symbols):
    """Case, spaces and the punctuation around words stay as read; a full stop within one does not end it."""
    channel = Channel(SMALL, symbols)
    text = "(Statlon) STREFT, www.x.com"
    doubt = {5: {"l": 0.5, "i": 0.5}, 14: {"F": 0.5, "E": 0.5}}
    (choice,) = channel.correct(written(text, symbols, doubt), [2 * len(text)])
    assert choice.text == "(Station) STREET, www.x.com"


@pytest.mark.parametrize(
    "text, told",
    [
        ("STREET|", "STREET"),
        ("||street sale|| |stop", "street sale stop"),
        ("sale (stop)|", "sale (stop)|"),
        ("street | sale", "street | sale"),
        ("a|b||c", "a|b||c"),
        ("|", "|"),
    ],
)
def test_the_edge_of_a_sign_is_no_letter(text, told):
    """A bar that touches a word; not one that stands alone, or within a word."""
    (choice,) = Channel(SMALL, PRINTABLE).correct(written(text, PRINTABLE), [2 * len(text)])
    assert choice.text == told


def test_words_of_other_languages_stay_where_the_picture_is_sure():
    """A line in French keeps its accents beside an English word that is mended."""
    channel = Channel(SMALL, CHARACTERS)
    text = "Réglé à la statlon: 12,40 €"
    (choice,) = channel.correct(written(text, CHARACTERS, {15: {"l": 0.5, "i": 0.5}}), [2 * len(text)])
    assert choice.text == "Réglé à la station: 12,40 €"


def test_decoders_are_corrected_by_their_steps():
    """A step for each symbol up to the end; doubled letters stay two, what stands after the end is not read."""
    channel = Channel(SMALL, LETTERS)
    chances = np.full((8, 3, 37), 1e-6)
    for n, text in enumerate(["st0p", "street", "88"]):
        for t, symbol in enumerate(text):
            chances[t, n, LETTERS.index(symbol) + 1] = 1.0
        chances[len(text), n, 0] = 1.0
        chances[len(text) + 1 :, n, 5] = 1.0
    chances[2, 0, LETTERS.index("o") + 1] = 0.6
    log_probs = np.log(chances / chances.sum(2, keepdims=True))
    assert [choice.text for choice in channel.correct_steps(log_probs)] == ["stop", "street", "88"]


@pytest.mark.parametrize("compiled, growth", [(True, 1.0), (True, 2.0), (True, 20.0), (False, 2.0)])
def test_the_weighted_search_finds_what_scoring_all_words_finds(compiled, growth):
    """Also where long words weigh so much that most pictures have none that is likelier."""
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcd"), rng.integers(1, 6))) for _ in range(300)]
    lexicon = Lexicon(words, "abcd", compiled)
    factors = rng.random(len(lexicon)) ** 3 * growth**lexicon.sizes
    weights = Weights(lexicon.trie, factors, growth)
    logs = np.log(rng.dirichlet(np.ones(5) * 0.3, size=(9, 20)))
    scaled, offsets = ctc.scale(ctc.close(logs, [9] * 20))
    winners, totals = lexicon.search(scaled, weights)
    codes = ctc.pad([[lexicon.codes[c] for c in word] for word in lexicon.words])
    for n in range(20):
        scores = np.exp(ctc.forward_scores(logs[:, n], *codes) - offsets[n]) * factors
        assert winners[n] == scores.argmax() and totals[n] == pytest.approx(scores.max())
    above = lexicon.search(scaled, weights, totals * np.where(np.arange(20) % 2, 1.01, 0.99))[0]
    assert (above == np.where(np.arange(20) % 2, -1, winners)).all()


def test_the_compiled_beam_finds_the_likeliest_readings():
    channel = Channel(SMALL, LETTERS)
    channel.guide = None
    rng = np.random.default_rng(3)
    logs = np.log(np.maximum(rng.dirichlet(np.ones(37) * 0.05, size=(6, 5)), 1e-9))
    scaled, _ = ctc.scale(ctc.close(logs, [6] * 5))
    for n, found in enumerate(channel._search_beams(scaled)):
        expected = ctc.beam_search(logs[:, n], channels.WIDTH)
        assert found[0] == channel._text(expected[0].indices)
        assert len(set(found) & {channel._text(reading.indices) for reading in expected}) >= channels.WIDTH // 2


def test_ngrams_agree_with_the_character_model_and_sum_to_one():
    """Of the letters of one short word in a small set all continuations together are certain."""
    model = NGram(["ab", "abc", "ca"], np.array([3, 1, 2]), "abc", order=3)
    texts = [
        "",
        *"abc",
        *(x + y for x in "abc" for y in "abc"),
        *(x + y + z for x in "abc" for y in "abc" for z in "abc"),
    ]
    assert 0.8 < np.exp(model.log_p(texts)).sum() < 1
    assert model.table()[:, :, :].sum(2).max() <= 1 + 1e-9
    assert model.log_p(["ab"]) > model.log_p(["ba"]) > model.log_p(["b?"])
    alone = CharacterLM(["ab", "ab", "ab"], "abc", 2)
    assert np.exp(alone.log_next([1])).argmax() == 2


def test_what_a_word_is_worth_does_not_hang_on_what_was_asked_before(monkeypatch):
    """Windows that come again are remembered in few places, where others take theirs."""
    words, counts = ["ab", "abc", "ca", "cab"], np.array([3, 1, 2, 1])
    alone = [float(NGram(words, counts, "abc", order=3).log_p([word])[0]) for word in words]
    monkeypatch.setattr("crnn_jt.decoding.ngram.REMEMBERED", 5)
    model = NGram(words, counts, "abc", order=3)
    for _ in range(2):
        np.testing.assert_allclose(model.log_p([*words, *words[::-1]]), alone + alone[::-1], rtol=1e-12)


def test_classes_know_numbers_codes_and_addresses():
    word = {"sale": 0.1, "shop": 0.1}.get
    chance = lambda text: word(text, 0.0)  # noqa: E731
    assert classes.code_chance("sale", chance) == 0.0
    assert classes.code_chance("22nd", chance) > classes.code_chance("22qx", chance) > 0
    assert classes.code_chance("$5.99", chance) > 0
    assert classes.pair_chance("saleshop", chance) == pytest.approx(0.01)
    assert classes.address_name("www.saleshop.com")[0] == classes.address_name("wwwsaleshopcom")[0] == "saleshop"
    assert classes.address_name("sale") is None


def test_words_in_the_models_own_characters():
    """A set without apostrophes reads Bob's as bobs; one without a word's letters does without the word."""
    assert Prior(SMALL, LETTERS).word("bobs") > 0
    assert Prior(SMALL, "abost'").chances.keys() == {"bob's"}
    upper = Prior(SMALL, PRINTABLE).log_p(["STOP", "Stop", "stop", "sToP"])
    assert upper.argmin() == 3


def test_languages_that_do_not_fit_a_model():
    with pytest.raises(UserError, match="none of its words can be written"):
        Channel(SMALL, "xyz")
    with pytest.raises(UserError, match="reads the symbols of a vocabulary"):
        open_channel("english", ("clef-G2", "note-C4"), " ")
    with pytest.raises(UserError, match="no such file; there are: english, none"):
        open_channel("klingon", tuple(LETTERS))


def test_the_default_is_english_where_its_letters_are_read():
    assert open_channel(None, tuple("abcdefgh")) is None
    assert open_channel("none", tuple(LETTERS)) is None
    assert open_channel(None, ("note-C4",), " ") is None
    assert open_channel(None, tuple(LETTERS)) is open_channel("english", tuple(LETTERS))


def test_english_mends_common_misreadings():
    """The language that ships, on the readings that made it wanted."""
    channel = open_channel("english", tuple(LETTERS))
    for read, place, other, meant in (("restauranl", 9, "t", "restaurant"), ("0pen", 0, "o", "open")):
        log_probs = written(read, LETTERS, {place: {read[place]: 0.6, other: 0.4}})
        assert channel.correct(log_probs, [len(log_probs)])[0].text == meant
    assert len(read_language("english").words) > 90_000
