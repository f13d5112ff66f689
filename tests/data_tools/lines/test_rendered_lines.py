"""Rendered lines as a reader: what a training of a line recogniser relies on."""

import pickle
from dataclasses import asdict

import numpy as np
import pytest

from crnn_jt.spec import load_config
from data_tools.errors import UserError
from data_tools.lines import Recipe, RenderedLines
from data_tools.lines.recipe import ACCENTED, CHARACTERS

BUNDLED = Recipe(system_fonts=False)
BARE = BUNDLED.with_(strength=0.0, photographed=0.0, crop_tight=0.0, jpeg=0.0, height=(40, 40))


def same(one, other) -> bool:
    return one.text == other.text and one.key == other.key and one.image.tobytes() == other.image.tobytes()


def only(kind: str, **values) -> Recipe:
    """A recipe of one kind of text."""
    return BARE.with_(**{f"{name}_share": float(name == kind) for name in BARE.shares}, **values)


def test_a_sample_depends_on_seed_and_number_alone():
    first, second = RenderedLines(3, 500, BUNDLED), RenderedLines(3, 40, BUNDLED)
    expected = [first[i] for i in range(40)]
    sent = pickle.loads(pickle.dumps(second))
    assert all(same(second[i], expected[i]) for i in reversed(range(40))), "two runs of one seed would differ"
    assert all(same(sent[i], expected[i]) for i in range(40)), "another worker would render something else"
    assert not any(same(RenderedLines(4, 40, BUNDLED)[i], expected[i]) for i in range(40))


def test_labels_are_in_the_model_s_symbols_with_single_spaces():
    """What a label holds beyond the configuration's symbols would be dropped from training without a word."""
    symbols = load_config("line-light").model.labels.characters
    assert symbols == CHARACTERS and set(ACCENTED) < set(symbols)
    reader = RenderedLines(1, 400, BUNDLED)
    texts = [reader[i].text for i in range(400)]
    assert set("".join(texts)) <= set(symbols)
    assert all(text == " ".join(text.split()) and text for text in texts)
    assert 0.3 < np.mean([" " in text for text in texts]) < 0.75, "both words and lines are learnt from"
    assert set("éüñàç") <= set("".join(texts))


def test_a_small_set_of_symbols_is_all_that_is_drawn():
    """PP-OCR's 63: a comma in the picture that no label has would be learnt as nothing."""
    config = load_config("ppocr")
    reader = RenderedLines(1, 200, BUNDLED.with_(characters=config.data.recipe["characters"]))
    texts = [reader[i].text for i in range(200)]
    assert set("".join(texts)) <= set(config.model.labels.characters)
    assert len(set(texts)) > 180 and any(" " in text for text in texts)


def test_pictures_have_the_recipes_heights_and_show_something():
    reader = RenderedLines(1, 150, BUNDLED)
    samples = [reader[i] for i in range(150)]
    assert all(sample.image.mode == "L" and 6 <= sample.image.height <= 60 for sample in samples)
    assert np.median([np.asarray(sample.image).std() for sample in samples]) > 20
    assert max(32 * sample.image.width / sample.image.height for sample in samples) < 2048


@pytest.mark.parametrize("kind", ["word", "heading", "form", "bill", "code", "random", "prose"])
def test_every_kind_of_text_is_written(kind):
    reader = RenderedLines(2, 30, only(kind))
    texts = [reader[i].text for i in range(30)]
    assert len(set(texts)) > 20 and (kind != "word" or not any(" " in text for text in texts))


def test_a_wide_gap_is_one_space_and_wide_in_the_picture():
    """Prices at the far side of a receipt belong to the line."""
    reader = RenderedLines(3, 60, only("bill", words_per_line=2, rules=0.0))
    gaps = []
    for sample in (reader[i] for i in range(60)):
        levels = np.asarray(sample.image, np.float32)
        empty = np.flatnonzero(np.ptp(levels, axis=0) > 40)
        gaps.append(np.diff(empty).max(initial=0) / sample.image.height)
    assert np.mean(np.array(gaps) > 1) > 0.4


def test_neighbours_reach_into_the_crop_but_not_by_a_letter():
    """A letter of the next word that is seen whole but not in the label would be learnt as nothing."""
    recipe = only("word", tracking=0.0, crop_clipped=0.0)
    alone = RenderedLines(4, 80, recipe)
    beside = RenderedLines(4, 80, recipe.with_(neighbours=1.0, strength=1.0, blur=0.0, noise=0.0, bitonal=0.0))
    assert sum(not same(alone[i], beside[i]) for i in range(80)) > 60
    assert np.mean([beside[i].image.width / max(alone[i].image.width, 1) for i in range(80)]) < 1.5


def test_narrow_signs_between_others_are_drawn_too():
    """A comma that the crop cuts on one side, a word close by on the other: no picture without columns."""
    recipe = only("word", symbol_share=1.0, strength=1.0, neighbours=0.0, fragment=1.0, crop_clipped=1.0)
    reader = RenderedLines(6, 250, recipe)
    assert all(min(reader[i].image.size) >= 4 for i in range(250))


def test_lines_of_any_script_from_a_list_of_ones_own(tmp_path):
    """What the walk-through of docs/models.md needs: a word list and the characters of its language."""
    (tmp_path / "polish.txt").write_text("żółć\ngęś\nłódka\nświt\nźrebię\n", "utf-8")
    reader = RenderedLines(5, 40, BUNDLED.with_(words=str(tmp_path / "polish.txt"), characters=""))
    assert set("żęłśź") <= set("".join(reader[i].text for i in range(40)).lower())


def test_more_lists_are_drawn_from_too(tmp_path):
    (tmp_path / "more.txt").write_text("zyzzyva\n", "utf-8")
    reader = RenderedLines(5, 60, only("prose", foreign=1.0, more_words=(str(tmp_path / "more.txt"),)))
    assert any("zyzzyva" in reader[i].text for i in range(60))


@pytest.mark.parametrize(
    "values",
    [
        {"blur": -0.1},
        {"noise": "much"},
        {"word_share": 0.9, "form_share": 0.9},
        {"words_per_line": 0},
        {"height": (40, 20)},
        {"characters": 5},
        {"ease_in": -1},
    ],
)
def test_unfit_values_of_a_recipe_are_refused(values):
    with pytest.raises(UserError, match="recipe: "):
        Recipe(**values)


def test_characters_that_write_no_word_are_refused():
    with pytest.raises(UserError, match="no word"):
        RenderedLines(0, 1, BUNDLED.with_(characters="0 "))[0]


@pytest.mark.parametrize("effect", [name for name, value in asdict(Recipe()).items() if isinstance(value, float)])
def test_every_chance_at_its_extremes_still_draws(effect):
    shares = BUNDLED.with_(**dict.fromkeys((f"{kind}_share" for kind in BUNDLED.shares), 0.1))
    for value in (0.0, 0.4 if effect.endswith("share") else 1.0):
        reader = RenderedLines(9, 8, shares.with_(**{effect: value}))
        assert all(min(reader[i].image.size) >= 4 for i in range(8))
