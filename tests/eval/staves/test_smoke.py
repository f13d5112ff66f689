"""A light model of music must be able to learn."""

from eval.overfit import SYMBOLS, overfit
from eval.staves.smoke import make_light_music


def test_a_light_model_learns_incipits_by_heart():
    """Sixteen, as a rule all; 64 of them: `python -m eval staves --smoke`."""
    model = make_light_music()
    result = overfit(model, steps=300, count=16, batch=16)
    assert model.labels.max_length == SYMBOLS and result.right >= 10, result
