"""The variants of the renderer bench: each must change the recipe, and nothing that the user asked for."""

from dataclasses import replace

import pytest

from crnn_jt.spec import DataSpec, load_config
from data_tools.errors import UserError
from data_tools.words import Recipe
from eval.renderer.bench import VARIANTS, apply_variant, parse_variants


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_recipe_that_differs(variant):
    config = load_config("crnn-light")
    config = replace(config, data=DataSpec("words", {"ease_in": 5}))
    found = Recipe(**apply_variant(config, variant).data.recipe)
    assert (found == Recipe(ease_in=5)) == (variant == "default")


def test_what_the_user_gave_stays_unless_the_variant_changes_it():
    config = load_config("crnn-light")
    config = replace(config, data=DataSpec("words", {"fonts": ["mine"], "blur": 0.1}))
    assert apply_variant(config, "no-faces").data.recipe["fonts"] == ["mine"]
    assert apply_variant(config, "bundled-fonts").data.recipe["fonts"] == []


@pytest.mark.parametrize("names", ["", "default,nothing", " , "])
def test_unknown_variants_are_named_before_hours_of_training(names):
    with pytest.raises(UserError, match="--variants"):
        parse_variants(names)
