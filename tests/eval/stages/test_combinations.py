"""The smoke test covers what there is, and slow learners get the steps they need."""

from dataclasses import replace

from crnn_jt import registry
from crnn_jt.spec import StageSpec
from eval.stages.combinations import EXTRACTORS, GENERATORS, REFINERS, choose_budget, explain_failure, list_combinations


def test_every_combination_is_there():
    names = [model.name for model in list_combinations()]
    assert len(names) == len(set(names)) == len(EXTRACTORS) * len(REFINERS) * len(GENERATORS) == 30


def test_slow_learners_get_more_steps():
    """A decoder that learns its own alignment, and stages without a refiner, need more."""
    steps = {model.name: choose_budget(model) for model in list_combinations()}
    assert steps["vgg+bilstm+ctc"] < steps["vgg+bilstm+attention"] < steps["vgg+identity+attention"]


def test_every_generator_gets_a_budget():
    """A new stage must not end the smoke test with a traceback."""
    model = next(list_combinations())
    budgets = [choose_budget(replace(model, generator=StageSpec(name))) for name in registry.GENERATORS.names()]
    assert len(budgets) >= 3 and min(budgets) > 0


def test_only_channels_as_steps_excuse_a_failure_and_only_with_ctc():
    excused = {model.name for model in list_combinations() if explain_failure(model)}
    assert excused == {"vgg_global+bilstm+ctc", "vgg_global+identity+ctc"}
