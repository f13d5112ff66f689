"""The model of the staves' smoke test: `omr-light`'s stages, narrow, for short incipits."""

from __future__ import annotations

from crnn_jt.spec import ImageSpec, LabelSpec, RecognizerSpec, StageSpec
from eval.overfit import STAFF, SYMBOLS

BATCH = 16  # incipits of a step; `eval.overfit.INCIPITS` in all


def make_light_music() -> RecognizerSpec:
    """`omr-light`'s stages, narrow, for short incipits."""
    return RecognizerSpec(
        "staff_light+bilstm+ctc, music",
        StageSpec("staff_light", {"width": 0.5}),
        StageSpec("bilstm", {"hidden": 64, "depth": 1}),
        StageSpec("ctc"),
        ImageSpec(1, STAFF, 192, frame="staff"),
        LabelSpec("", "semantic", SYMBOLS, "drop-sample"),
    )
