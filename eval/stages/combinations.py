"""The combinations of the smoke test, and what to expect of each: the one place in eval that lists stages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from crnn_jt.spec import ImageSpec, LabelSpec, RecognizerSpec, StageSpec

WIDTH = 0.25  # of the extractors: enough for 32 words, and a combination takes half a minute
EXTRACTORS = ("vgg", "vgg_global", "resnet15", "resnet23", "light")
REFINERS = {"bilstm": {"hidden": 48, "depth": 1}, "identity": {}}
GENERATORS = {
    "ctc": {},
    "encoder_decoder": {"hidden": 64, "embedding": 16},
    "attention": {"hidden": 64, "attention": 32, "embedding": 16},
}
FRAMEWISE_STEPS, DECODER_STEPS = 1000, 1500  # twice the slowest of docs/evaluation.md's table and more
UNREFINED = ("identity",)
"""Refiners that carry nothing from step to step, so that the generator must learn it: twice the steps."""
SUITS_BADLY = "its steps are channels that each see the whole image, in no order of reading, which suits CTC badly"


def list_combinations() -> Iterator[RecognizerSpec]:
    """Every extractor with every refiner and every generator, in narrow widths."""
    for extractor, refiner, generator in itertools.product(EXTRACTORS, REFINERS, GENERATORS):
        yield RecognizerSpec(
            f"{extractor}+{refiner}+{generator}",
            StageSpec(extractor, {"width": WIDTH}),
            StageSpec(refiner, REFINERS[refiner]),
            StageSpec(generator, GENERATORS[generator]),
            ImageSpec(),
            LabelSpec(max_length=24),
        )


def choose_budget(model: RecognizerSpec) -> int:
    """Steps that the smoke test gives a combination at most. Raises UserError for a generator that is not known."""
    steps = FRAMEWISE_STEPS if _is_framewise(model) else DECODER_STEPS
    return 2 * steps if model.refiner.name in UNREFINED else steps


def explain_failure(model: RecognizerSpec) -> str | None:
    """Why this combination need not learn all its words, where that is known."""
    from crnn_jt import extractors  # noqa: F401 - they register themselves
    from crnn_jt.registry import EXTRACTORS
    from crnn_jt.sequences import CHANNELS

    unordered = EXTRACTORS.get(model.extractor.name).sequence is CHANNELS
    return SUITS_BADLY if unordered and _is_framewise(model) else None


def _is_framewise(model: RecognizerSpec) -> bool:
    """Whether the generator has one output a step: then the loss aligns, and nothing has to learn it."""
    from crnn_jt import generators  # noqa: F401 - they register themselves
    from crnn_jt.registry import GENERATORS

    return GENERATORS.get(model.generator.name).framewise
