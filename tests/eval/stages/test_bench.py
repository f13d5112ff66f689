"""What a combination is made of decides what its figure says."""

from dataclasses import replace

import pytest

from crnn_jt.spec import StageSpec, load_config
from data_tools.errors import UserError
from eval.stages.bench import combine_stages


def test_a_combination_replaces_stages_and_keeps_the_options_of_those_that_stay():
    config = load_config("crnn")
    same = combine_stages(config, "vgg+ctc", 1.0)
    assert (same.model.extractor, same.model.refiner) == (config.model.extractor, config.model.refiner)
    other = combine_stages(config, "resnet15+identity+attention", 0.5).model
    assert other.extractor == StageSpec("resnet15", {"width": 0.5})
    assert (other.refiner, other.generator) == (StageSpec("identity"), StageSpec("attention"))
    assert other.image == replace(config.model.image, resize="fixed")


@pytest.mark.parametrize("combination", ["ctc", "a+b+c+d", "vgg+"])
def test_half_a_combination_is_refused(combination):
    with pytest.raises(UserError, match="--combinations"):
        combine_stages(load_config("crnn"), combination, 1.0)
