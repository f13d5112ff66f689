"""A few stages learn a few words by heart: whatever is broken between loader and optimiser shows here.

All combinations: `python -m eval stages --smoke`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from crnn_jt.spec import StageSpec
from tests.crnn_jt import tiny

COMBINATIONS = [
    ("light", {"width": 0.25}, "bilstm", "ctc"),
    ("light", {"width": 0.25}, "bilstm", "attention"),
    ("light", {"width": 0.25}, "identity", "encoder_decoder"),
]
WIDER = {
    "bilstm": {"hidden": 16, "depth": 1},
    "identity": {},
    "ctc": {},
    "attention": {"hidden": 32, "attention": 16, "embedding": 8},
    "encoder_decoder": {"hidden": 32, "embedding": 8},
}


@pytest.mark.parametrize(("extractor", "options", "refiner", "generator"), COMBINATIONS)
def test_stages_learn_eight_words_by_heart(extractor, options, refiner, generator, tmp_path):
    """Most words read right in free running, as a rule all. A step that learns nothing or a wrong gradient does not get
    there; what does not look at the pictures has one of eight.
    """
    spec = replace(
        tiny.model(),
        extractor=StageSpec(extractor, options),
        refiner=StageSpec(refiner, WIDER[refiner]),
        generator=StageSpec(generator, WIDER[generator]),
    )
    once = dict.fromkeys(("steps", "validate_every", "checkpoint_every"), 120)
    settings = tiny.config(spec, **once, batch_size=8, learning_rate=0.01, weight_decay=0.0, warmup=5, ema=0.0)
    words = tiny.DrawnWords(8)
    scores = tiny.trainer(tmp_path / "run", settings, words, words).run()
    assert scores["accuracy"] >= 60, scores
