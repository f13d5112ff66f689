"""Scores must be rendered as the model's configuration says, or its figures are of other pictures."""

from crnn_jt.spec import load_config
from eval.staves.bench import choose_recipe
from eval.staves.smoke import make_light_music


def test_scores_are_rendered_as_the_models_configuration_says():
    light = choose_recipe(load_config("omr-light").model)
    assert light.frame == "staff" and light.ease_in == 0, "the first scores of a training are easier than the rest"
    assert choose_recipe(load_config("primus").model).look == "primus"
    assert choose_recipe(make_light_music()).frame == "staff"
