"""Rendered words as a reader: what a training relies on."""

import pickle
import string
from dataclasses import asdict
from random import Random

import numpy as np
import pytest
from PIL import Image

from data_tools.errors import UserError
from data_tools.sample import CorruptSample
from data_tools.words import Recipe, RenderedWords
from data_tools.words.fonts import bundled_folder, font_index
from data_tools.words.lettering import set_line

BUNDLED = Recipe(system_fonts=False)


def same(one, other) -> bool:
    return one.text == other.text and one.key == other.key and one.image.tobytes() == other.image.tobytes()


def test_a_sample_depends_on_seed_and_number_alone():
    first, second = RenderedWords(3, 500, BUNDLED), RenderedWords(3, 40, BUNDLED)
    expected = [first[i] for i in range(40)]
    assert all(same(second[i], expected[i]) for i in reversed(range(40))), "two runs of one seed would differ"
    assert not any(same(RenderedWords(4, 40, BUNDLED)[i], expected[i]) for i in range(40))


def test_a_copy_sent_to_a_worker_gives_the_same():
    reader = RenderedWords(3, 10, BUNDLED)
    expected = [reader[i] for i in range(10)]
    sent = pickle.dumps(reader)
    assert len(sent) < 4000, "workers would be sent opened fonts"
    assert all(same(pickle.loads(sent)[i], expected[i]) for i in range(10))


def test_pictures_are_grey_of_the_recipes_height_and_not_blank():
    reader = RenderedWords(1, 150, BUNDLED)
    samples = [reader[i] for i in range(150)]
    assert {sample.image.mode for sample in samples} == {"L"}
    assert all(sample.image.height <= 90 and sample.image.width >= 4 for sample in samples)
    assert np.median([np.asarray(sample.image).std() for sample in samples]) > 20
    assert len({sample.key for sample in samples}) == 150


def test_without_effects_the_word_is_there_as_drawn():
    recipe = BUNDLED.with_(strength=0.0, graphic=1.0, crop_tight=0.0)
    sample = RenderedWords(1, 1, recipe)[0]
    levels = np.asarray(sample.image)
    assert levels.std() > 5 and sample.text.strip()
    assert len(np.unique(levels[0])) <= 3, "the ground is plain where no effect is asked for"


def test_an_eased_in_recipe_starts_mild_and_ends_as_it_is():
    eased = RenderedWords(3, 120, BUNDLED.with_(ease_in=100, strength=1.0))
    full = RenderedWords(3, 120, BUNDLED)
    assert all(same(eased[i], full[i]) for i in range(100, 120))
    assert eased.recipe.at(0).strength == pytest.approx(0.2) and eased.recipe.at(95).strength < 1.0
    assert [eased.recipe.at(i).strength for i in range(120)] == sorted(eased.recipe.at(i).strength for i in range(120))


def test_accents_are_drawn_and_kept_in_the_label(tmp_path):
    (tmp_path / "french.txt").write_text("forêt\ngarçon\nnoël\n", "utf-8")
    recipe = BUNDLED.with_(
        words=str(tmp_path / "french.txt"), characters="", digits_share=0.0, mixed_share=0.0, random_share=0.0
    )
    reader = RenderedWords(2, 30, recipe)
    assert set("êçë") <= set("".join(reader[i].text for i in range(30)).lower())


def test_other_scripts_are_drawn_with_fonts_that_have_them(tmp_path):
    (tmp_path / "words.txt").write_text("Выход\nΈξοδος\n", "utf-8")
    recipe = BUNDLED.with_(words=str(tmp_path / "words.txt"), characters="", punctuation_share=0.0)
    reader = RenderedWords(2, 20, recipe)
    assert any("ВЫХОД" in reader[i].text.upper() for i in range(20))


def test_characters_that_no_font_has_make_a_corrupt_sample_not_a_box(font_of, only, tmp_path):
    font_of("few.ttf", "ABEKQS")
    (tmp_path / "words.txt").write_text("日本\n", "utf-8")
    recipe = only(words=str(tmp_path / "words.txt"), characters="", digits_share=0, mixed_share=0, random_share=0)
    with pytest.raises(CorruptSample, match="日本"):
        RenderedWords(0, 1, recipe)[0]


def test_labels_follow_a_font_of_capitals(font_of, only):
    capitals = {small: small.upper() for small in string.ascii_lowercase}
    font_of("capitals.ttf", string.ascii_letters + string.digits + string.punctuation, remap=capitals)
    reader = RenderedWords(0, 30, only(lower_share=0.9, upper_share=0.0, capital_share=0.1))
    assert not any(character.islower() for i in range(30) for character in reader[i].text)


def test_photographs_are_written_on_and_bad_ones_passed_over(tmp_path, caplog):
    Image.effect_noise((90, 60), 80).save(tmp_path / "a.png")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    reader = RenderedWords(0, 30, BUNDLED.with_(backgrounds=str(tmp_path), graphic=0.0, plain=0.0))
    assert all(reader[i].image for i in range(30))
    assert sum("bad.jpg" in record.getMessage() for record in caplog.records) == 1


def test_a_folder_without_pictures_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="--backgrounds"):
        RenderedWords(0, 1, BUNDLED.with_(backgrounds=str(tmp_path)))[0]


@pytest.mark.parametrize("size, index", [(3, 3), (3, -1)])
def test_numbers_outside_are_refused(size, index):
    with pytest.raises(IndexError):
        RenderedWords(0, size, BUNDLED)[index]


@pytest.mark.parametrize(
    "values",
    [
        {"blur": -0.1},
        {"blur": "much"},
        {"engraved": -0.2},
        {"glare": "bright"},
        {"occlusion": None},
        {"sharpen": 31},
        {"split": -1},
        {"worn": "badly"},
        {"words_per_line": 0},
        {"height": (40, 20)},
        {"height": ("a", 2)},
        {"sign_share": 0.9, "digits_share": 0.9},
        {"upper_share": 0.9, "lower_share": 0.9},
        {"characters": 5},
    ],
)
def test_unfit_values_of_a_recipe_are_refused(values):
    with pytest.raises(UserError, match="recipe: "):
        Recipe(**values)


def test_recipes_come_from_files_strictly(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("blur: 0.1\nheight: [20, 30]\nfonts: [some]\n")
    recipe = Recipe.from_file(str(path))
    assert (recipe.blur, recipe.height, recipe.fonts) == (0.1, (20, 30), ("some",)) and hash(recipe)
    path.write_text("blurr: 0.1\n")
    with pytest.raises(UserError, match="blurr"):
        Recipe.from_file(str(path))
    path.write_text("[1, 2")
    with pytest.raises(UserError, match="cannot be read"):
        Recipe.from_file(str(path))


def test_letters_engraved_or_before_a_split_ground_are_still_seen(effect_of):
    for effect in ("engraved", "split"):
        pictures = [np.asarray(picture, np.float32) for picture in effect_of(effect)]
        assert np.median([picture.std() for picture in pictures]) > 8, f"{effect}: nothing would be left to read"


@pytest.mark.parametrize("effect", ["engraved", "worn", "split", "occlusion", "glare", "sharpen"])
def test_an_effect_changes_the_picture_and_not_its_size(effect, effect_of):
    without, drawn = effect_of(None), effect_of(effect)
    assert [one.size for one in without] == [one.size for one in drawn], "the label would no longer fit the crop"
    changed = sum(one.tobytes() != other.tobytes() for one, other in zip(without, drawn))
    assert changed >= 25, f"{effect} at 1 leaves {30 - changed} of 30 pictures as they were"


@pytest.mark.parametrize("shape", ["half_circle", "waves", "receding", "badge"])
def test_irregular_words_keep_their_text_and_change_their_shape(shape):
    """Curved and turned words are learnt from the same words; a recipe that has none of them draws as it always did."""
    straight = BUNDLED.with_(curve=0.0, perspective=0.0, rotation=0.0)
    plain, drawn = (RenderedWords(9, 30, straight.with_(**{shape: chance})) for chance in (0.0, 1.0))
    changed = [not same(plain[i], drawn[i]) for i in range(30)]
    assert sum(changed) >= 28 and all(np.asarray(drawn[i].image).std() > 2 for i in range(30))
    again = RenderedWords(9, 30, straight)
    assert all(same(plain[i], again[i]) for i in range(30))


def test_large_ends_of_a_word_stand_over_its_small_capitals():
    recipe = BUNDLED.with_(first_larger=1.0, tracking=0.0, shaped=0.0, jitter=0.0)
    font = font_index((), False).open(str(bundled_folder() / "DejaVuSans.ttf"))
    masks = [set_line(font, "HHHH", Random(n), recipe).mask for n in range(40)]
    heights = [(mask[:, :8].max(1) > 0).sum() for mask in masks], [(mask[:, -8:].max(1) > 0).sum() for mask in masks]
    assert min(heights[0]) > 20, "the first letter keeps its size"
    assert {bool(height > 23) for height in heights[1]} == {True, False}, "the last one keeps it now and then"


@pytest.fixture
def effect_of():
    """Thirty pictures of the same words with one effect of the picture at 1 and no other."""
    off = dict.fromkeys(_OF_THE_PICTURE, 0.0)

    def draw(effect: str | None) -> list[Image.Image]:
        recipe = BUNDLED.with_(**{**off, **({effect: 1.0} if effect else {})}, plain=1.0, light=0.0, height=(24, 24))
        reader = RenderedWords(9, 30, recipe)
        return [reader[i].image for i in range(30)]

    return draw


_OF_THE_PICTURE = (
    *("graphic", "low_contrast", "border", "shadow", "outline", "relief", "extrusion", "dots", "two_tone", "weight"),
    *("letter_texture", "clutter", "blur", "noise", "jpeg", "low_resolution", "crop_clipped", "neighbours", "rules"),
    *("engraved", "worn", "split", "occlusion", "glare", "sharpen"),
)


@pytest.mark.parametrize("effect", [name for name, value in asdict(Recipe()).items() if isinstance(value, float)])
def test_every_effect_at_its_extremes_still_draws(effect):
    shares = ("share", "rotation", "width", "strength")
    most = 0.2 if effect.endswith(shares) else 1.0
    for value in (0.0, most):
        reader = RenderedWords(9, 8, BUNDLED.with_(**{effect: value}))
        assert all(min(reader[i].image.size) >= 4 for i in range(8))
