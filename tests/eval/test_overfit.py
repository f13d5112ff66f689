"""A combination of stages that cannot learn a handful of words is broken, whatever its shapes say."""

from eval.overfit import WORDS, overfit
from eval.stages.combinations import list_combinations


def test_a_budget_that_is_too_small_is_told_as_it_is():
    (light,) = [model for model in list_combinations() if model.name == "light+bilstm+ctc"]
    result = overfit(light, steps=2)
    assert result.right < WORDS and result.steps == 2 and result.loss > 1
