"""A combination of stages that cannot learn a handful of words is broken, whatever its shapes say."""

from eval.overfit import EXTRACTORS, GENERATORS, REFINERS, WORDS, combinations, overfit


def test_every_combination_is_there():
    names = [model.name for model in combinations()]
    assert len(names) == len(set(names)) == len(EXTRACTORS) * len(REFINERS) * len(GENERATORS) == 30


def test_a_budget_that_is_too_small_is_told_as_it_is():
    (light,) = [model for model in combinations() if model.name == "light+bilstm+ctc"]
    found = overfit(light, steps=2)
    assert found.right < WORDS and found.steps == 2 and found.loss > 1
